"""The audits: which there are, how fast each goes round, how one is gone on with, and what becomes of what it finds.

What lives here: passes and their pace. What does not: what each kind of audit looks at (`existence`, `integrity`, `papers`,
`consistency`, `journal`), what becomes of an incident (`incidents`).

A pass looks at everything once, and is gone on with by a scheduled run every few minutes, at the pace at which it ends within
its rhythm: the integrity of a million packages is read in small portions all year round, that of a hundred on one day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

import structlog
from sqlalchemy import func
from sqlmodel import col, select

from archive.places.places import places_of
from archive.watch import consistency, existence, integrity, journal, papers
from archive.watch.incidents import Kind, open_incident
from archive.watch.looking import Audit, Budget, Look, Trouble
from archive.watch.models import AuditRun
from core import clock
from core.errors import Misconfigured, Unavailable
from core.organisations import Organisation
from core.places import PRINCIPAL
from core.platform import Platform
from core.principal import PLATFORM

_log = structlog.get_logger()
ACTOR, QUEUE, EVERY = "archive.audit", "archive", timedelta(minutes=5)
_LARGEST = 1 << 30
"""How many bytes one go reads at most, beside the one that goes beyond."""
_AHEAD = 0.9
"""A pass aims at this part of its rhythm, so that a day without power does not make it late."""
_DAY = timedelta(days=1)
_GRACE = timedelta(days=1)
"""An audit is behind once it lags by more than this: a day without power is made up for."""


class AuditKind(StrEnum):
    """What is audited; the words stand in the catalogue of the pages."""

    EXISTENCE = "existence"
    INTEGRITY = "integrity"
    PAPERS = "papers"
    CONSISTENCY = "consistency"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How an audit is carried out.

    Attributes:
        by_place: whether there is a pass for each place, or one for all of them.
        days: within which everything is looked at; None for the rhythm of the place.
        daily: how many things are looked at in a day at least, as long as there are so many.
        most: how many in one go at most.
    """

    audit: Audit
    by_place: bool
    days: int | None
    daily: int
    most: int


_PLANS: dict[AuditKind, _Plan] = {
    AuditKind.EXISTENCE: _Plan(cast("Audit", existence), by_place=True, days=30, daily=2000, most=2000),
    AuditKind.INTEGRITY: _Plan(cast("Audit", integrity), by_place=True, days=None, daily=100, most=500),
    AuditKind.PAPERS: _Plan(cast("Audit", papers), by_place=True, days=None, daily=500, most=500),
    AuditKind.CONSISTENCY: _Plan(cast("Audit", consistency), by_place=False, days=365, daily=100, most=200),
    AuditKind.JOURNAL: _Plan(cast("Audit", journal), by_place=False, days=30, daily=100_000, most=20_000),
}


@dataclass(frozen=True, slots=True)
class Duty:
    """A kind of audit, and the place it is about; an empty one for what is kept in the database."""

    kind: AuditKind
    place: str


Progress = Callable[[Duty, AuditRun], None]
"""Told after every go of a pass."""


def duties(platform: Platform, kinds: Sequence[AuditKind] = tuple(AuditKind), place: str | None = None) -> Iterator[Duty]:
    """Return what there is to audit, for one place only when it is named: what is about no place is left out then."""
    for kind in kinds:
        if _PLANS[kind].by_place:
            yield from (Duty(kind, one.name) for one in places_of(platform) if place in {None, one.name})
        elif place is None:
            yield Duty(kind, "")


def go_on(platform: Platform) -> None:
    """Go on with every audit as far as its pace asks; the scheduled run. A place that is silent stops its own audits only.

    Raises:
        ExceptionGroup: what stopped some of them, once each of the others had its turn.
    """
    faults: list[Exception] = []
    for duty in duties(platform):
        try:
            run = _under_way(platform, duty)
            if run is not None and (owed := _owed(platform, duty, run)) > 0:
                _go(platform, duty, run, min(owed, _PLANS[duty.kind].most))
        except (Unavailable, Misconfigured) as error:
            _log.warning("audit.silent", kind=duty.kind.value, place=duty.place, reason=str(error))
            silent(platform, duty)
        except Exception as error:  # noqa: BLE001 - a row that nobody expected must not keep the others from being looked at
            error.add_note(f"audit of {duty.kind.value} {duty.place}".strip())
            faults.append(error)
    if faults:
        raise ExceptionGroup("audits that could not go on", faults)


def silent(platform: Platform, duty: Duty) -> Trouble:
    """Open the incident of an audit whose place does not answer; what is about no place needs the principal one."""
    place = duty.place or PRINCIPAL
    trouble = Trouble(Kind.PLACE_SILENT, place, place)
    _open(platform, [trouble])
    return trouble


def sample(platform: Platform, duty: Duty) -> tuple[AuditRun, tuple[Trouble, ...]]:
    """Look at what comes first, as much as on any day; it is no pass, and is not kept as one.

    Raises:
        Unavailable: the place does not answer.
    """
    run = _begun(platform, duty)
    found = _look(platform, duty, run, _PLANS[duty.kind].daily)
    _open(platform, found.troubles)
    _count(run, found)
    return run, found.troubles


def whole(platform: Platform, duty: Duty, progress: Progress) -> tuple[AuditRun, tuple[Trouble, ...]]:
    """Look at everything now, and keep the pass once it has ended.

    Raises:
        Unavailable: the place does not answer.
    """
    run, troubles = _begun(platform, duty), list[Trouble]()
    while run.ended is None:
        found = _look(platform, duty, run, _PLANS[duty.kind].most)
        _open(platform, found.troubles)
        _count(run, found)
        troubles += found.troubles
        progress(duty, run)
    with platform.database.writing(PLATFORM) as session:
        session.add(run)
    return run, tuple(troubles)


def _under_way(platform: Platform, duty: Duty) -> AuditRun | None:
    """Return the pass to go on with, begun when it is time; None when the last one was begun less than a day ago.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    last = _last(platform, duty)
    if last is not None and (last.ended is None or clock.now() < last.started + _DAY):
        return last if last.ended is None else None
    run = _begun(platform, duty)
    with platform.database.writing(PLATFORM) as session:
        session.add(run)
    return run


def _last(platform: Platform, duty: Duty) -> AuditRun | None:
    same = (AuditRun.kind == duty.kind.value, AuditRun.place == duty.place)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(AuditRun).where(*same).order_by(col(AuditRun.started).desc()).limit(1)).first()


def _begun(platform: Platform, duty: Duty) -> AuditRun:
    total = _PLANS[duty.kind].audit.total(platform, duty.place)
    return AuditRun(kind=duty.kind.value, place=duty.place, started=clock.now(), total=total)


def _owed(platform: Platform, duty: Duty, run: AuditRun) -> int:
    """Return how many things the pace asks to look at now; it makes up for the time in which nothing ran."""
    a_day = max(run.total / (_days(platform, duty) * _AHEAD), _PLANS[duty.kind].daily)
    return int(a_day * ((clock.now() - run.started) / _DAY)) + 1 - run.looked


def _days(platform: Platform, duty: Duty) -> int:
    rhythm = (place.audit_days for place in places_of(platform) if place.name == duty.place)
    return _PLANS[duty.kind].days or next(rhythm)


def _go(platform: Platform, duty: Duty, run: AuditRun, count: int) -> None:
    found = _look(platform, duty, run, count)
    _open(platform, found.troubles)
    _count(run, found)
    with platform.database.writing(PLATFORM) as session:
        session.add(run)


def _look(platform: Platform, duty: Duty, run: AuditRun, count: int) -> Look:
    return _PLANS[duty.kind].audit.look(platform, duty.place, run.started, run.cursor, Budget(count, _LARGEST))


def _count(run: AuditRun, found: Look) -> None:
    run.looked += found.looked
    run.size += found.size
    run.failed += len(found.troubles)
    run.cursor = found.cursor or ""
    run.ended = clock.now() if found.cursor is None else None


def _open(platform: Platform, troubles: Sequence[Trouble]) -> None:
    """Open an incident for each; one that is open already is seen again."""
    for trouble in troubles:
        with platform.database.writing(PLATFORM) as session:
            open_incident(
                session,
                organisation_id=trouble.organisation_id,
                kind=trouble.kind.value,
                place=trouble.place,
                subject=trouble.subject,
                facts=trouble.facts,
            )


def behind(platform: Platform) -> list[Duty]:
    """Return the audits that lag: not begun when it was time, or so slow that they do not end within their rhythm."""
    return [duty for duty in duties(platform) if clock.now() > _due(platform, duty) + _GRACE]


def _due(platform: Platform, duty: Duty) -> datetime:
    """Return when an audit should be further than it is: when it should have begun, or looked at one thing more."""
    last = _last(platform, duty)
    if last is None:
        with platform.database.reading(PLATFORM) as session:
            return session.exec(select(func.min(Organisation.created))).one() or clock.now()
    if last.ended is not None:
        return max(last.started + _DAY, last.ended)
    looked = min(last.looked / last.total, 1) if last.total else 1
    return last.started + _days(platform, duty) * _DAY * looked


def last_runs(platform: Platform, since: datetime) -> list[AuditRun]:
    """Return the passes under way, and those that were begun after a moment, the newest first."""
    asked = select(AuditRun).where((col(AuditRun.started) >= since) | col(AuditRun.ended).is_(None))
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(asked.order_by(col(AuditRun.started).desc())))
