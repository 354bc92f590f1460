"""What was corrected of a record: every correction that it says, and the last one of each part."""

from __future__ import annotations

from sqlmodel import Session, col, select

from archive.correction.models import CorrectionState, RecordCorrection
from archive.correction.terms import Terms
from archive.models import Record


def made_of(session: Session, record_id: str) -> list[RecordCorrection]:
    """Return all corrections of a record, whatever became of them, the oldest first."""
    own = select(RecordCorrection).where(RecordCorrection.record_id == record_id)
    return list(session.exec(own.order_by(col(RecordCorrection.proposed), RecordCorrection.id)))


def applied_to(session: Session, record_id: str) -> list[RecordCorrection]:
    """Return the corrections that a record says, in the order in which they were decided."""
    own = select(RecordCorrection).where(RecordCorrection.record_id == record_id)
    applied = own.where(RecordCorrection.state == CorrectionState.APPLIED.value)
    return list(session.exec(applied.order_by(col(RecordCorrection.decided), RecordCorrection.id)))


def as_sealed(session: Session, record: Record) -> Terms:
    """Return what a record said when it was sealed, as its package still does."""
    applied = applied_to(session, record.id)
    return Terms.read(applied[0].before) if applied else Terms.of(record)


def of_retention(session: Session, record_id: str) -> RecordCorrection | None:
    """Return the last correction of how long a record is kept; None where it is kept as it was sealed."""
    return next((one for one in reversed(applied_to(session, record_id)) if changes_retention(one)), None)


def of_access(session: Session, record_id: str) -> RecordCorrection | None:
    """Return the last correction of how long a record is hidden; None where it is hidden as it was sealed."""
    return next((one for one in reversed(applied_to(session, record_id)) if changes_access(one)), None)


def changes_retention(correction: RecordCorrection) -> bool:
    """Tell whether a correction is of how long its record is kept, or of what happens then."""
    return Terms.read(correction.before).retention != Terms.read(correction.after).retention


def changes_access(correction: RecordCorrection) -> bool:
    """Tell whether a correction is of how long its record is hidden."""
    return Terms.read(correction.before).hiding != Terms.read(correction.after).hiding
