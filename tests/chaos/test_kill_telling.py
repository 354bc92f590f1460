"""Killed anywhere between a decision and Chorus Pro, the platform tells it once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import dramatiq
import pytest
from sqlmodel import select

from connectors.chorus import services
from connectors.chorus.statuses import Status
from core import clock
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine import transitions
from flows.invoices.deciding import Asked, ask
from flows.invoices.models import InvoiceTarget, TargetState
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import TELLING_POINTS
from tests.conftest import Shape
from tests.invoices import InvoicesTown, chorus
from tests.waiting import wait_until


@pytest.fixture
def invoices(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Iterator[InvoicesTown]:
    with chorus(tmp_path / "state") as state:
        town = InvoicesTown(platform, broker, mairie, state)
        town.prepare()
        yield town


def let_go(platform: Platform) -> None:
    """Let the holds of what died be over: those of the run, and of the status that it had in hand."""
    transitions.take_up(platform.database)
    with platform.database.writing(PLATFORM) as session:
        for target in session.exec(select(InvoiceTarget)):
            target.not_before = clock.now()
            session.add(target)


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_tells_a_status_once(invoices: InvoicesTown, shape: Shape, s3: S3Server, tmp_path: Path) -> None:
    environment = environment_of(invoices.platform, s3, shape)
    decided = []
    for rank, point in enumerate(TELLING_POINTS):
        (known,) = invoices.arrive(moment=clock.now())
        decided.append((known, invoices.rest(known)))
        ask(invoices.platform, PLATFORM, decided[-1][1], [Asked(Status.SERVICE_DONE)])
        with worker(environment, point.name, str(tmp_path / f"died-{rank}")) as process:
            process.join(timeout=120)
            died = process.exitcode
        assert died == -signal.SIGKILL, f"{point.name}: the worker ended with {died}\n{last_words(environment)}"
        transitions.take_up(invoices.platform.database)
    let_go(invoices.platform)
    with worker(environment):
        wait_until(
            lambda: all(one.state == TargetState.TOLD for _, dossier in decided for one in invoices.targets(dossier)),
            seen=lambda: repr([(one.state, one.trouble) for _, dossier in decided for one in invoices.targets(dossier)]),
        )
    sent = [call.request["idFacture"] for call in invoices.state.calls(services.TREAT.path)]
    assert sorted(sent) == sorted(known for known, _ in decided)
    assert [invoices.state.statuses(known)[-1] for known, _ in decided] == [Status.SERVICE_DONE] * len(decided)
