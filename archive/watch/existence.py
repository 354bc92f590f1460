"""Existence: what stands in a place against what the database says stands there, in both directions.

What lives here: objects that nothing names, versions and markers that lie on top of what is sealed, and records whose object is
not there. What does not: whether the bytes are the right ones (`archive.watch.integrity`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import func
from sqlmodel import col, select

from archive.models import Record, RecordCopy, TreeSegment
from archive.places.places import Place
from archive.proof.segment_keys import size_of
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, place_named
from archive.watch.papers import is_paper
from core import clock
from core.database import ScopedSession
from core.locked_bucket import Version
from core.locked_objects import PROBES
from core.platform import Platform
from core.principal import PLATFORM

_OBJECTS, _COPIES = "objects ", "copies "
"""The two halves of a pass, and what a cursor begins with in each: a key, or the identifier of a record, follows."""
_UNFINISHED = timedelta(days=1)
"""What was written since may be a sealing, or an elimination, that is under way."""


def total(platform: Platform, place: str) -> int:
    """Return how many copies a place is to hold, counted twice: there are as many objects to be met."""
    with platform.database.reading(PLATFORM) as session:
        asked = select(func.count()).select_from(RecordCopy).join(Record)
        return 2 * session.exec(asked.where(RecordCopy.place == place, col(Record.eliminated).is_(None))).one()


def look(platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
    """Go through the next objects of a place; once all of them were met, call the roll of the records.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    del started
    where = place_named(platform, place)
    if not cursor.startswith(_COPIES):
        found = list(islice(where.store.all_versions(cursor.removeprefix(_OBJECTS)), budget.count))
        if found:
            troubles = tuple(_unknown(platform, place, found))
            return Look(len(found), 0, troubles, f"{_OBJECTS}{max(version.key for version in found)}")
    return _roll_call(platform, where, cursor.removeprefix(_COPIES) if cursor.startswith(_COPIES) else "", budget)


def _unknown(platform: Platform, place: str, found: Sequence[Version]) -> Iterator[Trouble]:
    """Tell of the objects that no record and no audit of this place knows."""
    keys = {version.key for version in found}
    with platform.database.reading(PLATFORM) as session:
        asked = select(Record).join(RecordCopy).where(RecordCopy.place == place, col(Record.key).in_(keys))
        named = {record.key: record for record in session.exec(asked)}
        strays = _strays(session, keys)
    for version in found:
        record = named.get(version.key)
        beside = version.key not in strays and (is_paper(version.key) or version.key.startswith(PROBES))
        known = (record is not None and record.eliminated is None) or beside
        # A segment is noted before it leaves: one that is not is no sealing under way.
        settled = version.key in strays or version.written < clock.now() - _UNFINISHED
        if version.on_top and not known and settled:
            facts = {"version": version.version_id, "marker": version.is_marker, "eliminated": record is not None}
            yield Trouble(Kind.OBJECT_UNKNOWN, place, version.key, facts, record.organisation_id if record else None)


def _strays(session: ScopedSession, keys: Iterable[str]) -> set[str]:
    """Return those of the keys that are segments of the journal which the table does not note."""
    segments = {size: key for key in keys if (size := size_of(key)) is not None}
    noted = set(session.exec(select(TreeSegment.size).where(col(TreeSegment.size).in_(segments))))
    return {key for size, key in segments.items() if size not in noted}


def _roll_call(platform: Platform, place: Place, after: str, budget: Budget) -> Look:
    asked = (
        select(Record, RecordCopy.version_id)
        .join(RecordCopy)
        .where(RecordCopy.place == place.name, col(Record.eliminated).is_(None), col(RecordCopy.record_id) > after)
    )
    with platform.database.reading(PLATFORM) as session:
        rows = list(session.exec(asked.order_by(col(RecordCopy.record_id)).limit(budget.count)))
    troubles = [_called(place, record, version) for record, version in rows]
    cursor = f"{_COPIES}{rows[-1][0].id}" if rows else None
    return Look(len(rows), 0, tuple(trouble for trouble in troubles if trouble is not None), cursor)


def _called(place: Place, record: Record, version: str) -> Trouble | None:
    standing = place.store.versions(record.key)
    meant = next((one for one in standing if one.version_id == version), None)
    facts = {"record": record.id, "version": version, "expected": record.sha256}
    if meant is None:
        return Trouble(Kind.COPY_MISSING, place.name, record.key, facts, record.organisation_id)
    if not meant.on_top:
        above = next((one for one in standing if one.on_top), meant)
        facts |= {"on_top": "marker" if above.is_marker else above.version_id}
        return Trouble(Kind.COPY_HIDDEN, place.name, record.key, facts, record.organisation_id)
    return None
