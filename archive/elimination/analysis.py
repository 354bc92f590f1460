"""What may be destroyed on a day, and why the rest may not: one verdict a record, in the words of Vitam.

A record may be destroyed when its retention is over, its final action is to destroy, and no hold stands over it. A final action
that is absent is to keep; a retention without an end never ends. A day to come may be looked at, to see what will be due; nothing
is destroyed before it has come (`archive.elimination.executing` asks the same questions again, just before).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.elimination.states import Status
from archive.models import Record
from archive.retention.holds import held
from core.errors import UsageError
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.elimination")
MOST_ANALYSED, MOST_DESTROYED = 100_000, 10_000
"""Bounds of an analysis and of an action, those of Vitam: beyond them it is refused rather than done half-way."""
_AT_ONCE = 500


class Reason(StrEnum):
    """Why a record is not to be destroyed; the first three are Vitam's, the others ours."""

    BLOCKED_BY_HOLD_RULE = "BLOCKED_BY_HOLD_RULE"
    FINAL_ACTION_INCONSISTENCY = "FINAL_ACTION_INCONSISTENCY"
    NON_DESTROYABLE_HAS_CHILD_UNITS = "NON_DESTROYABLE_HAS_CHILD_UNITS"
    FINAL_ACTION_KEEP = "FINAL_ACTION_KEEP"
    NO_END_DATE = "NO_END_DATE"
    NOT_DUE = "NOT_DUE"
    ALREADY_ELIMINATED = "ALREADY_ELIMINATED"
    ALREADY_LISTED = "ALREADY_LISTED"
    PLACE_UNKNOWN = "PLACE_UNKNOWN"
    PACKAGE_UNREADABLE = "PACKAGE_UNREADABLE"
    PACKAGE_UNEXAMINED = "PACKAGE_UNEXAMINED"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a list is narrowed to; empty narrows nothing.

    Attributes:
        kinds: of record.
        producers: by SIREN or SIRET.
        first, last: days that the records are of.
    """

    kinds: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the criteria as they are kept."""
        days = {"first": self.first, "last": self.last}
        said: dict[str, Any] = {"kinds": list(self.kinds), "producers": list(self.producers)}
        return said | {name: day.isoformat() if day else None for name, day in days.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an analysis finds of a record."""

    record_id: str
    organisation_id: str
    status: Status
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Analysis:
    """What an analysis finds of all records of some criteria.

    Attributes:
        found: the records whose time is over and that were to be destroyed: some may be, some are in conflict.
        kept: how many others there are.
    """

    found: list[Verdict] = field(default_factory=list)
    kept: int = 0


def analyse(session: Session, organisation_id: str, as_of: date, criteria: Criteria, listed: SelectOfScalar[str]) -> Analysis:
    """Look at every record of an organisation and of its services: what has a SIREN of its own is another producer.

    Args:
        session: the platform's own.
        organisation_id: of the producer.
        as_of: the day on which the analysis looks; past, today or to come.
        criteria: what it is narrowed to.
        listed: chooses the identifiers of records that another list proposes already.

    Raises:
        UsageError: more than ``MOST_ANALYSED`` records are due.
    """
    scope = _scope(session, organisation_id, criteria)
    due = (Record.final_action == FinalAction.DESTROY.value, col(Record.keep_until) < as_of)
    count = session.exec(select(func.count()).select_from(Record).where(*scope, *due)).one()
    if count > MOST_ANALYSED:
        raise UsageError(_messages("analysis.too_many", most=MOST_ANALYSED, found=count))
    everything = session.exec(select(func.count()).select_from(Record).where(*scope)).one()
    analysis = Analysis(kept=everything - count)
    query = select(Record).where(*scope, *due).order_by(Record.id)
    taken = set(session.exec(listed)) if count else set()
    for records in _batches(session, query):
        analysis.found += verdicts(session, records, as_of, taken)
    return analysis


def _scope(session: Session, organisation_id: str, criteria: Criteria) -> list[Any]:
    producer = session.get_one(Organisation, organisation_id)
    wanted: list[Any] = [col(Record.organisation_id).in_(_of_producer(session, producer)), col(Record.eliminated).is_(None)]
    if criteria.kinds:
        wanted.append(col(Record.kind).in_(criteria.kinds))
    if criteria.producers:
        wanted.append(col(Record.producer).in_(criteria.producers))
    if criteria.first:
        wanted.append(col(Record.dated) >= criteria.first)
    if criteria.last:
        wanted.append(col(Record.dated) <= criteria.last)
    return wanted


def _of_producer(session: Session, producer: Organisation) -> list[str]:
    """Return the organisation with those below it, without other legal persons and what stands below them."""
    below = session.exec(select(Organisation).where(col(Organisation.id).in_(subtree(session, producer.path)))).all()
    others = tuple(one.path for one in below if one.siren and one.siren != producer.siren)
    return [one.id for one in below if not one.path.startswith(others)]


def _batches(session: Session, query: Any) -> Iterator[Sequence[Record]]:
    last = ""
    while records := session.exec(query.where(col(Record.id) > last).limit(_AT_ONCE)).all():
        yield records
        last = records[-1].id


def verdicts(session: Session, records: Sequence[Record], as_of: date, listed: set[str] | None = None) -> list[Verdict]:
    """Return what may become of each of these records on a day.

    Args:
        session: the platform's own.
        records: them.
        as_of: the day.
        listed: records that another list proposes already.
    """
    blocked = held(session, [record.id for record in records])
    return [_verdict(record, as_of, record.id in blocked, record.id in (listed or ())) for record in records]


def _verdict(record: Record, as_of: date, blocked: bool, listed: bool) -> Verdict:
    kept = [
        reason
        for reason, holds in (
            (Reason.ALREADY_ELIMINATED, record.eliminated is not None),
            (Reason.FINAL_ACTION_KEEP, record.final_action != FinalAction.DESTROY.value),
            (Reason.NO_END_DATE, record.keep_until is None),
            (Reason.NOT_DUE, record.keep_until is not None and record.keep_until >= as_of),
        )
        if holds
    ]
    in_conflict = [reason for reason, holds in ((Reason.BLOCKED_BY_HOLD_RULE, blocked), (Reason.ALREADY_LISTED, listed)) if holds]
    status = Status.KEEP if kept else Status.CONFLICT if in_conflict else Status.DESTROY
    return Verdict(record.id, record.organisation_id, status, (*kept, *in_conflict))
