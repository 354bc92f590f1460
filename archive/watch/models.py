"""What the watch keeps in the database: incidents, who was told of them, and the passes of the audits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class IncidentState(StrEnum):
    """Where an incident stands; only a person moves it."""

    OPEN = "open"
    OWNED = "owned"
    CLOSED = "closed"


class Incident(Owned, table=True):
    """Something that is not as it was sealed, or that keeps the archive from being watched; it waits for a person.

    Attributes:
        organisation_id: whose record it is about; the root of the tree when it is about the platform.
        kind: what it is, as a code: one of ``incidents.Kind``.
        place: the place of the archive it was seen in; empty when it is about the database.
        subject: what it is about: the key of an object, or a table and the key of its row.
        facts: identifiers, digests, counts and codes; no floats, nothing personal.
        record_id: the record that the facts name, when they name one.
        seen: when it was last seen to be so.
        owner_id: the person who has taken it up.
        how: what was done, in that person's words.
    """

    __tablename__ = "archive_incident"
    __table_args__ = (
        Index(
            "archive_incident_once",
            "kind",
            "place",
            "subject",
            unique=True,
            sqlite_where=text("closed IS NULL"),
            postgresql_where=text("closed IS NULL"),
        ),
        Index("archive_incident_newest", "organisation_id", "opened", "id"),
        Index(
            "archive_incident_waiting",
            "organisation_id",
            "state",
            sqlite_where=text("closed IS NULL"),
            postgresql_where=text("closed IS NULL"),
        ),
        Index("archive_incident_of_record", "record_id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    kind: str = Field(max_length=40)
    place: str = Field(max_length=40)
    subject: str = Field(max_length=300)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    record_id: str | None = Field(default=None, max_length=26)
    opened: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    seen: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    state: str = Field(default=IncidentState.OPEN.value, max_length=10)
    owner_id: str | None = Field(default=None, max_length=26)
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    how: str | None = Field(default=None, max_length=1000)


class IncidentNotice(Owned, table=True):
    """That a person was told of an incident by mail.

    Attributes:
        at: when last; written once the mail server has taken the message.
    """

    __tablename__ = "archive_incident_notice"
    __table_args__ = (Index("archive_incident_notice_of_person", "person_id", "at"),)

    incident_id: str = Field(foreign_key="archive_incident.id", primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class AuditRun(SQLModel, table=True):
    """One pass of one kind of audit over one place: begun, gone on with bit by bit, ended.

    Attributes:
        place: its name; empty for the journal, which is kept in the database.
        kind: one of ``audits.AuditKind``.
        total: how many things there were to look at when it began.
        looked: how many were looked at so far.
        size: how many bytes were read so far.
        failed: how many were not as they should be.
        cursor: where to go on from, as the kind writes it; empty at the beginning.
    """

    __tablename__ = "audit_run"
    __table_args__ = (Index("audit_run_newest", "place", "kind", "started"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    place: str = Field(max_length=40)
    kind: str = Field(max_length=20)
    started: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    ended: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    total: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    looked: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    size: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    failed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    cursor: str = Field(default="", max_length=400)
