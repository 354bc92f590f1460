"""What the command line prints: sentences for people, JSON Lines for programs, and how it ends.

Exit status: 0 all well, 1 the answer is no, 2 wrong use or unreadable input, 3 the platform is at fault.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import Any

from rich.console import Console

from core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    TabellionError,
    Unauthenticated,
    UsageError,
)

NO, MISUSE, FAULT = 1, 2, 3
_LOOK_AGAIN = 1.0  # second
_ANSWERS_NO = (Refused, Conflict, Forbidden, NotFound, Unauthenticated)

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def json_line(value: dict[str, Any]) -> None:
    """Print one JSON object on its own line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def status_of(error: TabellionError) -> int:
    """Return the exit status that an error amounts to."""
    if isinstance(error, _ANSWERS_NO):
        return NO
    return MISUSE if isinstance(error, UsageError) else FAULT


def wait_for_the_end() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    # The system may give the signal to any thread, which does not wake this one; only this one runs what was said above.
    while not ended.wait(_LOOK_AGAIN):
        pass
