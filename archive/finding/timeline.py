"""What happened to a record, from the journal: its dossier's entries, its own, and those of what it was part of.

What lives here: which entries are a record's. What does not: their words (``journal.*`` in the catalogue of the pages).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, col, select

from archive.elimination.deciding import ORDERED
from archive.elimination.models import EliminationLine
from archive.models import Record, RecordCopy
from archive.retention.models import RecordHeld
from archive.watch.models import Incident
from core.journal import JournalEntry, about

_MOST, _MOST_INCIDENTS = 500, 50


def timeline(session: Session, record: Record) -> list[JournalEntry]:
    """Return the last journal entries of a record, oldest first; of incidents those of the last ones.

    Args:
        session: the platform's own: a hold or an elimination may be that of an organisation above, and the extension of locks
            is the platform's. What an entry says of other records is not for whoever reads this one: its kind and its moment are.
        record: one that may be read.
    """
    found = dict[str, JournalEntry]()
    for condition in _conditions(session, record):
        own = select(JournalEntry).where(condition).order_by(col(JournalEntry.number).desc()).limit(_MOST)
        found |= {entry.id: entry for entry in session.exec(own)}
    return sorted(found.values(), key=lambda entry: entry.number or 0)[-_MOST:]


def _conditions(session: Session, record: Record) -> Iterator[Any]:
    """Yield what chooses the entries, each condition answered from an index in the order of the journal."""
    if record.dossier_id:
        yield JournalEntry.dossier_id == record.dossier_id
    yield about(record.id)
    incidents = select(Incident.id).where(Incident.record_id == record.id).order_by(col(Incident.opened).desc())
    holds = select(RecordHeld.hold_id).where(RecordHeld.record_id == record.id)
    for identifier in (*session.exec(holds), *session.exec(incidents.limit(_MOST_INCIDENTS))):
        yield about(identifier)
    listed = select(EliminationLine).where(EliminationLine.record_id == record.id, EliminationLine.chosen)
    for line in session.exec(listed):
        refused = line.accepted is False
        yield about(line.elimination_id) & (col(JournalEntry.kind) != ORDERED) if refused else about(line.elimination_id)
    extended = select(RecordCopy.extension_id).where(RecordCopy.record_id == record.id)
    named = [entry for entry in session.exec(extended) if entry is not None]
    # The entry of a sealing by an earlier version of this software does not name the record.
    yield col(JournalEntry.id).in_([record.entry_id, *named])
