"""What the archive keeps of rules and holds: versions of rules, which rule is chosen for which kind of record, what is held."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Column, Date, Index, UniqueConstraint
from sqlmodel import Field

from core import clock
from core.database import Owned, UtcDateTime
from core.identifiers import new_id


class RuleVersion(Owned, table=True):
    """A version of a rule; what it says never changes, another version follows it.

    Attributes:
        organisation_id: whose it is; it holds there and for all below.
        category: one of ``archive.retention.rules.Category``.
        code: the identifier by which transfers name the rule.
        version: a number, given once on the whole platform for a code, so that a code and a version name one rule only.
        years: 0 for a hold, which lasts until it is lifted.
        ends: ``anniversary`` or ``year_end``.
        final_action: ``Keep`` or ``Destroy``, of an appraisal rule; empty for the others.
        source: the text or the decision that sets it.
        since: the first day on which it may be applied to a record.
        until: the last one; None as long as no other version follows it and it was not withdrawn.
    """

    __tablename__ = "retention_rule"
    __table_args__ = (UniqueConstraint("category", "code", "version", name="retention_rule_named"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    category: str = Field(max_length=10)
    code: str = Field(max_length=40)
    version: int
    label: str = Field(max_length=300)
    years: int
    ends: str = Field(max_length=12)
    final_action: str = Field(max_length=10)
    source: str = Field(max_length=300)
    since: date = Field(sa_column=Column(Date, nullable=False))
    until: date | None = Field(default=None, sa_column=Column(Date))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    created_by: str = Field(max_length=40)


class RuleChoice(Owned, table=True):
    """Which rule an organisation, and all below it, applies to a kind of record.

    Attributes:
        kind: of record, as ``archive.retention.defaults.KINDS`` names it.
        category: ``appraisal`` or ``access``.
        code: of the rule; its version is the one in force on the day of sealing.
    """

    __tablename__ = "rule_choice"

    organisation_id: str = Field(foreign_key="organisation.id", primary_key=True, max_length=26)
    kind: str = Field(primary_key=True, max_length=20)
    category: str = Field(primary_key=True, max_length=10)
    code: str = Field(max_length=40)
    chosen: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    chosen_by: str = Field(max_length=40)


class RecordHold(Owned, table=True):
    """A hold (*gel*): records that nobody destroys until it is lifted.

    Attributes:
        organisation_id: where it was put; its records are of this organisation or of those below.
        reason: in words; it may name people, and stands in no journal.
        owner: who answers for it, in words.
        statement: SHA-256 of the statement under lock that says all of this.
        review: the day on which somebody is to look whether it must stand any longer.
        lift_reason: why it was lifted, in words, as ``reason``; None while it stands.
        idempotency_key: the key that whoever put it gave, bound to this very hold.
        package_of: the record whose own package names it, of which there is one hold at most, lifted or not; None for a decision
            that was made here.
        ends: the last day on which it stands; None when it stands until somebody lifts it.
    """

    __tablename__ = "record_hold"
    __table_args__ = (
        Index("record_hold_idempotency", "organisation_id", "idempotency_key", unique=True),
        Index("record_hold_package", "package_of", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    reason: str = Field(max_length=1000)
    owner: str = Field(max_length=200)
    statement: str = Field(max_length=64)
    review: date = Field(sa_column=Column(Date, nullable=False))
    placed: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    placed_by: str = Field(max_length=40)
    lifted: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    lifted_by: str | None = Field(default=None, max_length=40)
    lift_reason: str | None = Field(default=None, max_length=1000)
    idempotency_key: str | None = Field(default=None, max_length=200)
    package_of: str | None = Field(default=None, max_length=26)
    ends: date | None = Field(default=None, sa_column=Column(Date))


class RecordHeld(Owned, table=True):
    """A record under a hold.

    Attributes:
        told: every place of the archive knows what the hold says now (S3 legal hold); what one could not be told is told later.
    """

    __tablename__ = "record_held"
    __table_args__ = (Index("record_held_record", "record_id"), Index("record_held_told", "told"))

    hold_id: str = Field(foreign_key="record_hold.id", primary_key=True, max_length=26)
    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    told: bool = False
