"""What the archive keeps of an elimination: its list, its decisions, and what became of each record."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Date, Index, text
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id

_FULL = text("outcome = 'destroyed' AND emptied IS NULL")
_UNVERIFIED = text("outcome = 'destroyed' AND verified IS NULL")


class Elimination(Owned, table=True):
    """A list of records to destroy, on its way from the analysis to the certificate.

    Attributes:
        organisation_id: of the producer: the records are its own, or those of the services below it.
        state: one of ``archive.elimination.states.State``.
        as_of: the day on which the analysis looks.
        criteria: what the list was narrowed to: kinds, producers, days.
        kept: how many records of the criteria the analysis keeps; they are no lines.
        listing: SHA-256 of the list as a table, among the documents, from the proposal on.
        bordereau: SHA-256 of the printed *bordereau*, among the documents, from the proposal on; it names the list by its digest.
        proposed_by: who proposed the list as it stands.
        agreed_by: who agreed for the producer.
        visa_by: who gave the visa of the State, or recorded the one that was signed on paper.
        visa_reference: as the State numbers it; for one that was signed on paper.
        visa_document: SHA-256 of it, among the documents.
        visa_statement: SHA-256 of the statement under lock that says what was accepted.
        certificate: SHA-256 of the printed certificate, among the documents.
        record_id: the record that keeps list, visa and certificate for ever.
    """

    __table_args__ = (Index("elimination_newest", "organisation_id", "id"), Index("elimination_state", "state"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    state: str = Field(max_length=10)
    as_of: date = Field(sa_column=Column(Date, nullable=False))
    criteria: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    kept: int
    listing: str | None = Field(default=None, max_length=64)
    bordereau: str | None = Field(default=None, max_length=64)
    made: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    made_by: str = Field(max_length=40)
    proposed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    agreed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    proposed_by: str | None = Field(default=None, max_length=40)
    agreed_by: str | None = Field(default=None, max_length=40)
    visa: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    visa_by: str | None = Field(default=None, max_length=40)
    visa_reference: str | None = Field(default=None, max_length=100)
    visa_document: str | None = Field(default=None, max_length=64)
    visa_statement: str | None = Field(default=None, max_length=64)
    ordered: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    ordered_by: str | None = Field(default=None, max_length=40)
    ended: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    certificate: str | None = Field(default=None, max_length=64)
    record_id: str | None = Field(default=None, foreign_key="record.id", max_length=26)


class EliminationLine(Owned, table=True):
    """A record on the list of an elimination.

    Attributes:
        status: ``DESTROY`` or ``CONFLICT``, as the analysis found it; ``KEEP`` when it was found so later.
        reasons: why it is in conflict, or kept: names of ``archive.elimination.analysis.Reason``.
        chosen: it is proposed; the archivist may take a line off the list.
        accepted: by the visa; None before it.
        outcome: what became of it: one of ``archive.elimination.states.Outcome``; empty before the execution.
        waits_until: the end of the lock that is waited for; of what is destroyed, when it is looked for again.
        result: what each place answered, by its name.
        settled: when the outcome was known.
        contents: SHA-256 of what the store of documents may hold of a destroyed record, until none of it is left there.
        emptied: when the working copies of a destroyed record were destroyed as well, by the floor above (``flows.emptying``).
        verified: when no place was found to hold any of a destroyed record, some days later (`archive.elimination.remnants`).
    """

    __tablename__ = "elimination_line"
    __table_args__ = (
        Index("elimination_line_record", "record_id"),
        Index("elimination_line_outcome", "elimination_id", "outcome"),
        Index("elimination_line_full", "record_id", sqlite_where=_FULL, postgresql_where=_FULL),
        Index("elimination_line_unverified", "settled", sqlite_where=_UNVERIFIED, postgresql_where=_UNVERIFIED),
    )

    elimination_id: str = Field(foreign_key="elimination.id", primary_key=True, max_length=26)
    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    status: str = Field(max_length=10)
    reasons: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    chosen: bool
    accepted: bool | None = None
    outcome: str = Field(default="", max_length=10)
    waits_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    result: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    settled: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    contents: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False, server_default="[]"))
    emptied: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    verified: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
