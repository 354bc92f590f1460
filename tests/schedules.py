"""The scheduled runs of a platform in tests that are about one room: those of the archive and its like wait."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import and_, col, or_, update

from api.runtime import plan_schedules
from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Schedule

_WAITING, _BUT = ("archive.", "sittings.", "uploads."), "archive.proof."


def plan_without_archive(platform: Platform) -> None:
    """Plan everything; what audits, extends locks and sweeps is due in an hour, as on a platform that just did."""
    plan_schedules(platform)
    named = or_(*(col(Schedule.actor).startswith(prefix) for prefix in _WAITING))
    waiting = and_(named, ~col(Schedule.actor).startswith(_BUT))
    with platform.database.writing(PLATFORM) as session:
        session.connection().execute(update(Schedule).where(waiting).values(due=clock.now() + timedelta(hours=1)))
