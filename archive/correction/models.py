"""What the archive keeps of a correction: what the record said, what it says since, why, and who decided."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Date, Index
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id

STATEMENT = "correction"
"""The kind of the statement under lock that says a correction."""


class CorrectionState(StrEnum):
    """Where a correction stands: it waits for another person, the record says it, or it was given up."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    DECLINED = "declined"


class RecordCorrection(Owned, table=True):
    """A correction of the rules of a record.

    Attributes:
        organisation_id: of the record.
        before: what the record said, as `archive.correction.terms.Terms` writes it.
        after: what it says once it is corrected.
        kept_from: the day from which the rule of retention counts, where that is corrected.
        hidden_from: the day from which the access delay counts, where that is corrected; None for a record that is closed without
            an end.
        reason: in words; it may name people, and stands in no journal.
        decided_by: who agreed to it, or gave it up; whoever made it, where one person is enough.
        statement: identifier of the statement under lock that says all of this; None as long as nothing is decided.
        digest: SHA-256 of the statement.
    """

    __tablename__ = "record_correction"
    __table_args__ = (
        Index("record_correction_record", "record_id", "id"),
        Index("record_correction_newest", "organisation_id", "id"),
        Index("record_correction_statement", "statement", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    record_id: str = Field(foreign_key="record.id", max_length=26)
    state: str = Field(max_length=10)
    before: dict[str, Any] = Field(sa_column=Column(JsonValue, nullable=False))
    after: dict[str, Any] = Field(sa_column=Column(JsonValue, nullable=False))
    kept_from: date | None = Field(default=None, sa_column=Column(Date))
    hidden_from: date | None = Field(default=None, sa_column=Column(Date))
    reason: str = Field(max_length=1000)
    proposed: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    proposed_by: str = Field(max_length=40)
    decided: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    decided_by: str | None = Field(default=None, max_length=40)
    statement: str | None = Field(default=None, max_length=26)
    digest: str | None = Field(default=None, max_length=64)
