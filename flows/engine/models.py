"""What the engine keeps: dossiers, their files, the step each one waits for, and what runs on a schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, text
from sqlmodel import Field, SQLModel

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.folding import LONGEST, keep_sought
from core.identifiers import new_id


class Dossier(Owned, table=True):
    """One document on its way, from its deposit to its end.

    Attributes:
        flow: name of the flow (``helios``).
        sought: the title as it is searched (`core.folding`).
        state: where it stands in the flow's table; unchanged while it is parked.
        since: when it entered the state.
        parked: why an operator must look at it; None when nobody must.
        overtaken: a restored backup has it as it was: it is parked, and hears no event until an operator resumes it.
        reference: what makes it unique in its flow for the organisation (for HELIOS: NomFic and CodCol).
        facts: what the flow knows of it; JSON without floats.
        problems: the problems of a refusal, as in ``check --json``.
        confidential: people see it where they have to do with it only, not among the dossiers of the organisation.
    """

    __table_args__ = (
        Index("dossier_newest", "organisation_id", "created", "id"),
        Index("dossier_newest_by_state", "organisation_id", "state", "created", "id"),
        Index("dossier_state_newest", "state", "created", "id"),
        Index("dossier_reference", "organisation_id", "flow", "reference", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    flow: str = Field(max_length=40)
    title: str = Field(max_length=200)
    sought: str = Field(default="", max_length=LONGEST, sa_column_kwargs={"server_default": text("''")})
    state: str = Field(max_length=40)
    since: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    parked: str | None = Field(default=None, max_length=1000)
    overtaken: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default="0"))
    reference: str | None = Field(default=None, max_length=200)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    problems: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    confidential: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default="0"))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


keep_sought(Dossier)


class DepositKey(Owned, table=True):
    """A key that a depositor gave: what is asked again under it was done already, and nothing else is asked under it.

    Attributes:
        asked: SHA-256 of what was asked, see ``keys``; None when that was not kept yet.
    """

    __tablename__ = "deposit_key"

    organisation_id: str = Field(foreign_key="organisation.id", primary_key=True, max_length=26)
    key: str = Field(primary_key=True, max_length=200)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26, index=True)
    asked: str | None = Field(default=None, max_length=64)


class DossierFile(Owned, table=True):
    """A document of a dossier, kept in the object store under its digest.

    Attributes:
        role: what it is to the flow: ``pes``, ``signed``, ``acquit``, ``report``; the newest of a role counts.
    """

    __tablename__ = "dossier_file"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26, index=True)
    role: str = Field(max_length=40)
    name: str = Field(max_length=255)
    media_type: str = Field(max_length=100)
    sha256: str = Field(max_length=64, index=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class Step(Owned, table=True):
    """What a dossier waits for next; this table is the outbox from which the relay announces work.

    A dossier has one step or none. The row is replaced in the transaction that records a stage, so that a hint in the broker
    never says more than the database.

    Attributes:
        stage: name of the actor, or ``<flow>.deadline`` for a waiting state that has one.
        due: not before this moment.
        announced: when the relay last published it; None when it has not yet.
        lease: token of the worker that holds it.
        leased_until: when the lease runs out unless renewed.
        attempts: claims since the state was entered.
        failures: those of them that ended in trouble; the others were lost with their worker.
    """

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    stage: str = Field(max_length=80)
    queue: str = Field(max_length=60)
    due: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False, index=True))
    announced: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    lease: str | None = Field(default=None, max_length=26)
    leased_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    failures: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    trouble: str | None = Field(default=None, max_length=1000)


class Schedule(SQLModel, table=True):
    """Something that runs again and again, once at a time on the whole platform.

    Attributes:
        name: ``<actor>`` or ``<actor>:<key>``; the part after the colon is given to the actor.
        every: interval between the end of a run and the next, in milliseconds.
    """

    name: str = Field(primary_key=True, max_length=120)
    actor: str = Field(max_length=80)
    key: str = Field(max_length=40)
    queue: str = Field(max_length=60)
    every: int = Field(sa_column=Column(Integer, nullable=False))
    due: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False, index=True))
    announced: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    lease: str | None = Field(default=None, max_length=26)
    leased_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    trouble: str | None = Field(default=None, max_length=1000)
