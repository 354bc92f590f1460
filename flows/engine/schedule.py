"""What runs again and again: once at a time on the whole platform, caught up after an interruption.

The relay announces what is due, as it does for dossiers; the runner below takes a lease, runs, and sets the next moment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import dramatiq
import structlog
from sqlalchemy import Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from core import clock
from core.database import Database
from core.errors import TabellionError
from core.identifiers import new_id
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.execution import Engine
from flows.engine.models import Schedule

_log = structlog.get_logger()
_messages = Catalogue("flows.engine")
_schedule: Table = Schedule.__table__  # type: ignore[attr-defined]

Run = Callable[[Platform, str], None]


def declare(engine: Engine, actor: str, queue: str, run: Run) -> None:
    """Declare the actor of a scheduled run; it is given the key of the schedule's name."""

    def perform(name: str) -> None:
        _perform(engine, name, run)

    dramatiq.actor(actor_name=actor, queue_name=queue, broker=engine.broker)(perform)


def plan(database: Database, actor: str, queue: str, every: timedelta, key: str = "") -> None:
    """Make sure that a schedule exists, with this interval."""
    name = f"{actor}:{key}" if key else actor
    milliseconds = int(every.total_seconds() * 1000)
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        changed = connection.execute(update(_schedule).where(_schedule.c.name == name).values(every=milliseconds))
        if changed.rowcount:
            return
        values = {"name": name, "actor": actor, "key": key, "queue": queue, "every": milliseconds, "due": clock.now()}
        try:
            with connection.begin_nested():
                connection.execute(insert(_schedule).values(**values))
        except IntegrityError:
            _log.debug("schedule.exists", name=name)  # another process planned it in between: the same plan


def hasten(session: Session, actor: str, key: str) -> None:
    """Let a scheduled run take place at once, when the session's transaction ends: there is something for it to do.

    One that is under way looks again at its next turn.
    """
    waiting = (_schedule.c.name == f"{actor}:{key}") & _schedule.c.lease.is_(None)
    session.connection().execute(update(_schedule).where(waiting).values(due=clock.now(), announced=None))


def troubled(session: Session) -> list[tuple[str, str]]:
    """Return the schedules whose last run did not succeed, by name, each with what stood in its way."""
    failed = select(_schedule.c.name, _schedule.c.trouble).where(_schedule.c.trouble.is_not(None)).order_by(_schedule.c.name)
    return [(name, trouble) for name, trouble in session.connection().execute(failed)]


def _perform(engine: Engine, name: str, run: Run) -> None:
    database = engine.platform.database
    lease = _claim(database, name, timedelta(seconds=engine.platform.settings.lease_seconds))
    if lease is None:
        return
    trouble = None
    engine.leases.hold(lease)
    try:
        run(engine.platform, name.partition(":")[2])
    except TabellionError as error:
        trouble = str(error)
        _log.warning("schedule.troubled", name=name, reason=trouble)
    except Exception:  # noqa: BLE001 - a fault of ours must not end the schedule: logged whole, told to the operator, run again
        trouble = _messages("schedule.fault")
        _log.exception("schedule.failed", name=name)
    finally:
        engine.leases.release(lease)
    _release(database, name, lease, trouble)


def _claim(database: Database, name: str, lease_for: timedelta) -> str | None:
    now, lease = clock.now(), new_id()
    free = (
        select(_schedule.c.name)
        .where(_schedule.c.name == name, _schedule.c.due <= now)
        .where(_schedule.c.leased_until.is_(None) | (_schedule.c.leased_until < now))
        .with_for_update(skip_locked=True)
    )
    with database.writing(PLATFORM) as session:
        taken = session.connection().execute(
            update(_schedule).where(_schedule.c.name.in_(free)).values(lease=lease, leased_until=now + lease_for)
        )
        return lease if taken.rowcount else None


def _release(database: Database, name: str, lease: str, trouble: str | None) -> None:
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        every = connection.execute(select(_schedule.c.every).where(_schedule.c.name == name)).scalar_one()
        connection.execute(
            update(_schedule)
            .where(_schedule.c.name == name, _schedule.c.lease == lease)
            .values(
                lease=None,
                leased_until=None,
                announced=None,
                due=clock.now() + timedelta(milliseconds=every),
                trouble=trouble,
            )
        )
