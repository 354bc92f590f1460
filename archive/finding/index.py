"""The index of records: which of their facts become tokens, and keeping them in step with what happens to a record.

What lives here: adding, marking, taking words out, building anew. What does not: questions (`archive.finding.search`), how each
database keeps tokens (`archive.finding.matching`). The index holds nothing that the packages and the table of records do not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable
from datetime import date
from pathlib import Path

from sqlalchemy import ColumnElement, delete, func, text, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.describing import Description, describe
from archive.finding import matching
from archive.finding.matching import Entry
from archive.finding.models import IndexedRecord, RecordState
from archive.finding.words import day_tokens, facet, tokens_of
from archive.models import Record
from archive.places.places import fetch
from archive.retention.models import RecordHeld, RecordHold
from core.platform import Platform
from core.principal import PLATFORM

ALL = "all:"
"""The token of every record: a question has to ask for something."""
CONFIDENTIAL = "confidential:"
WITHHELD = "withheld:"
_AT_ONCE = 100
# Each gives the record's number, and the path of its organisation.
_ADD_IF_NEW = text(
    "INSERT INTO indexed_record (record_id, organisation_id, kind, producer, year, state)"
    " VALUES (:record_id, :organisation_id, :kind, :producer, :year, :state)"
    " ON CONFLICT (record_id) DO NOTHING"
    " RETURNING number, (SELECT path FROM organisation WHERE id = :organisation_id) AS path"
)
_OF_RECORD = text(
    "SELECT number, (SELECT path FROM organisation WHERE id = :organisation_id) AS path"
    " FROM indexed_record WHERE record_id = :record_id"
)


def add(session: Session, record: Record, description: Description) -> None:
    """Index a record in the session's transaction; one that is there is indexed anew, under the number that it has.

    Args:
        session: a writing one, in which the record was flushed.
        record: it.
        description: what its package says.
    """
    words = tokens_of((record.title, *description.words, *(file.name for file in description.files), *_identifiers(record)))
    _put(session, record, RecordState.ELIMINATED if record.eliminated else RecordState.KEPT, words)


def mark(session: Session, record_id: str, state: RecordState) -> None:
    """Say where a record stands now: held, or kept again; one that is not indexed yet will be with what holds then."""
    found = (
        session.connection()
        .execute(select(IndexedRecord.number, IndexedRecord.state).where(IndexedRecord.record_id == record_id))
        .first()
    )
    if found is not None and found.state != state:
        matching.swap(session.connection(), found.number, [facet("state", found.state)], [facet("state", state)])
        _write(session, record_id, state)


def follow_rules(session: Session, record: Record, before: Collection[str]) -> None:
    """Say by what rules a record is kept and hidden now; one that is not indexed yet will be with what its row says then.

    Args:
        session: a writing one, in which the record was flushed.
        record: it, as it was changed.
        before: what ``ruled`` said of it before.
    """
    wanted = select(IndexedRecord.number).where(IndexedRecord.record_id == record.id)
    number = session.connection().execute(wanted).scalar()
    if number is not None:
        matching.swap(session.connection(), number, before, ruled(record))


def remove(session: Session, record_id: str) -> None:
    """Take the words of an eliminated record out of the index: only its facts of management find it from now on."""
    record = session.get_one(Record, record_id)
    _put(session, record, RecordState.ELIMINATED, ())
    _write(session, record_id, RecordState.ELIMINATED)


def clear(session: Session) -> None:
    """Take everything out of the index; ``rebuild`` fills it."""
    matching.take_all(session.connection())
    session.connection().execute(delete(IndexedRecord))


def rebuild(platform: Platform, progress: Callable[[int, int], None] | None = None) -> int:
    """Index every record that is not indexed yet, oldest first, from its package; stopped, it goes on where it stopped.

    Args:
        platform: whose records.
        progress: told how many of the missing records are done, and how many there are.

    Returns:
        How many were indexed.

    Raises:
        ObjectMissing, ObjectAltered: no place holds a package whole; those before it are indexed.
        Unavailable: no place that answers holds it whole.
    """
    with platform.database.reading(PLATFORM) as session:
        missing = session.exec(select(func.count()).select_from(Record).where(_not_indexed())).one()
    done = 0
    while batch := _batch(platform):
        for record in batch:
            _index(platform, record)
            done += 1
            if progress is not None:
                progress(done, missing)
    return done


def _index(platform: Platform, record: Record) -> None:
    if record.eliminated is not None:
        with platform.database.writing(PLATFORM) as session:
            remove(session, record.id)
        return
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        fetch(platform, record, package)
        description = describe(package)
    with platform.database.writing(PLATFORM) as session:
        add(session, record, description)
        if session.exec(_holds_on(record.id)).first() is not None:
            mark(session, record.id, RecordState.HELD)


def _holds_on(record_id: str) -> SelectOfScalar[str]:
    holds = select(RecordHold.id).join(RecordHeld, col(RecordHeld.hold_id) == col(RecordHold.id))
    return holds.where(RecordHeld.record_id == record_id, col(RecordHold.lifted).is_(None)).limit(1)


def _batch(platform: Platform) -> list[Record]:
    with platform.database.reading(PLATFORM) as session:
        wanted = select(Record).where(_not_indexed()).order_by(col(Record.sealed), col(Record.id)).limit(_AT_ONCE)
        return list(session.exec(wanted))


def _not_indexed() -> ColumnElement[bool]:
    return ~select(IndexedRecord.number).where(IndexedRecord.record_id == Record.id).exists()


def _put(session: Session, record: Record, state: RecordState, words: Iterable[str]) -> None:
    """Write the words of a record with its facts of management, in place of those that it had."""
    connection = session.connection()
    given = {
        "record_id": record.id,
        "organisation_id": record.organisation_id,
        "kind": record.kind,
        "producer": record.producer,
        "year": record.dated.year,
        "state": state.value,
    }
    added = connection.execute(_ADD_IF_NEW, given).first()
    if added is None:
        added = connection.execute(_OF_RECORD, given).one()
        matching.take(connection, added.number)
    facets = facets_of(record, added.path, state)
    matching.put(connection, [Entry(added.number, record.organisation_id, [*facets, *words])])


def _write(session: Session, record_id: str, state: RecordState) -> None:
    session.connection().execute(update(IndexedRecord).where(col(IndexedRecord.record_id) == record_id).values(state=state.value))


def _identifiers(record: Record) -> tuple[str, ...]:
    return tuple(name for name in (record.id, record.dossier_id, record.producer) if name)


def facets_of(record: Record, path: str, state: RecordState) -> list[str]:
    """Return the tokens of a record's facts of management.

    Args:
        record: it.
        path: of its organisation: it is found by every organisation above.
        state: where it stands.
    """
    return [
        ALL,
        *(facet("org", above) for above in path.strip("/").split("/")),
        facet("own", record.organisation_id),
        facet("kind", record.kind),
        facet("producer", record.producer),
        facet("year", str(record.dated.year)),
        *ruled(record),
        facet("state", state),
        *((CONFIDENTIAL,) if record.confidential else ()),
        *((WITHHELD,) if record.withheld else ()),
    ]


def ruled(record: Record) -> list[str]:
    """Return the tokens of what its rules say of a record, which a correction may change (`archive.correction`)."""
    return [
        facet("rule", record.rule),
        facet("final", record.final_action),
        *_day("due", record.keep_until),
        *_day("open", record.open_from),
    ]


def _day(name: str, day: date | None) -> list[str]:
    return day_tokens(name, day) if day else []
