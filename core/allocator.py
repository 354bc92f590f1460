"""Memory given back to the system as soon as it is free (``mallopt`` of the GNU C library)."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_PIECE = 32 * 1024
_MOST_PIECES = 1_000_000


def give_back() -> None:
    """Have pieces of 32 kB and more come from the system one by one, and return to it when they are freed.

    Left to itself the library raises these bounds with the pieces that it sees come and go: a document that passes leaves tens of
    megabytes behind. Where the C library is another, nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_MMAP_THRESHOLD, _PIECE), (_TRIM_THRESHOLD, 2 * _PIECE), (_MMAP_MAX, _MOST_PIECES)):
            mallopt(parameter, value)
