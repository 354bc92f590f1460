"""Which incidents wait for somebody, and who was told of them by mail, when.

What lives here: what is kept of it. What does not: the message and whom it goes to, which need what stands above the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, and_, delete, func, insert, literal, or_
from sqlmodel import Session, col, select

from archive.watch.models import Incident, IncidentNotice, IncidentState
from core.database import Database, UtcDateTime
from core.principal import PLATFORM

_notice: Table = IncidentNotice.__table__  # type: ignore[attr-defined]
MOST = 10_000
"""Incidents that one message tells of; those beyond are told by the next one."""
_ROWS = 500
_WAITS = and_(col(Incident.closed).is_(None), col(Incident.state) == IncidentState.OPEN.value)


def concerned(session: Session) -> set[str]:
    """Return the organisations whose incidents wait for somebody to take them up."""
    return set(session.exec(select(Incident.organisation_id).where(_WAITS).distinct()))


def last_told(session: Session, person_id: str) -> datetime | None:
    """Return when a person was last told of an incident that the session sees."""
    return session.exec(select(func.max(IncidentNotice.at)).where(IncidentNotice.person_id == person_id)).one()


def untold(session: Session, person_id: str, since: datetime) -> list[tuple[Incident, bool]]:
    """Return the incidents that wait for somebody and that a person was not told of since a moment, the newest first.

    Returns:
        Each with whether the person was told of it before; ``MOST`` at most.
    """
    told = col(IncidentNotice.at)
    of_person = and_(col(IncidentNotice.incident_id) == Incident.id, col(IncidentNotice.person_id) == person_id)
    asked = (
        select(Incident, told)
        .outerjoin(IncidentNotice, of_person)
        .where(_WAITS, or_(told.is_(None), told < literal(since, UtcDateTime())))
        .order_by(col(Incident.opened).desc(), col(Incident.id).desc())
    )
    return [(incident, before is not None) for incident, before in session.exec(asked.limit(MOST))]


def note(database: Database, person_id: str, told: Sequence[Incident], at: datetime) -> None:
    """Write down that a person was told of incidents."""
    rows = [{"incident_id": one.id, "person_id": person_id, "organisation_id": one.organisation_id, "at": at} for one in told]
    with database.writing(PLATFORM) as session:
        connection = session.connection()
        for first in range(0, len(rows), _ROWS):
            some = rows[first : first + _ROWS]
            same = _notice.c.incident_id.in_([row["incident_id"] for row in some])
            connection.execute(delete(_notice).where(_notice.c.person_id == person_id, same))
            connection.execute(insert(_notice), some)
