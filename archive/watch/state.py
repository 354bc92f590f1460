"""How the archive stands, in numbers: what each place holds and when it was last read, how old the last anchor is.

What lives here: the questions that pages and monitoring ask; no title, no name. What does not: whether a place answers now, which
is asked of the place itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, literal
from sqlmodel import col, select

from archive.models import Record, RecordCopy, TreeSegment
from archive.proof.heads import last_anchor
from core import clock
from core.database import ScopedSession, UtcDateTime

SOON = timedelta(days=30)
"""A lock that ends within this time is told: the extension should have reached it long before."""
OLD = timedelta(hours=24)
"""An anchor that is older is told: NF Z42-013 asks for a timestamp every day at least."""


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


def held_in(session: ScopedSession) -> dict[str, Held]:
    """Return what each place holds, by its name."""
    place, until = col(RecordCopy.place), col(RecordCopy.locked_until)
    soon = literal(clock.now() + SOON, UtcDateTime())
    sizes = select(place, func.count(), func.sum(Record.size)).join(Record).where(col(Record.eliminated).is_(None))
    ends = select(place, func.min(RecordCopy.checked), func.min(until), func.count().filter(until < soon)).join(Record)
    held = {name: (count, int(size or 0)) for name, count, size in session.exec(sizes.group_by(place))}
    rest = session.exec(ends.where(col(Record.eliminated).is_(None)).group_by(place))
    return {name: Held(*held[name], oldest, first, ending) for name, oldest, first, ending in rest if name in held}


def kept(session: ScopedSession) -> int:
    """Return how many records there are, each of which every place is to hold."""
    return session.exec(select(func.count()).select_from(Record).where(col(Record.eliminated).is_(None))).one()


def oldest_checks(session: ScopedSession) -> dict[str, datetime]:
    """Return, by place, when the copy that was read least recently was read."""
    asked = select(RecordCopy.place, func.min(RecordCopy.checked)).group_by(col(RecordCopy.place))
    return dict(session.exec(asked).all())


def anchors(session: ScopedSession) -> Anchors:
    """Return how recent the last head and the last segment are."""
    last = select(TreeSegment).where(col(TreeSegment.sealed).is_not(None)).order_by(col(TreeSegment.size).desc()).limit(1)
    segment = session.exec(last).first()
    return Anchors(last_anchor(session), segment.sealed if segment else None, segment.size if segment else 0)
