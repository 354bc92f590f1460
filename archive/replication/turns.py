"""What every round speaks in: what one turn of it gave, what cannot be copied, and whether anybody could give it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archive.places.places import Place
from core.errors import Misconfigured, TabellionError, Unavailable
from core.messages import Catalogue
from core.s3 import ObjectAltered, ObjectMissing

_messages = Catalogue("archive.replication")
TROUBLES = (ObjectMissing, ObjectAltered, Unavailable, Misconfigured)
"""What reading from a place may raise."""


class NotCopied(TabellionError):
    """One object cannot be copied; the others may be."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that could not be copied: its key, and why, in words."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a round gave.

    Attributes:
        copied: how many objects were written.
        size: how many bytes were read or written.
        failures: what could not be written.
        cursor: where the next turn begins; None at the end.
    """

    copied: int
    size: int
    failures: tuple[Failure, ...]
    cursor: str | None


def not_copied(error: Exception | None, sources: Iterable[Place]) -> NotCopied:
    """Return what to raise of an object that no source gives whole.

    Args:
        error: what the last source that was asked said; None when it gave something else.
        sources: the places that were asked.

    Raises:
        Unavailable, Misconfigured: none of the sources answers: there is nothing to conclude about this object.
    """
    if isinstance(error, Unavailable | Misconfigured) and not any(map(_answers, sources)):
        raise error
    return NotCopied(_messages("nowhere", reason=error or _messages("other_bytes")))


def _answers(place: Place) -> bool:
    try:
        place.store.clock_skew()
    except (Unavailable, Misconfigured):
        return False
    return True
