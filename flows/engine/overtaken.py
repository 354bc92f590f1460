"""Dossiers that a restored backup has as they were: the journal tells that more has happened since.

What lives here: setting them aside, and which of them the backup does not have at all. What does not: the journal's end, which is
brought back below (`archive.rebuilding.catching_up`).

From the state that the backup has, a stage could send off again what has left. So the dossier is parked, and hears no event
either, until an operator has looked at what the journal says, and resumes it (`flows.engine.transitions.resume`), or considers it
sent (`flows.engine.departed`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, update
from sqlmodel import Session

from archive.models import Record
from core import clock, journal
from core.database import Database
from core.journal import JournalEntry
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.engine.models import Dossier, Step
from flows.engine.table import End, Flow

OVERTAKEN, CONCLUDED, RESUMED = "dossier.overtaken", "dossier.concluded", "dossier.resumed"
"""The journal entries of a dossier that was set aside so, of one of them that is archived, and of one that was taken up again."""
_SEALED = "sealed"
_messages = Catalogue("flows.engine")
_MOST_SHOWN, _LONGEST = 8, 1000
_dossier: Table = Dossier.__table__  # type: ignore[attr-defined]
_step: Table = Step.__table__  # type: ignore[attr-defined]
_entry: Table = JournalEntry.__table__  # type: ignore[attr-defined]
_record: Table = Record.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Missing:
    """A dossier that the journal tells of and the database does not have.

    Attributes:
        entries: how many are about it.
        last: what the last of them says: its kind.
        at: when.
    """

    id: str
    organisation_id: str
    entries: int
    last: str
    at: datetime


def resumed_since(database: Database, dossier_id: str, moment: datetime) -> bool:
    """Tell whether somebody has resumed a dossier since a moment: an answer to what they had been asked then."""
    resumed = _entry.c.dossier_id == dossier_id, _entry.c.kind == RESUMED, _entry.c.at > moment
    with database.reading(PLATFORM) as session:
        return session.connection().execute(select(_entry.c.id).where(*resumed).limit(1)).first() is not None


def set_aside(
    session: Session, mark: JournalEntry, dossiers: Collection[str], flows: Mapping[str, Flow], words: Callable[[str], str]
) -> None:
    """Park, in the session's transaction, those of some dossiers that may still move, with what the journal says since a mark.

    Args:
        session: a writing one.
        mark: the journal entry after which everything is news.
        dossiers: those that news are about; some may not be there.
        flows: all that there are, by their names.
        words: says the kind of a journal entry in words.
    """
    connection = session.connection()
    for dossier_id in sorted(dossiers):
        row = connection.execute(select(_dossier).where(_dossier.c.id == dossier_id).with_for_update()).first()
        if row is None or isinstance(flows[row.flow].rows[row.state], End):
            continue
        connection.execute(delete(_step).where(_step.c.dossier_id == dossier_id))
        reason = _reason(connection, mark, dossier_id, words)
        connection.execute(update(_dossier).where(_dossier.c.id == dossier_id).values(parked=reason, overtaken=True))
        own = select(_entry.c.id).where(*_by(mark), _entry.c.dossier_id == dossier_id)
        if connection.execute(own).first() is None:
            facts = {"caught_up": mark.id, "state": row.state}
            owner = row.organisation_id
            journal.write(session, organisation_id=owner, dossier_id=dossier_id, kind=OVERTAKEN, actor="platform", facts=facts)


def conclude(session: Session, flows: Mapping[str, Flow]) -> int:
    """Bring the dossiers that were set aside and whose record is sealed to their end, in the session's transaction.

    Nothing is left to be done for them: performed again, they would be sent and sealed a second time. Where a flow seals on two
    ways, the journal tells which was taken.

    Args:
        session: a writing one.
        flows: all that there are, by their names.

    Returns:
        How many there were.
    """
    connection = session.connection()
    sealed = select(_dossier).join(_record, _record.c.dossier_id == _dossier.c.id).where(_dossier.c.overtaken)
    rows = connection.execute(sealed.order_by(_dossier.c.id)).all()
    for row in rows:
        values = {"state": _end_of(connection, flows[row.flow], row.id), "since": clock.now(), "parked": None, "overtaken": False}
        connection.execute(update(_dossier).where(_dossier.c.id == row.id).values(values))
        owner, facts = row.organisation_id, {"from": row.state, "state": values["state"]}
        journal.write(session, organisation_id=owner, dossier_id=row.id, kind=CONCLUDED, actor="platform", facts=facts)
    return len(rows)


def _end_of(connection: Connection, flow: Flow, dossier_id: str) -> str:
    told = select(_entry.c.kind).where(_entry.c.dossier_id == dossier_id)
    kinds = set(connection.execute(told).scalars())
    ends = [row.state for row in flow.rows.values() if isinstance(row, End) and row.good]
    other = [row.leads[_SEALED] for row in flow.rows.values() if _SEALED in row.leads and f"{flow.name}.{row.state}" in kinds]
    return next((state for state in other if isinstance(flow.rows[state], End)), ends[0])


def count(session: Session, mark: JournalEntry) -> int:
    """Return how many dossiers are set aside on account of what came after a mark."""
    still = select(func.count()).select_from(_entry).join(_dossier, _dossier.c.id == _entry.c.dossier_id)
    return int(session.connection().execute(still.where(*_by(mark), _dossier.c.overtaken)).scalar_one())


def standing(session: Session) -> int:
    """Return how many dossiers are set aside so, on whatever account: each waits for an operator."""
    return int(session.connection().execute(select(func.count()).select_from(_dossier).where(_dossier.c.overtaken)).scalar_one())


def missing(session: Session, mark: JournalEntry) -> Iterator[Missing]:
    """Yield the dossiers that entries after a mark are about and that are not there, in the order of the last of these."""
    unknown = ~select(_dossier.c.id).where(_dossier.c.id == _entry.c.dossier_id).exists()
    news = (_entry.c.number > mark.number, _entry.c.dossier_id.is_not(None), unknown)
    grouped = select(func.count().label("entries"), func.max(_entry.c.number).label("last")).where(*news)
    lasts = grouped.group_by(_entry.c.dossier_id).subquery()
    rows = select(_entry, lasts.c.entries).join(lasts, _entry.c.number == lasts.c.last).order_by(_entry.c.number)
    for row in session.connection().execute(rows):
        yield Missing(row.dossier_id, row.organisation_id, row.entries, row.kind, row.at)


def _by(mark: JournalEntry) -> tuple[ColumnElement[bool], ...]:
    told = _entry.c.facts["caught_up"].as_string() == mark.id
    return _entry.c.number > mark.number, _entry.c.kind == OVERTAKEN, told


def _reason(connection: Connection, mark: JournalEntry, dossier_id: str, words: Callable[[str], str]) -> str:
    """Return what a person is told: the last things that happened, as many as there is room for."""
    news = (_entry.c.dossier_id == dossier_id, _entry.c.number > mark.number, _entry.c.kind != OVERTAKEN)
    rows = connection.execute(select(_entry.c.at, _entry.c.kind).where(*news).order_by(_entry.c.number)).all()
    shown = [f"{clock.in_paris(row.at):%d/%m/%Y %H:%M} {words(row.kind)}" for row in rows[-_MOST_SHOWN:]]
    return _messages.counted("dossier.overtaken", len(rows), count=len(rows), last="; ".join(shown))[:_LONGEST]
