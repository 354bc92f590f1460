"""How fast calls leave: PISTE publishes no limit and answers 429 when its own is passed, so that ours must be kept well below.

The pace is that of a PISTE application, shared by all threads of a process; an operator who runs several processes divides the
setting among them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from core.clock import as_utc, now

LONGEST_WAIT = 30.0
"""Seconds that a call waits for its turn; one that would wait longer is tried again later instead."""

_UNSAID = 30.0
_MOST = 3600.0


class Pace:
    """A token bucket that holds one second of calls."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a full bucket.

        Args:
            per_second: calls.
            clock: seconds that only go forward.
        """
        self._interval, self._burst, self._clock = 1 / per_second, max(1.0, per_second), clock
        self._free_at = self._closed_until = clock() - self._burst * self._interval
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take a turn and return the seconds before it comes; one beyond ``LONGEST_WAIT`` was not taken."""
        with self._lock:
            moment = self._clock()
            earliest = max(self._free_at, moment - self._burst * self._interval)
            due = max(earliest + self._interval, self._closed_until, moment)
            wait = due - moment
            if wait <= LONGEST_WAIT:
                self._free_at = max(earliest + self._interval, self._closed_until)
            return wait

    def close(self, seconds: float) -> None:
        """Let no call leave for a while: the other side said so."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)


def retry_after(header: str | None) -> float:
    """Return the seconds that ``Retry-After`` asks for, as a number or as a date (RFC 9110, 10.2.3), within one hour.

    A header that is absent or unreadable means half a minute.
    """
    if header is None:
        return _UNSAID
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _MOST)
    try:
        moment: datetime = parsedate_to_datetime(text)
    except ValueError:
        return _UNSAID
    return min(max((as_utc(moment) - now()).total_seconds(), 0.0), _MOST)
