"""What was destroyed is looked for once more, some days later, in every place; what stands there again is removed.

Another process may have been writing a copy of a record while this one was destroyed (`archive.watch.restoring`): it finds out
once the copy stands, under a lock of a day at least, so that nobody can take it away at once; it may have been stopped before.
So each destroyed line is looked at again when all of that is over, however it came about.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from sqlalchemy import literal_column
from sqlmodel import col, select

from archive.elimination.models import EliminationLine
from archive.elimination.states import Outcome
from archive.models import Record
from archive.places import locks
from archive.places.locks import Removal
from core import clock, journal
from core.errors import Misconfigured, TabellionError, Unavailable
from core.platform import Platform
from core.principal import PLATFORM

REMOVED = "record.remnant_removed"
"""The journal entry of a copy that was found after the destruction of its record, and removed."""
AFTER = timedelta(days=2)
"""Longer than the lock of a copy that was written meanwhile, with the time that it took to write it."""
_log = structlog.get_logger()
_AT_A_TURN = 200
_LATER = timedelta(hours=1)
_GONE = frozenset({Removal.REMOVED, Removal.ABSENT})
Line = tuple[str, str]
"""An elimination, and a record that it destroyed."""


def look(platform: Platform) -> None:
    """Look for what was destroyed some days ago, those destroyed first; a bounded number of records.

    A place that does not answer ends the turn: each other record would wait for it in vain, and destructions with them.
    """
    now = clock.now()
    waits = col(EliminationLine.waits_until)
    due = select(EliminationLine.elimination_id, EliminationLine.record_id).where(
        col(EliminationLine.outcome) == literal_column(f"'{Outcome.DESTROYED.value}'"),  # the index of these holds no other
        col(EliminationLine.verified).is_(None),
        col(EliminationLine.settled) <= now - AFTER,
        waits.is_(None) | (waits <= now),
    )
    with platform.database.reading(PLATFORM) as session:
        lines = session.exec(due.order_by(col(EliminationLine.settled)).limit(_AT_A_TURN)).all()
    for line in lines:
        if not _look(platform, line):
            return


def _look(platform: Platform, line: Line) -> bool:
    """Look for a record, and tell whether every place answered; what could not be told of it now is looked for again."""
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, line[1])
    found: dict[str, Removal] = {}
    answered = True
    try:
        found = locks.remove(platform, record)
        answered = Removal.UNREACHABLE not in found.values()
    except TabellionError as error:  # its lock stands, or a place does not answer
        _log.warning("elimination.remnant", record=record.id, reason=str(error))
        answered = not isinstance(error, Unavailable | Misconfigured)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get_one(EliminationLine, line)
        if not found or not set(found.values()) <= _GONE:
            kept.waits_until = clock.now() + _LATER
            return answered
        kept.verified, kept.waits_until = clock.now(), None
        places = sorted(place for place, result in found.items() if result is Removal.REMOVED)
        if places:
            facts = {"record": record.id, "elimination": kept.elimination_id, "places": places}
            journal.write(
                session,
                organisation_id=record.organisation_id,
                dossier_id=record.dossier_id,
                kind=REMOVED,
                actor="platform",
                facts=facts,
            )
    return answered
