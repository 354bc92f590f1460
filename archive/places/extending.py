"""The extension of locks, before they end: a scheduled run.

A lock is never shortened. What is kept for ever has one that always reaches ahead, renewed when less than half of it is left;
what is destroyed one day has one until that day. What is eliminated, or due to be, is left alone. Statements are kept
for ever, and each has its turn (`archive.places.statements`); what was found of a package that was eliminated since names what it
held, and is removed once its lock has ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import structlog
from sqlalchemy import and_, func, literal, not_, or_, tuple_
from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from archive.models import Record, RecordCopy
from archive.places import locks, statements
from archive.places.locks import Removal
from archive.places.places import Place, lock_due, places_of
from archive.watch.incidents import Kind, open_incident
from core import clock, journal
from core.blobs import ObjectMissing
from core.database import ScopedSession, UtcDateTime
from core.errors import Conflict, Misconfigured, Unavailable
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction

ACTOR, QUEUE, EVERY = "archive.locks", "archive", timedelta(hours=1)
EXTENDED = "archive.lock_extended"
"""The journal entry of a batch of extensions: how many, where, until when, and the digest of the names."""
REMOVED = "archive.transfer_statement_removed"
"""The journal entry of a statement that followed the package that it was about."""
_log = structlog.get_logger()
_BATCH = 200
_MOST = 20_000
"""Copies that one run looks at in one place; the next run goes on."""
_WHOLE = timedelta(seconds=1)
One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class _Due:
    """A copy whose lock is to be extended, and until when."""

    record: Record
    copy: RecordCopy
    until: datetime


def extend(platform: Platform, _key: str = "") -> None:
    """Extend the locks that are due, place by place; a place that does not answer does not stop the others.

    May be stopped at any moment and run again: what the store was asked already stands there, and is written down next time.
    """
    for place in places_of(platform):
        try:
            place.store.prepare()
            _extend_records(platform, place)
            _extend_statements(platform, place)
        except (Unavailable, Misconfigured) as error:
            _log.warning("locks.place_silent", place=place.name, reason=str(error))
            _tell_silent(platform, place, type(error).__name__)


def _extend_records(platform: Platform, place: Place) -> None:
    after: tuple[datetime, str] | None = None
    for _ in range(_MOST // _BATCH):
        due = _due(platform, place, after)
        if not due:
            return
        after = due[-1].copy.locked_until, due[-1].record.id
        _extend_batch(platform, place, due)


def _extend_batch(platform: Platform, place: Place, due: Sequence[_Due]) -> None:
    extended, failed, silent = _each(due, lambda one: lengthened(place, one.record.key, one.copy.version_id, one.until))
    if extended:
        _write_down(platform, place, extended)
    _tell_failed(platform, place, failed)
    if silent is not None:
        raise silent


def _each(
    due: Sequence[One], act: Callable[[One], datetime]
) -> tuple[list[tuple[One, datetime]], list[tuple[One, str]], Unavailable | None]:
    """Extend one after the other, until the place goes silent; what was done by then is told as well."""
    extended, failed = list[tuple[One, datetime]](), list[tuple[One, str]]()
    for one in due:
        try:
            extended.append((one, act(one)))
        except Unavailable as error:
            return extended, failed, error
        except (ObjectMissing, Misconfigured) as error:
            failed.append((one, type(error).__name__))
    return extended, failed, None


def _extend_statements(platform: Platform, place: Place) -> None:
    horizon = timedelta(days=platform.settings.archive_lock_days)
    due = statements.due(place, clock.now(), horizon)
    while batch := list(islice(due, _BATCH)):
        of_destroyed = statements.of_destroyed(platform, [version.key for version, _ in batch])
        for key in dict.fromkeys(one.key for one, ends in batch if one.key in of_destroyed and ends <= clock.now()):
            _remove(platform, of_destroyed[key], key)
        extended, failed, silent = _each(
            [one for one in batch if one[0].key not in of_destroyed],
            lambda one: lengthened(place, one[0].key, one[0].version_id, clock.now() + horizon),
        )
        with platform.database.writing(PLATFORM) as session:
            if extended:
                _tell(session, place, "statements", [(f"{one.key} {one.version_id}", until) for (one, _), until in extended])
            for (one, ends), code in failed:
                subject, facts = one.key, {"until": clock.iso(ends), "code": code}
                open_incident(session, organisation_id=None, kind=Kind.LOCK_SHORT, place=place.name, subject=subject, facts=facts)
        if silent is not None:
            raise silent


def _remove(platform: Platform, record: Record, key: str) -> None:
    """Remove what was found of a package from every place at once: one that still has it would be copied back to the others."""
    try:
        removed = locks.remove_key(platform, key)
    except (Conflict, Unavailable, Misconfigured) as error:
        _log.warning("statement.kept", key=key, reason=str(error))
        return
    if not set(removed.values()) <= {Removal.REMOVED, Removal.ABSENT}:
        return
    facts = {"record": record.id, "places": {place: result.value for place, result in sorted(removed.items())}}
    owner, dossier = record.organisation_id, record.dossier_id
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=owner, dossier_id=dossier, kind=REMOVED, actor="platform", facts=facts)


def lengthened(place: Place, key: str, version_id: str, until: datetime) -> datetime:
    """Lock a version until a moment at least, and return until when it is.

    Raises:
        ObjectMissing: that version is not there.
        Misconfigured: the place does not lock it so long.
        Unavailable: the place does not answer.
    """
    try:
        return place.store.extend(key, version_id, until)
    except Misconfigured:
        # A lock that reaches further already cannot be set to this: somebody, or a run that was stopped, was here before.
        found = place.store.lock_of(key, version_id).until
        if found is None or found < until - _WHOLE:
            raise
        return found


def _write_down(platform: Platform, place: Place, extended: Sequence[tuple[_Due, datetime]]) -> None:
    with platform.database.writing(PLATFORM) as session:
        entry = _tell(session, place, "records", [(one.record.id, until) for one, until in extended])
        for one, until in extended:
            copy = session.get(RecordCopy, (one.record.id, place.name))
            if copy is not None and copy.version_id == one.copy.version_id:  # not mended by another version meanwhile
                copy.locked_until, copy.extension_id = until, entry


def _tell(session: ScopedSession, place: Place, what: str, extended: Sequence[tuple[str, datetime]]) -> str:
    """Write a batch into the journal: how many, and the SHA-256 of their names, sorted, a line each; return the entry."""
    names = "\n".join(sorted(name for name, _ in extended))
    moments = [until for _, until in extended]
    facts = {
        "place": place.name,
        what: len(extended),
        "digest": hashlib.sha256(names.encode()).hexdigest(),
        "earliest": clock.iso(min(moments)),
        "latest": clock.iso(max(moments)),
    }
    root = select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)
    return journal.write(session, organisation_id=session.exec(root).one(), kind=EXTENDED, actor="platform", facts=facts)


def _tell_failed(platform: Platform, place: Place, failed: Sequence[tuple[_Due, str]]) -> None:
    told = [(one, code) for one, code in failed if one.copy.locked_until < clock.now() + _half(platform)]
    if not told:
        return
    with platform.database.writing(PLATFORM) as session:
        for one, code in told:
            open_incident(
                session,
                organisation_id=one.record.organisation_id,
                kind=Kind.LOCK_SHORT,
                place=place.name,
                subject=one.record.key,
                facts={"record": one.record.id, "until": clock.iso(one.copy.locked_until), "code": code},
            )


def _tell_silent(platform: Platform, place: Place, code: str) -> None:
    """Open an incident when a place that cannot be reached has a lock that ends soon: half of the time to renew is over."""
    asked = _overdue(platform).where(RecordCopy.place == place.name)
    with platform.database.reading(PLATFORM) as session:
        first = session.exec(asked.order_by(col(RecordCopy.locked_until)).limit(1)).first()
    if first is None:
        return
    facts = {"until": clock.iso(first[1].locked_until), "code": code}
    with platform.database.writing(PLATFORM) as session:
        open_incident(session, organisation_id=None, kind=Kind.LOCK_SHORT, place=place.name, subject="", facts=facts)


def _due(platform: Platform, place: Place, after: tuple[datetime, str] | None) -> list[_Due]:
    order = col(RecordCopy.locked_until), col(RecordCopy.record_id)
    asked = _asked(platform).where(RecordCopy.place == place.name)
    if after is not None:
        asked = asked.where(tuple_(*order) > tuple_(literal(after[0], UtcDateTime()), literal(after[1])))
    horizon = clock.now() + timedelta(days=platform.settings.archive_lock_days)
    with platform.database.reading(PLATFORM) as session:
        rows = session.exec(asked.order_by(*order).limit(_BATCH)).all()
    return [_Due(record, copy, lock_due(record) or horizon) for record, copy in rows]


def _asked(platform: Platform) -> Select[Record, RecordCopy]:
    """Return what chooses the copies, with their records, whose lock is to be extended now."""
    now = clock.now()
    locked = col(RecordCopy.locked_until)
    ends = and_(col(Record.final_action) == FinalAction.DESTROY.value, col(Record.keep_until).is_not(None))
    reaches = locked >= literal(now + _half(platform), UtcDateTime())
    # A lock that was extended ends in the midnight of UTC after the last day: days are all that is compared, on either database.
    day = func.date(locked) if platform.database.is_sqlite else func.date(func.timezone("UTC", locked))
    to_its_end = and_(ends, col(Record.keep_until) >= now.date(), day <= col(Record.keep_until))
    return (
        select(Record, RecordCopy)
        .join(RecordCopy, col(RecordCopy.record_id) == col(Record.id))
        .where(col(Record.eliminated).is_(None), or_(to_its_end, and_(not_(ends), not_(reaches))))
    )


def _overdue(platform: Platform) -> Select[Record, RecordCopy]:
    """Return what chooses those of which half of the time to extend them is over."""
    return _asked(platform).where(col(RecordCopy.locked_until) < literal(clock.now() + _half(platform) / 2, UtcDateTime()))


def overdue(platform: Platform) -> dict[str, tuple[int, datetime]]:
    """Return, by place that has any, how many locks end soon that should have been extended, and when the first ends."""
    place, until = col(RecordCopy.place), col(RecordCopy.locked_until)
    asked = _overdue(platform).with_only_columns(place, func.count(), func.min(until)).group_by(place)
    with platform.database.reading(PLATFORM) as session:
        return {name: (count, first) for name, count, first in session.execute(asked)}


def _half(platform: Platform) -> timedelta:
    return timedelta(days=platform.settings.archive_lock_days) / 2
