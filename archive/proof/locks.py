"""The locks of what proofs keep under lock beside the packages, before they end: segments of the journal, batches of evidence.

Both are kept for ever, so their locks are always extended; those of packages and of statements have their own run
(`archive.places.extending`). One that cannot be extended is an incident, and stops no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, cast

import structlog
from sqlalchemy import literal, tuple_
from sqlmodel import col, select

from archive.models import EvidenceStamp, TreeSegment
from archive.places.extending import lengthened
from archive.places.places import Place, places_of
from archive.watch.incidents import Kind, open_incident
from core import clock
from core.blobs import ObjectMissing
from core.database import UtcDateTime
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM

ACTOR, QUEUE, EVERY = "archive.proof.locks", "archive", timedelta(minutes=10)
AT_ONCE = 1000
"""Objects of a kind whose locks are extended in one run."""
_LOOKED_AT = 10
"""Times as many are looked at in one run, where some cannot be extended."""
_PAGE = 100
_log = structlog.get_logger()
Row = TreeSegment | EvidenceStamp


def extend_due(platform: Platform, limit: int = AT_ONCE) -> int:
    """Extend the locks that end before half of their time, those that end first before the others; return how many there were.

    A lock that a place does not extend opens an incident, and one whose place is silent does once a quarter of its time is left;
    either has its turn again at the next run.
    """
    places = {place.name: place for place in places_of(platform)}
    return sum(_extend(platform, places, model, limit) for model in (TreeSegment, EvidenceStamp))


def _extend(platform: Platform, places: dict[str, Place], model: type[Row], limit: int) -> int:
    horizon = timedelta(days=platform.settings.archive_lock_days)
    extended, silent = 0, set[str]()
    for row in islice(_due(platform, model, clock.now() + horizon / 2), _LOOKED_AT * limit):
        known = [name for name in row.copies if name in places]
        ends = [_lengthened(platform, places[name], row, horizon, silent) for name in known]
        whole = [end for end in ends if end is not None]
        if whole and len(whole) == len(known):
            _write_down(platform, row, min(whole))
            extended += 1
        if extended >= limit:
            break
    return extended


def _due(platform: Platform, model: type[Row], before: datetime) -> Iterator[Row]:
    """Yield the rows whose locks end before a moment, those that end first before the others, each once."""
    order = col(model.locked_until), col(_identity(model))
    asked: Any = select(model).where(col(model.locked_until) < literal(before, UtcDateTime())).order_by(*order).limit(_PAGE)
    rows: list[Row] = []
    while True:
        later = asked
        if rows:
            last = literal(rows[-1].locked_until, UtcDateTime()), literal(_identity(rows[-1]))
            later = asked.where(tuple_(*order) > tuple_(*last))
        with platform.database.reading(PLATFORM) as session:
            rows = list(session.exec(later))
        if not rows:
            return
        yield from rows


def _lengthened(platform: Platform, place: Place, row: Row, horizon: timedelta, silent: set[str]) -> datetime | None:
    """Extend a lock in one place; return until when, or None when that place did not."""
    if place.name in silent:
        return None
    try:
        return lengthened(place, row.key, row.copies[place.name], clock.now() + horizon)
    except Unavailable as error:
        silent.add(place.name)
        _log.warning("locks.place_silent", place=place.name, reason=str(error))
        if row.locked_until is not None and row.locked_until < clock.now() + horizon / 4:
            _tell(platform, place, "", row, error)
    except (ObjectMissing, Misconfigured) as error:
        _tell(platform, place, row.key, row, error)
    return None


def _write_down(platform: Platform, row: Row, until: datetime) -> None:
    with platform.database.writing(PLATFORM) as session:
        current = cast("Row", session.get_one(type(row), _identity(row), with_for_update=True))
        if current.copies == row.copies:  # not brought to another place meanwhile
            current.locked_until = until


def _tell(platform: Platform, place: Place, subject: str, row: Row, error: Exception) -> None:
    facts = {"until": clock.iso(row.locked_until or clock.now()), "code": type(error).__name__}
    with platform.database.writing(PLATFORM) as session:
        open_incident(session, organisation_id=None, kind=Kind.LOCK_SHORT, place=place.name, subject=subject, facts=facts)


def _identity(row: Any) -> Any:
    """Return the key of a row, or the column that holds it."""
    return row.size if row is TreeSegment or isinstance(row, TreeSegment) else row.id
