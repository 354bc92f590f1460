"""The locks of what proofs keep under lock beside the packages: segments of the journal, batches of evidence records.

Both are kept for ever, so their locks are always extended; those of packages follow their retention (`archive.places.locks`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from archive.models import EvidenceStamp, TreeSegment
from archive.places.places import places_of
from core import clock
from core.platform import Platform
from core.principal import PLATFORM

AT_ONCE = 100
"""Objects whose locks are extended in one run."""


def extend_due(platform: Platform, limit: int = AT_ONCE) -> int:
    """Extend the locks that end before half of their time, those that end first before the others; return how many there were.

    Raises:
        Unavailable: a place does not answer; those before it were extended.
    """
    return sum(_extend(platform, model, limit) for model in (TreeSegment, EvidenceStamp))


def _extend(platform: Platform, model: type[TreeSegment | EvidenceStamp], limit: int) -> int:
    days, now = platform.settings.archive_lock_days, clock.now()
    with platform.database.reading(PLATFORM) as session:
        due = select(model).where(col(model.locked_until) < now + timedelta(days=days / 2))
        rows: list[Any] = list(session.exec(due.order_by(col(model.locked_until)).limit(limit)))
    stores = {place.name: place.store for place in places_of(platform)}
    for row in rows:
        until = now + timedelta(days=days)
        ends = [stores[name].extend(row.key, version, until) for name, version in row.copies.items() if name in stores]
        with platform.database.writing(PLATFORM) as session:
            row.locked_until = min(ends, default=until)
            session.add(row)
    return len(rows)
