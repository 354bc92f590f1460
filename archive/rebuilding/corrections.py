"""Corrections anew: what was decided of the rules of sealed records, from the statements under lock that the journal names.

What does not live here: proposals that nobody agreed to, which are made again; the records themselves
(`archive.rebuilding.records`).
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlmodel import Session, col, select

from archive.correction.correcting import CORRECTED, DECLINED, apply, settle
from archive.correction.models import STATEMENT, CorrectionState, RecordCorrection
from archive.models import Record
from archive.places import statements
from archive.rebuilding.journal import entries
from core.clock import from_iso
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM


def restore(platform: Platform, after: int = 0) -> None:
    """Write every correction that the journal tells of, unless it is there, and have its record say it.

    The journal names each statement by its digest: nobody opens a record by writing to a place. A proposal of a restored backup
    that was given up since is given up again.

    Args:
        platform: its places, and its database, in which the journal is, and every record that was sealed.
        after: number of the entry after which the journal tells of any that are not there as it says.

    Raises:
        ObjectMissing, ObjectAltered: a statement that the journal names is in no place, or is another one.
        Unavailable: no place that answers has one.
    """
    for entry in entries(platform, CORRECTED, after=after):
        if not _is_applied(platform, entry.facts["correction"]):
            said = json.loads(statements.read(platform, STATEMENT, entry.facts["statement"], entry.facts["sha256"]))
            with platform.database.writing(PLATFORM) as session:
                _restore(session, entry, said)
    for entry in entries(platform, DECLINED, after=after):
        with platform.database.writing(PLATFORM) as session:
            known = session.get(RecordCorrection, entry.facts["correction"])
            if known is not None and known.state == CorrectionState.PROPOSED:
                settle(known, CorrectionState.DECLINED, entry.actor, entry.at)


def _is_applied(platform: Platform, correction_id: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        known = session.get(RecordCorrection, correction_id)
        return known is not None and known.state == CorrectionState.APPLIED


def _restore(session: Session, entry: JournalEntry, said: dict[str, Any]) -> None:
    correction = session.get(RecordCorrection, said["id"]) or _proposed(said)
    correction.statement, correction.digest = entry.facts["statement"], entry.facts["sha256"]
    session.add(correction)
    record = session.get_one(Record, said["record_id"])
    later = (RecordCorrection.record_id == record.id, col(RecordCorrection.decided) > entry.at)
    applied = RecordCorrection.state == CorrectionState.APPLIED.value
    if session.exec(select(RecordCorrection.id).where(*later, applied).limit(1)).first() is None:
        apply(session, record, correction, entry.actor, entry.at)
    else:  # the platform was at work meanwhile: what was decided later stands
        settle(correction, CorrectionState.APPLIED, entry.actor, entry.at)


def _proposed(said: dict[str, Any]) -> RecordCorrection:
    kept, hidden = (date.fromisoformat(day) if (day := said[name]) else None for name in ("kept_from", "hidden_from"))
    return RecordCorrection(
        id=said["id"],
        organisation_id=said["organisation_id"],
        record_id=said["record_id"],
        state=CorrectionState.PROPOSED.value,
        before=said["before"],
        after=said["after"],
        kept_from=kept,
        hidden_from=hidden,
        reason=said["reason"],
        proposed=from_iso(said["proposed"]),
        proposed_by=said["proposed_by"],
    )
