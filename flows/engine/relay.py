"""The relay: announces to the broker what the database says is due, in turn between organisations.

It is outbox, fair dispatch and recovery sweep in one query: a step is announced when it is due, held by nobody, and was not
announced, or was too long ago. Of each queue at most a window is outstanding, so that the thousandth dossier of one
organisation waits in the database, where turns are taken, and not in the broker, where first come is first served.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

import dramatiq
import structlog
from sqlalchemy import ColumnElement, Connection, Table, func, or_, select, update
from sqlmodel import Session

from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.brokers import waiting
from flows.engine.models import Schedule, Step

_log = structlog.get_logger()
_step: Table = Step.__table__  # type: ignore[attr-defined]
_schedule: Table = Schedule.__table__  # type: ignore[attr-defined]
_IDLE, _AWAY = 0.05, 2.0


@dataclass(frozen=True, slots=True)
class Hint:
    """A message to send: an actor, its queue, and the one argument; ``again`` when nobody answered it before."""

    actor: str
    queue: str
    argument: str
    again: bool


def left_alone(session: Session, since: datetime) -> tuple[str, ...]:
    """Return the queues, by name, on which something has been due since before a moment, and nothing is being done."""
    now, late, busy = clock.now(), set[str](), set[str]()
    for table in (_step, _schedule):
        queues = select(table.c.queue).distinct()
        late |= set(session.connection().execute(queues.where(table.c.due < since)).scalars())
        busy |= set(session.connection().execute(queues.where(table.c.leased_until >= now)).scalars())
    return tuple(sorted(late - busy))


def failing(session: Session) -> dict[str, int]:
    """Return how many steps wait to be tried again because their last try failed, by queue."""
    failed = select(_step.c.queue, func.count()).where(_step.c.failures > 0).group_by(_step.c.queue).order_by(_step.c.queue)
    return dict(session.connection().execute(failed).all())


class Relay:
    """Announces due work until it is stopped; several may run at once."""

    def __init__(self, platform: Platform, broker: dramatiq.Broker) -> None:
        self._platform = platform
        self._broker = broker
        self._stopped = threading.Event()
        self._redelivery = timedelta(seconds=platform.settings.redelivery_seconds)

    def start(self) -> threading.Thread:
        """Run in a thread of its own."""
        thread = threading.Thread(target=self.run, name="relay", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Ask the loop to end."""
        self._stopped.set()

    def run(self) -> None:
        """Announce until stopped; an outage of the database or of the broker is waited out."""
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                pause = 0.0 if self.announce() else _IDLE
            except Exception as error:  # noqa: BLE001 - each broker's client fails in its own words; the relay outlives them all
                _log.warning("relay.waits", reason=type(error).__name__, detail=str(error)[:200])
                pause = _AWAY

    def announce(self) -> int:
        """Announce what is due now, up to the window of each queue; return how many hints went out.

        The choice is committed before anything is published: a worker that is quick finds nothing locked. What cannot be
        published is marked as not announced. What a queue without a worker would only heap up is taken as announced.
        """
        hints = self._choose() if self._anything_due() else []
        told = 0
        try:
            full = self._full({hint.queue for hint in hints if hint.again})
            for hint in hints:
                if hint.queue not in full:
                    self._publish(hint)
                told += 1
        except BaseException:
            self._take_back(hints[told:])
            raise
        return sum(hint.queue not in full for hint in hints)

    def _full(self, queues: set[str]) -> set[str]:
        """Return which of these queues hold more hints than anybody takes: what is announced again is in there already."""
        most = 2 * self._platform.settings.window
        full = {queue for queue in queues if waiting(self._broker, queue) >= most}
        if full:
            _log.warning("relay.unanswered", queues=sorted(full), hints=most)
        return full

    def _anything_due(self) -> bool:
        # An idle relay looks twenty times a second: it must not take the write lock for that.
        now = clock.now()
        with self._platform.database.reading(PLATFORM) as session:
            due = [select(table.c.due).where(table.c.due <= now, self._silent(table)).limit(1) for table in (_step, _schedule)]
            return any(session.connection().execute(query).first() is not None for query in due)

    def _publish(self, hint: Hint) -> None:
        self._broker.declare_queue(hint.queue)
        self._broker.enqueue(
            dramatiq.Message(queue_name=hint.queue, actor_name=hint.actor, args=(hint.argument,), kwargs={}, options={})
        )

    def _choose(self) -> list[Hint]:
        with self._platform.database.writing(PLATFORM) as session:
            connection = session.connection()
            chosen = self._choose_steps(connection)
            now = clock.now()
            unanswered = connection.execute(
                select(_schedule.c.name).where(
                    _schedule.c.due <= now, self._silent(_schedule), _schedule.c.announced.is_not(None)
                )
            )
            again = set(unanswered.scalars())
            due = connection.execute(
                update(_schedule)
                .where(_schedule.c.due <= now, self._silent(_schedule))
                .values(announced=now)
                .returning(_schedule.c.actor, _schedule.c.queue, _schedule.c.name)
            ).all()
        return chosen + [Hint(row.actor, row.queue, row.name, row.name in again) for row in due]

    def _choose_steps(self, connection: Connection) -> list[Hint]:
        now = clock.now()
        outstanding = self._outstanding(connection)
        window = self._platform.settings.window
        by_organisation = (_step.c.queue, _step.c.organisation_id)
        turn = func.row_number().over(partition_by=by_organisation, order_by=(_step.c.due, _step.c.dossier_id)).label("turn")
        silent = (
            select(_step.c.dossier_id, *by_organisation, _step.c.due, _step.c.announced, turn)
            .where(_step.c.due <= now, self._silent(_step))
            .subquery()
        )
        place = func.row_number().over(partition_by=silent.c.queue, order_by=(silent.c.turn, silent.c.due)).label("place")
        first = select(silent, place).subquery()
        rows = connection.execute(select(first).where(first.c.place <= 2 * window)).all()
        rows_in_turn = sorted(rows, key=lambda row: (row.turn + outstanding.get((row.queue, row.organisation_id), 0), row.due))
        room = self._room(outstanding)
        chosen = []
        for row in rows_in_turn:
            left = room.setdefault(row.queue, window)
            if left > 0:
                room[row.queue] = left - 1
                chosen.append(row.dossier_id)
        if not chosen:
            return []
        marked = connection.execute(
            update(_step)
            .where(_step.c.dossier_id.in_(chosen), self._silent(_step))
            .values(announced=now)
            .returning(_step.c.dossier_id, _step.c.stage, _step.c.queue)
        ).all()
        again = {row.dossier_id for row in rows if row.announced is not None}
        rank = {identifier: place for place, identifier in enumerate(chosen)}
        marked_in_turn = sorted(marked, key=lambda row: rank[row.dossier_id])
        return [Hint(row.stage, row.queue, row.dossier_id, row.dossier_id in again) for row in marked_in_turn]

    def _outstanding(self, connection: Connection) -> dict[tuple[str, str], int]:
        now = clock.now()
        rows = connection.execute(
            select(_step.c.queue, _step.c.organisation_id, func.count().label("waiting"))
            .where(_step.c.announced >= now - self._redelivery, _step.c.lease.is_(None), _step.c.due <= now)
            .group_by(_step.c.queue, _step.c.organisation_id)
        )
        return {(row.queue, row.organisation_id): row.waiting for row in rows}

    def _room(self, outstanding: dict[tuple[str, str], int]) -> dict[str, int]:
        room: dict[str, int] = {}
        for (queue, _), count in outstanding.items():
            room[queue] = room.get(queue, self._platform.settings.window) - count
        return room

    def _silent(self, table: Table) -> ColumnElement[bool]:
        now, columns = clock.now(), table.c
        return or_(columns.announced.is_(None), columns.announced < now - self._redelivery) & or_(
            columns.leased_until.is_(None), columns.leased_until < now
        )

    def _take_back(self, hints: list[Hint]) -> None:
        identifiers = [hint.argument for hint in hints]
        with self._platform.database.writing(PLATFORM) as session:
            connection = session.connection()
            connection.execute(update(_step).where(_step.c.dossier_id.in_(identifiers)).values(announced=None))
            connection.execute(update(_schedule).where(_schedule.c.name.in_(identifiers)).values(announced=None))
