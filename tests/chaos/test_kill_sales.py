"""Killed anywhere between an invoice of ours and what becomes of it, the platform deposits it once, and answers once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest

from connectors.chorus.statuses import Status
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.invoices.issued import deciding
from tests.chaos.conftest import environment_of, last_words, worker
from tests.chaos.points import ANSWERING_POINTS, SALES_POINTS
from tests.conftest import Shape
from tests.invoices import InvoicesTown, chorus
from tests.sales import Shop, piece
from tests.waiting import wait_until


@pytest.fixture
def shop(platform: Platform, broker: dramatiq.Broker, mairie: Organisation, tmp_path: Path) -> Iterator[Shop]:
    with chorus(tmp_path / "state") as state:
        town = InvoicesTown(platform, broker, mairie, state)
        town.prepare()
        yield Shop(town)


def _die(environment: dict[str, str], point: str, marker: Path) -> None:
    with worker(environment, point, str(marker)) as process:
        process.join(timeout=120)
        died = process.exitcode
    assert died == -signal.SIGKILL, f"{point}: the worker ended with {died}\n{last_words(environment)}"


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_leaves_one_deposit(
    shop: Shop, shape: Shape, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "TREATED_WITHIN", timedelta())
    environment = environment_of(shop.town.platform, s3, shape)
    invoices = {}
    for rank, point in enumerate(SALES_POINTS):
        invoices[f"V-{rank}"] = shop.receive(shop.invoice(f"V-{rank}")).id
        _die(environment, point.name, tmp_path / f"died-{rank}")
    with worker(environment):
        wait_until(lambda: _is_settled(shop, invoices), seen=lambda: repr(_states(shop, invoices)))
        # Killed between the note and the call: nobody can know that nothing left, and nothing did.
        doubtful = [number for number, state in _states(shop, invoices).items() if state == "uncertain"]
        assert 1 <= len(doubtful) < len(invoices)
        for number in doubtful:
            deciding.send_again(shop.town.platform, PLATFORM, invoices[number])
        wait_until(lambda: set(_states(shop, invoices).values()) == {"issued"}, seen=lambda: repr(_states(shop, invoices)))
    assert [len(shop.at_chorus(number)) for number in invoices] == [1] * len(SALES_POINTS)
    assert len(set(shop.deposits())) == len(shop.deposits()) == len(SALES_POINTS)


@pytest.mark.parametrize("shape", ["postgresql-rabbitmq"], indirect=True)
def test_a_kill_anywhere_leaves_one_answer(shop: Shop, shape: Shape, s3: S3Server, tmp_path: Path) -> None:
    town = shop.town
    environment = environment_of(town.platform, s3, shape)
    dossier = shop.receive(shop.invoice())
    with worker(environment):
        town.wait_for(dossier.id, "issued")
    (known,) = shop.at_chorus("V-2026-1")
    for rank, point in enumerate(ANSWERING_POINTS):
        town.suspend(known)
        with worker(environment):
            town.wait_for(dossier.id, "suspended")
        deciding.complete(town.platform, PLATFORM, dossier.id, "Le voici.", [piece(town, "bon.pdf")])
        _die(environment, point.name, tmp_path / f"died-{rank}")
        with worker(environment):
            town.wait_for(dossier.id, "issued")
    assert town.state.statuses(known).count(Status.COMPLETED) == len(ANSWERING_POINTS)
    assert [one.status for one in town.state.calls("completer")] == [200] * len(ANSWERING_POINTS)


def _states(shop: Shop, invoices: dict[str, str]) -> dict[str, str]:
    return {number: shop.town.dossier(dossier).state for number, dossier in invoices.items()}


def _is_settled(shop: Shop, invoices: dict[str, str]) -> bool:
    """Tell whether every invoice is issued, or uncertain and not at Chorus Pro."""
    told = _states(shop, invoices)
    return all(state == "issued" or (state == "uncertain" and not shop.at_chorus(number)) for number, state in told.items())
