"""When an audit is behind its rhythm: not begun when it was time, or so slow that it would not end within it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from archive.watch import audits
from archive.watch.audits import AuditKind, Duty
from archive.watch.models import AuditRun
from core import clock
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

# Moments are compared in the database, and the two do not keep them alike.
pytestmark = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
DAY = timedelta(days=1)
JOURNAL = Duty(AuditKind.JOURNAL, "")


@pytest.fixture
def begun(platform: Platform, mairie: Organisation) -> datetime:
    """When the platform was made, long ago, and every audit but one has just ended a pass."""
    now = clock.now()
    with platform.database.writing(PLATFORM) as session:
        for identifier in (mairie.id, mairie.parent_id):
            session.get_one(Organisation, identifier).created = now - 9 * DAY
        for duty in audits.duties(platform):
            if duty != JOURNAL:
                session.add(AuditRun(kind=duty.kind.value, place=duty.place, started=now, ended=now))
    return now


def ran(platform: Platform, started: datetime, ended: datetime | None = None, looked: int = 0, total: int = 300) -> list[Duty]:
    """Let the audit of the journal have been begun at a moment; return what is behind."""
    run = AuditRun(kind=JOURNAL.kind.value, place="", started=started, ended=ended, looked=looked, total=total)
    with platform.database.writing(PLATFORM) as session:
        session.add(run)
    return audits.behind(platform)


def test_one_that_was_never_begun_is_behind_unless_the_platform_is_new(platform: Platform, begun: datetime) -> None:
    assert audits.behind(platform) == [JOURNAL]
    with platform.database.writing(PLATFORM) as session:
        for organisation in session.exec(select(Organisation)):
            organisation.created = begun
    assert audits.behind(platform) == []


@pytest.mark.parametrize(
    ("started", "looked", "late"),
    # Of 300 entries 10 a day keep the rhythm of 30 days; a day of grace is given.
    [(0.5, 0, False), (1.5, 0, True), (10.5, 100, False), (11.5, 100, True), (30.5, 300, False), (31.5, 300, True)],
)
@pytest.mark.usefixtures("begun")
def test_one_under_way_is_behind_once_it_is_a_day_slower_than_its_rhythm(
    platform: Platform, started: float, looked: int, late: bool
) -> None:
    assert ran(platform, clock.now() - started * DAY, looked=looked) == [JOURNAL] * late


def test_one_that_ended_is_behind_when_no_other_was_begun_after_it(platform: Platform, begun: datetime) -> None:
    assert ran(platform, begun - 2.1 * DAY, begun - 2 * DAY) == [JOURNAL]
    assert ran(platform, begun - 1.9 * DAY, begun - 1.9 * DAY) == []
    assert ran(platform, begun - 1 * DAY, looked=5) == []
