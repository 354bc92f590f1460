"""Eliminations that a restored backup does not know to have taken place: what they left of records, lines and lists.

What lives here: the traces, as the journal tells them. What does not: records that the backup never had
(`archive.rebuilding.records`), and the working copies of dossiers, which follow from the lines (``flows.emptying``).
"""

from __future__ import annotations

from sqlalchemy import delete
from sqlmodel import Session, col, select

from archive.elimination.models import Elimination, EliminationLine
from archive.elimination.states import Outcome, State
from archive.finding import index
from archive.models import Record, RecordCopy, RecordFile
from core.journal import JournalEntry


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
