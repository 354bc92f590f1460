"""What goes wrong between the gateway and us, as planned by a test or a demonstration."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Mishap(StrEnum):
    """What can go wrong with a call.

    ``FAILED``, ``BUSY``, ``QUOTA``: status 500, 503, 429, nothing is done. ``UNAUTHORIZED``: 401, as for a token that ended.
    ``PAGE``: a page of HTML of something in between, status 200, nothing is done. ``LOST``: done, then cut off. ``SILENT``: done,
    no answer comes. ``HALF``: done, half of the answer comes. ``SLOW``: done, the answer comes octet by octet. ``REPEATED``: the
    page before the one asked for comes again. ``EMPTY``: a token without a value.
    """

    FAILED = "failed"
    BUSY = "busy"
    QUOTA = "quota"
    UNAUTHORIZED = "unauthorized"
    PAGE = "page"
    LOST = "lost"
    SILENT = "silent"
    HALF = "half"
    SLOW = "slow"
    REPEATED = "repeated"
    EMPTY = "empty"


@dataclass
class Faults:
    """What goes wrong with the next calls.

    Attributes:
        wait: seconds that ``Retry-After`` asks for.
        stopping: ends every silence.
    """

    wait: int = 2
    stopping: threading.Event = field(default_factory=threading.Event)
    _planned: list[tuple[str, Mishap]] = field(default_factory=list)
    _share: float = 0.0
    _random: random.Random = field(default_factory=random.Random)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, mishap: Mishap, service: str = "", times: int = 1) -> None:
        """Let something go wrong with the next calls of a service, named by the end of its path; an empty name means any."""
        with self._lock:
            self._planned += [(service, mishap)] * times

    def shake(self, share: float, seed: int = 1) -> None:
        """Let a share of all calls fail with status 500, the same ones each time for a seed; zero ends it."""
        with self._lock:
            self._share, self._random = share, random.Random(seed)  # noqa: S311 - nothing secret

    def next(self, service: str) -> Mishap | None:
        """Return what goes wrong with this call."""
        with self._lock:
            found = next((one for one in self._planned if service.endswith(one[0])), None)
            if found is not None:
                self._planned.remove(found)
                return found[1]
            return Mishap.FAILED if self._share and self._random.random() < self._share else None
