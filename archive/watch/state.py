"""How the archive stands, in numbers: what each place holds and when it was last read, how old the last anchor is.

What lives here: the questions that pages and monitoring ask; no title, no name. What does not: whether a place answers now, which
is asked of the place itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal
from sqlalchemy import select as _select
from sqlmodel import col, select

from archive.models import Record, RecordCopy, TreeSegment
from archive.proof.heads import last_anchor
from core import clock
from core.database import ScopedSession, UtcDateTime

SOON = timedelta(days=30)
"""A lock that ends within this time is told: the extension should have reached it long before."""
OLD = timedelta(hours=24)
"""An anchor that is older is told: NF Z42-013 asks for a timestamp every day at least."""
_MANY = 100_000


@dataclass(frozen=True, slots=True)
class Held:
    """What a place holds of what the session sees.

    Attributes:
        copies: how many.
        size: of all of them, in bytes.
        oldest: when the copy that was read least recently was read; None without copies.
        first_end: when the first of the locks ends; None without copies.
        ending: how many locks end soon.
    """

    copies: int
    size: int
    oldest: datetime | None
    first_end: datetime | None
    ending: int


@dataclass(frozen=True, slots=True)
class Kept:
    """How many records are kept of what the session sees, and the bytes of their packages."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Anchors:
    """How recent the proof is.

    Attributes:
        head: when the last head of the journal was timestamped; None before the first.
        segment: when a segment of the journal last came to stand in every place; None before the first.
        covered: how many entries the segments cover.
    """

    head: datetime | None
    segment: datetime | None
    covered: int

    def is_old(self, at: datetime) -> bool:
        """Tell whether the last head is older than a day, or there is none."""
        return self.head is None or at - self.head > OLD

    def hours(self, at: datetime) -> int | None:
        """Return the age of the last head in whole hours; None when there is none."""
        return None if self.head is None else int((at - self.head) / timedelta(hours=1))


def kept(session: ScopedSession) -> Kept:
    """Return what is kept, each record of which every place is to hold."""
    everything = select(func.count(), func.sum(Record.size)).select_from(Record)
    count, size = session.exec(everything.where(col(Record.eliminated).is_(None))).one()
    return Kept(count, int(size or 0))


def held_in(session: ScopedSession, all_kept: Kept) -> dict[str, Held]:
    """Return what each place holds, by its name; a record that was eliminated has no copy any more.

    Args:
        session: of whoever asks.
        all_kept: what the session sees: a place that lacks none of it holds as many bytes, and its records are not asked.
    """
    place, until = col(RecordCopy.place), col(RecordCopy.locked_until)
    soon = func.count().filter(until < literal(clock.now() + SOON, UtcDateTime()))
    standing = _select(place, func.count(), func.min(RecordCopy.checked), func.min(until), soon).group_by(place)
    if all_kept.count < _MANY:  # those of one organisation are found by their records; of most, all copies are read anyway
        standing = standing.join(Record, col(RecordCopy.record_id) == col(Record.id))
    return {
        name: Held(count, all_kept.size if count == all_kept.count else _size_in(session, name), *rest)
        for name, count, *rest in session.execute(standing)
    }


def _size_in(session: ScopedSession, place: str) -> int:
    sizes = select(func.sum(Record.size)).join(RecordCopy, col(RecordCopy.record_id) == col(Record.id))
    return int(session.exec(sizes.where(RecordCopy.place == place)).one() or 0)


def oldest_checks(session: ScopedSession) -> dict[str, datetime]:
    """Return, by place, when the copy that was read least recently was read."""
    asked = select(RecordCopy.place, func.min(RecordCopy.checked)).group_by(col(RecordCopy.place))
    return dict(session.exec(asked).all())


def anchors(session: ScopedSession) -> Anchors:
    """Return how recent the last head and the last segment are."""
    last = select(TreeSegment).where(col(TreeSegment.sealed).is_not(None)).order_by(col(TreeSegment.size).desc()).limit(1)
    segment = session.exec(last).first()
    return Anchors(last_anchor(session), segment.sealed if segment else None, segment.size if segment else 0)
