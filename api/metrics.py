"""What Prometheus reads: requests counted by this process, and the state of the work, asked of the database at each reading."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlmodel import col, select

from archive.proof.heads import last_anchor
from archive.watch import incidents, state
from core import clock
from core.database import Database, ScopedSession
from core.principal import PLATFORM
from flows.engine import relay, schedule
from flows.engine.models import Dossier, Step

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0)


class Requests:
    """Counts requests by route, method and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter("tabellion_http_requests", "HTTP requests.", ("method", "route", "status"), registry=registry)
        self._seconds = Histogram(
            "tabellion_http_seconds", "Time to answer, in seconds.", ("method", "route"), buckets=_BUCKETS, registry=registry
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._count.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class WorkCollector(Collector):
    """The work as the database knows it: dossiers by state, parked ones, steps that are due and for how long."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[GaugeMetricFamily]:
        """Announce nothing: registering must not ask the database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the database."""
        dossiers = GaugeMetricFamily("tabellion_dossiers", "Dossiers by flow and state.", labels=("flow", "state"))
        parked = GaugeMetricFamily("tabellion_dossiers_parked", "Dossiers that wait for an operator.", labels=("flow",))
        due = GaugeMetricFamily("tabellion_steps_due", "Steps that are due, by queue.", labels=("queue",))
        age = GaugeMetricFamily("tabellion_steps_oldest_seconds", "Age of the oldest step that is due.", labels=("queue",))
        now = clock.now()
        with self._database.reading(PLATFORM) as session:
            for flow, state, count in session.exec(
                select(Dossier.flow, Dossier.state, func.count()).group_by(col(Dossier.flow), col(Dossier.state))
            ):
                dossiers.add_metric((flow, state), count)
            for flow, count in session.exec(
                select(Dossier.flow, func.count()).where(col(Dossier.parked).is_not(None)).group_by(col(Dossier.flow))
            ):
                parked.add_metric((flow,), count)
            for queue, count, oldest in session.exec(
                select(Step.queue, func.count(), func.min(Step.due)).where(col(Step.due) <= now).group_by(col(Step.queue))
            ):
                due.add_metric((queue,), count)
                age.add_metric((queue,), max(0.0, (now - oldest).total_seconds()))
            yield from _in_trouble(session)
            yield from _of_the_archive(session)
        yield from (dossiers, parked, due, age)


def _in_trouble(session: ScopedSession) -> Iterator[GaugeMetricFamily]:
    """Ask what fails and will be tried again: a neighbour that is down makes nothing late, for its steps are put off."""
    steps = GaugeMetricFamily("tabellion_steps_failing", "Steps to be tried again after a failure.", labels=("queue",))
    schedules = GaugeMetricFamily("tabellion_schedules_troubled", "Schedules whose last run failed.", labels=("actor",))
    for queue, count in relay.failing(session).items():
        steps.add_metric((queue,), count)
    for actor, count in Counted(name.partition(":")[0] for name, _ in schedule.troubled(session)).items():
        schedules.add_metric((actor,), count)
    yield from (steps, schedules)


def _of_the_archive(session: ScopedSession) -> Iterator[GaugeMetricFamily]:
    """Ask how the archive stands: incidents, the oldest look at what each place holds, the age of the last head."""
    waiting = GaugeMetricFamily("tabellion_archive_incidents", "Incidents that are not closed.", labels=("state",))
    unread = GaugeMetricFamily(
        "tabellion_archive_oldest_check_seconds", "Time since the copy read back least recently was read.", labels=("place",)
    )
    head = GaugeMetricFamily("tabellion_archive_head_seconds", "Age of the last timestamp of the journal.")
    now = clock.now()
    for told, count in {"open": 0, "owned": 0, **incidents.counts(session)}.items():
        waiting.add_metric((told,), count)
    for place, oldest in state.oldest_checks(session).items():
        unread.add_metric((place,), max(0.0, (now - oldest).total_seconds()))
    anchored = last_anchor(session)
    if anchored is not None:
        head.add_metric((), max(0.0, (now - anchored).total_seconds()))
    yield from (waiting, unread, head)
