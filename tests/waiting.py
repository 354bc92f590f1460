"""Waiting for something that happens elsewhere, with a bound."""

from __future__ import annotations

import faulthandler
import tempfile
import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which what has not happened never will, on a machine that has much else to do."""


def wait_until(holds: Callable[[], bool], seconds: float = PATIENCE, seen: Callable[[], str] = lambda: "") -> None:
    """Wait until something holds; fail, say what was seen, and where every thread stands, when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"what was awaited did not happen: {seen()}\n{_threads()}"
        time.sleep(0.05)  # who looks more often keeps the processor from those who are awaited


def _threads() -> str:
    with tempfile.TemporaryFile("w+") as stream:
        faulthandler.dump_traceback(stream, all_threads=True)
        stream.seek(0)
        return stream.read()
