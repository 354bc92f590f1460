"""Eliminations that a restored backup does not know to have gone on: what was decided, and what is left of records and lists.

What lives here: visas, as their statements under lock say them, and what followed, as the journal tells it. What does not:
proposals and agreements that no visa followed, which are made again; records that the backup never had
(`archive.rebuilding.records`), and the working copies of dossiers, which follow from the lines (``flows.emptying``).
"""

from __future__ import annotations

import json

from sqlalchemy import delete
from sqlmodel import Session, col, select

from archive.elimination.deciding import AGREED, PROPOSED, STATEMENT
from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import Outcome, State
from archive.finding import index
from archive.models import Record, RecordCopy, RecordFile
from archive.places import statements
from core import journal
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM


def decide(platform: Platform, entry: JournalEntry) -> None:
    """Write the visa on a list, where there is one that bears none, with what it was given to: proposal, agreement, lines.

    Raises:
        ObjectMissing, ObjectAltered: the statement that the journal names is in no place, or is another one.
        Unavailable: no place that answers has it.
    """
    named = entry.facts
    with platform.database.reading(PLATFORM) as session:
        known = session.get(Elimination, named["elimination"])
    if known is None or known.visa is not None:
        return
    said = json.loads(statements.read(platform, STATEMENT, named["statement"], named["sha256"]))
    with platform.database.writing(PLATFORM) as session:
        elimination = session.get_one(Elimination, known.id)
        proposed, agreed = (_told_before(session, entry, kind) for kind in (PROPOSED, AGREED))
        elimination.proposed, elimination.proposed_by = proposed.at, proposed.actor
        elimination.listing, elimination.bordereau = said["list"], said["bordereau"]
        elimination.agreed, elimination.agreed_by = agreed.at, agreed.actor
        elimination.visa, elimination.visa_by, elimination.visa_reference = entry.at, entry.actor, said["reference"] or None
        elimination.visa_document, elimination.visa_statement = said["document"], named["sha256"]
        elimination.state = (State.VISA if said["accepted"] else State.REFUSED).value
        accepted, refused = set(said["accepted"]), set(said["refused"])
        for line in session.exec(select(EliminationLine).where(EliminationLine.elimination_id == elimination.id)):
            line.chosen = line.record_id in accepted | refused
            line.accepted = line.record_id in accepted if line.chosen else None


def _told_before(session: Session, visa: JournalEntry, kind: str) -> JournalEntry:
    """Return the entry of a kind that led to a visa: the last one before it.

    There may be others: what no visa followed is proposed and agreed to again, after each restored backup.
    """
    about = (journal.about(visa.facts["elimination"]), JournalEntry.kind == kind, col(JournalEntry.number) < visa.number)
    return session.exec(select(JournalEntry).where(*about).order_by(col(JournalEntry.number).desc()).limit(1)).one()


def order(session: Session, entry: JournalEntry) -> None:
    """Say of a list, where there is one, that what its visa accepts is being destroyed."""
    elimination = session.get(Elimination, entry.facts["elimination"])
    if elimination is not None and elimination.ordered is None:
        elimination.state, elimination.ordered, elimination.ordered_by = State.EXECUTING.value, entry.at, entry.actor


def abandon(session: Session, entry: JournalEntry) -> None:
    """Say of a list, where there is one, that it was given up."""
    elimination = session.get(Elimination, entry.facts["elimination"])
    if elimination is not None:
        elimination.state = State.ABANDONED.value


def destroy(session: Session, entry: JournalEntry) -> None:
    """Leave of a record the traces of its destruction, and write on its line, where there is one, what became of it."""
    record = session.get_one(Record, entry.facts["record"])
    if record.eliminated is not None:
        return
    named = session.exec(select(RecordFile.sha256).where(RecordFile.record_id == record.id)).all()
    for table in (RecordFile, RecordCopy):
        session.connection().execute(delete(table).where(col(table.record_id) == record.id))
    record.title, record.eliminated = "", entry.at
    session.flush()
    index.remove(session, record.id)
    line = session.get(EliminationLine, (entry.facts["elimination"], record.id))
    if line is not None:
        line.outcome, line.settled, line.waits_until = Outcome.DESTROYED.value, entry.at, None
        line.result = {"places": entry.facts["places"]}
        line.contents = sorted({digest for digest in named if digest} | {record.sha256})


def conclude(session: Session, entry: JournalEntry) -> None:
    """Say of a list, where there is one, that it came to its end; its certificate is a record like any other."""
    elimination = session.get(Elimination, entry.facts["elimination"])
    if elimination is not None:
        elimination.state, elimination.ended = State.DONE.value, entry.at
        elimination.record_id, elimination.certificate = entry.facts["record"], entry.facts["certificate"]
