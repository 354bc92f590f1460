"""A part that serves ends when it is told to, whichever of its threads the system tells it to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PART = """
import signal, threading
from api.cli.output import wait_for_the_end

threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.{signal})).start()
wait_for_the_end()
print("ended")
"""


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_a_signal_that_another_thread_is_given_ends_the_waiting(signal: str) -> None:
    part = [sys.executable, "-c", PART.format(signal=signal)]
    ended = subprocess.run(part, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "ended\n"
