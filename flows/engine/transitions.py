"""Moving a dossier: the short transactions that claim it, record what became of it, and apply events from outside.

Every change of state is one transaction that writes the state, the journal entry and the next step together. Plain SQLAlchemy
statements rather than the ORM: these run several times for every dossier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from core import clock
from core.database import Database
from core.errors import Conflict, NotFound, TabellionError
from core.identifiers import new_id
from core.messages import Catalogue
from core.principal import PLATFORM
from core.problems import Problem
from flows.engine import moves
from flows.engine.models import Dossier, Schedule, Step
from flows.engine.overtaken import RESUMED
from flows.engine.table import Flow, Wait
from flows.engine.work import Advance, KeptFile

_messages = Catalogue("flows.engine")
_step: Table = Step.__table__  # type: ignore[attr-defined]
_dossier: Table = Dossier.__table__  # type: ignore[attr-defined]
_schedule: Table = Schedule.__table__  # type: ignore[attr-defined]


class LeaseLost(TabellionError):
    """Another worker has taken the dossier over: what this one did is not recorded."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A dossier held under a lease, as it stood when it was claimed.

    Attributes:
        attempt: which claim this is since the state was entered, from 1.
        failures: how many of those before ended in trouble; the others were lost with their worker.
    """

    dossier_id: str
    organisation_id: str
    stage: str
    lease: str
    attempt: int
    title: str
    state: str
    facts: dict[str, Any]
    files: tuple[KeptFile, ...]
    failures: int


def claim(database: Database, dossier_id: str, stage: str, lease_for: timedelta) -> Claim | None:
    """Take the lease on a dossier for a stage, if that is what it waits for and nobody holds it; None otherwise.

    A doubled or stale message ends here: the step is no longer that stage, is not due, or is held.
    """
    now, lease = clock.now(), new_id()
    free = (
        select(_step.c.dossier_id)
        .where(_step.c.dossier_id == dossier_id, _step.c.stage == stage, _step.c.due <= now)
        .where(_step.c.leased_until.is_(None) | (_step.c.leased_until < now))
        .with_for_update(skip_locked=True)
    )
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        taken = connection.execute(
            update(_step)
            .where(_step.c.dossier_id.in_(free))
            .values(lease=lease, leased_until=now + lease_for, attempts=_step.c.attempts + 1)
            .returning(_step.c.attempts, _step.c.failures)
        ).first()
        if taken is None:
            return None
        row = connection.execute(select(_dossier).where(_dossier.c.id == dossier_id)).one()
        return Claim(
            dossier_id,
            row.organisation_id,
            stage,
            lease,
            taken.attempts,
            row.title,
            row.state,
            dict(row.facts),
            moves.files_of(connection, dossier_id),
            taken.failures,
        )


def renew(database: Database, leases: list[str], lease_for: timedelta) -> None:
    """Extend leases that are still held, on dossiers and on scheduled runs."""
    until = clock.now() + lease_for
    with database.writing(PLATFORM) as session:
        for table in (_step, _schedule):
            session.connection().execute(update(table).where(table.c.lease.in_(leases)).values(leased_until=until))


def take_up(database: Database) -> None:
    """Take up at once what a platform left that was killed: free what its workers held, announce again what its broker carried.

    Only for a process that is alone on its database, with its broker in memory; others wait for the leases to run out.
    """
    with database.writing(PLATFORM) as session:
        for table in (_step, _schedule):
            session.connection().execute(update(table).values(lease=None, leased_until=None, announced=None))


def note(database: Database, claimed: Claim, kind: str, facts: Mapping[str, Any]) -> None:
    """Write facts and a journal entry in the middle of a stage, provided that the lease holds.

    Raises:
        LeaseLost: it does not; nothing is written.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        _hold(connection, claimed)
        claimed.facts.update(facts)
        connection.execute(update(_dossier).where(_dossier.c.id == claimed.dossier_id).values(facts=claimed.facts))
        _tell(session, claimed, kind, facts)


def advance(database: Database, flow: Flow, claimed: Claim, outcome: Advance, *, told_as: str | None = None) -> None:
    """Record that a stage is done: new state, files, journal entry and next step, in one transaction.

    Args:
        database: where the dossier is.
        flow: its flow.
        claimed: the lease on it.
        outcome: how the stage ended.
        told_as: kind of the journal entry, where it is not that of the stage and its outcome.

    Raises:
        LeaseLost: another worker holds the dossier; nothing is written.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        _hold(connection, claimed)
        if outcome.apply is not None:
            outcome.apply(session)
        moves.enter(
            connection,
            flow,
            claimed.dossier_id,
            claimed.organisation_id,
            flow.rows[claimed.state].leads[outcome.outcome],
            facts={**claimed.facts, **outcome.facts},
        )
        moves.add_files(connection, claimed.organisation_id, claimed.dossier_id, outcome.files)
        kind, facts = told_as or f"{claimed.stage}.{outcome.outcome}", {**outcome.journal, **moves.digests(outcome.files)}
        moves.tell(session, claimed.organisation_id, claimed.dossier_id, kind, facts)


def refuse(database: Database, flow: Flow, claimed: Claim, outcome: str, problems: tuple[Problem, ...]) -> None:
    """Record a definitive refusal with its problems; the reference is free again, so that a mended document can follow.

    Raises:
        LeaseLost: another worker holds the dossier; nothing is written.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        _hold(connection, claimed)
        moves.enter(
            connection,
            flow,
            claimed.dossier_id,
            claimed.organisation_id,
            flow.rows[claimed.state].leads[outcome],
            reference=None,
            problems=[problem.as_json() for problem in problems],
        )
        rules = sorted({problem.rule for problem in problems})
        _tell(session, claimed, outcome, {"rules": rules})


def postpone(database: Database, claimed: Claim, due: datetime, reason: str, *, fresh: bool) -> None:
    """Give the lease back and ask for the stage again at ``due``; ``fresh`` forgets the attempts, when it was no failure.

    Raises:
        LeaseLost: another worker holds the dossier; nothing is written.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        _hold(connection, claimed)
        values: dict[str, Any] = {"lease": None, "leased_until": None, "announced": None, "due": due, "trouble": reason[:1000]}
        values |= {"attempts": 0, "failures": 0} if fresh else {"failures": claimed.failures + 1}
        connection.execute(update(_step).where(_step.c.dossier_id == claimed.dossier_id).values(**values))
        _tell(session, claimed, "postponed", {"attempt": claimed.attempt})


def park(database: Database, claimed: Claim, reason: str) -> None:
    """Set the dossier aside for an operator; its state stays, its step goes.

    Raises:
        LeaseLost: another worker holds the dossier; nothing is written.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        _hold(connection, claimed)
        connection.execute(delete(_step).where(_step.c.dossier_id == claimed.dossier_id))
        connection.execute(update(_dossier).where(_dossier.c.id == claimed.dossier_id).values(parked=reason[:1000]))
        _tell(session, claimed, "parked", {"attempt": claimed.attempt})


def resume(database: Database, flow: Flow, dossier_id: str, actor: str) -> None:
    """Take a parked dossier up again where it stood.

    Raises:
        NotFound: no such dossier.
        Conflict: it is not parked.
    """
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        row = connection.execute(select(_dossier).where(_dossier.c.id == dossier_id).with_for_update()).first()
        if row is None:
            raise NotFound(_messages("dossier.unknown"))
        if row.parked is None:
            raise Conflict(_messages("dossier.not_parked"))
        moves.enter(connection, flow, dossier_id, row.organisation_id, row.state)
        moves.tell(session, row.organisation_id, dossier_id, RESUMED, {"state": row.state}, actor)


def start(connection: Connection, flow: Flow, dossier_id: str, organisation_id: str) -> None:
    """Give a dossier that has just been inserted its first step."""
    moves.plan(connection, flow, flow.rows[flow.start], dossier_id, organisation_id)


def signal(
    session: Any,
    flow: Flow,
    dossier_id: str,
    event: str,
    outcome: Advance,
    actor: str = "platform",
    *,
    frees_reference: bool = False,
) -> bool:
    """Apply an event to a waiting dossier in the session's transaction; False when it does not wait for that event.

    A parked dossier still hears its event: the operator's question has answered itself. One that a restored backup has as it was
    does not: the event could send it off again. Where the event is an end that lets a mended document follow, the reference is
    free again, as after a refusal.
    """
    connection: Connection = session.connection()
    row = connection.execute(select(_dossier).where(_dossier.c.id == dossier_id).with_for_update()).first()
    waiting = flow.rows.get(row.state) if row else None
    if row is None or row.overtaken or not isinstance(waiting, Wait) or event not in waiting.leads:
        return False
    freed = {"reference": None} if frees_reference else {}
    known = {**row.facts, **outcome.facts}
    moves.enter(connection, flow, dossier_id, row.organisation_id, waiting.leads[event], facts=known, **freed)
    moves.add_files(connection, row.organisation_id, dossier_id, outcome.files)
    facts = {**outcome.journal, **moves.digests(outcome.files)}
    moves.tell(session, row.organisation_id, dossier_id, f"{flow.name}.{event}", facts, actor)
    return True


def hasten(session: Any, flow: Flow, stage: str, organisation_id: str) -> None:
    """Let a stage that was postponed be performed at once for an organisation's dossiers: what it waited for has come."""
    waiting = (_step.c.stage == f"{flow.name}.{stage}") & (_step.c.organisation_id == organisation_id) & _step.c.lease.is_(None)
    session.connection().execute(update(_step).where(waiting).values(due=clock.now(), announced=None))


def add_files(session: Any, organisation_id: str, dossier_id: str, files: tuple[KeptFile, ...]) -> None:
    """Add documents to a dossier in the session's transaction."""
    moves.add_files(session.connection(), organisation_id, dossier_id, files)


def _hold(connection: Connection, claimed: Claim) -> None:
    held = connection.execute(
        select(_step.c.dossier_id)
        .where(_step.c.dossier_id == claimed.dossier_id, _step.c.lease == claimed.lease)
        .with_for_update()
    ).first()
    if held is None:
        raise LeaseLost(f"the lease on {claimed.dossier_id} for {claimed.stage} was lost")


def _tell(session: Any, claimed: Claim, kind: str, facts: Mapping[str, Any]) -> None:
    moves.tell(session, claimed.organisation_id, claimed.dossier_id, f"{claimed.stage}.{kind}", facts)
