"""What goes wrong with Chorus Pro, told for what it is: nothing lost, nothing done twice, nothing left half written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from chorus_gateways import Side, opened

from connectors.chorus import client, errors, services
from connectors.chorus.answers import Format
from connectors.chorus.client import Chorus
from connectors.chorus.errors import Denial
from connectors.chorus.searching import Search
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.simulated_oddities import Oddity
from connectors.chorus.simulated_world import DEMONSTRATION

SEARCH = "factures/v1/rechercher/recipiendaire"
IMPATIENT = {"read_timeout": 0.5}


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    with opened(tmp_path / "chorus") as both:
        yield both


@pytest.fixture
def chorus(side: Side) -> Chorus:
    return side.client()


def test_a_token_serves_many_calls_and_is_renewed_before_its_end(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.token_seconds = 480
    for _ in range(3):
        chorus.tax_rates()
    assert _tokens(side) == 1


def test_a_token_shorter_than_the_margin_serves_all_the_same(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.token_seconds = 60
    chorus.tax_rates()
    chorus.tax_rates()
    assert _tokens(side) == 1


def test_threads_and_organisations_share_one_token(side: Side) -> None:
    clients = [side.client(), side.client("TECH_2@cpro.fr")] * 4
    threads = [threading.Thread(target=one.tax_rates) for one in clients]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert _tokens(side) == 1
    assert len(side.evidence) == len(clients)


def test_a_refused_token_is_replaced_once_and_the_call_done_once(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit()
    chorus.health()
    side.simulator.forget_tokens()
    chorus.treat(known, "SERVICE_FAIT")
    assert [one.status for one in side.simulator.calls("traiter/recue")] == [401, 200]
    assert [one.status for one in side.evidence][-2:] == [401, 200]
    assert side.simulator.statuses(known).count("SERVICE_FAIT") == 1


def test_a_call_is_not_replayed_twice(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.faults.plan(Mishap.UNAUTHORIZED, "tauxtva", times=3)
    with pytest.raises(errors.AccountRefused) as refused:
        chorus.tax_rates()
    assert refused.value.denial is Denial.CREDENTIALS
    assert len(side.simulator.calls()) == 2


def test_a_token_without_a_value_is_refused(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.faults.plan(Mishap.EMPTY, "token")
    with pytest.raises(errors.AnswerUnreadable, match="jeton"):
        chorus.tax_rates()
    assert side.simulator.calls() == []


def test_a_token_without_a_duration_is_refused(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.token_seconds = 0
    with pytest.raises(errors.AnswerUnreadable, match="jeton"):
        chorus.tax_rates()


def test_a_wrong_application_is_the_operators_matter(side: Side) -> None:
    with pytest.raises(errors.ApplicationRefused, match="Client authentication failed"):
        side.client(operator={"client_secret": "faux"}).tax_rates()


@pytest.mark.parametrize(
    ("mishap", "error"),
    [
        (Mishap.FAILED, errors.ChorusUnavailable),
        (Mishap.BUSY, errors.ChorusUnavailable),
        (Mishap.QUOTA, errors.QuotaReached),
        (Mishap.PAGE, errors.AddressWrong),
    ],
)
def test_tokens_that_cannot_be_had(side: Side, chorus: Chorus, mishap: Mishap, error: type[Exception]) -> None:
    side.simulator.gateway.faults.plan(mishap, "token")
    with pytest.raises(error):
        chorus.tax_rates()
    chorus.tax_rates()


def test_each_denial_has_its_own_sentence(side: Side, chorus: Chorus) -> None:
    first = DEMONSTRATION.accounts[0]
    search = frozenset({SEARCH})
    worlds = {
        Denial.SUBSCRIPTION: replace(DEMONSTRATION, subscribed=frozenset({"transverses"})),
        Denial.RIGHTS: replace(DEMONSTRATION, accounts=(replace(first, denied=search),)),
        Denial.ACCOUNT: replace(DEMONSTRATION, accounts=DEMONSTRATION.accounts[1:]),
        Denial.CREDENTIALS: replace(DEMONSTRATION, accounts=(replace(first, expires=date(2026, 9, 30)),)),
    }
    sentences = set()
    for denial, world in worlds.items():
        side.simulator.portal.world = world
        with pytest.raises(errors.AccountRefused) as refused:
            list(chorus.received(Search()))
        assert refused.value.denial is denial
        assert side.evidence[-1].correlation in str(refused.value)
        sentences.add(str(refused.value).partition("Corrélation")[0])
    assert len(sentences) == len(worlds)


@pytest.mark.parametrize("mishap", [Mishap.FAILED, Mishap.BUSY, Mishap.LOST, Mishap.HALF])
def test_servers_that_fail_are_tried_again_later_and_stay_in_evidence(side: Side, chorus: Chorus, mishap: Mishap) -> None:
    side.simulator.emit()
    side.simulator.gateway.faults.plan(mishap, SEARCH)
    with pytest.raises(errors.ChorusUnavailable):
        list(chorus.received(Search()))
    assert len(side.evidence) == 1
    assert [len(page.invoices) for page in chorus.received(Search())] == [1, 0]


def test_an_answer_that_never_comes(side: Side) -> None:
    chorus = side.client(operator=IMPATIENT)
    (known,) = side.simulator.emit()
    side.simulator.gateway.faults.plan(Mishap.SILENT, "traiter/recue")
    with pytest.raises(errors.ChorusUnavailable):
        chorus.treat(known, "SERVICE_FAIT")
    assert side.evidence[-1].status == 0
    assert chorus.history(known).status == "SERVICE_FAIT"  # it was done: whoever asked reads before asking again
    assert len(side.simulator.calls("traiter/recue")) == 1


def test_an_answer_that_drips_is_given_up(side: Side) -> None:
    chorus = side.client(operator={"total_timeout": 0.3})
    side.simulator.gateway.faults.plan(Mishap.SLOW, "tauxtva")
    with pytest.raises(errors.ChorusUnavailable, match="trop lente"):
        chorus.tax_rates()


@pytest.mark.parametrize("mishap", [Mishap.HALF, Mishap.LOST, Mishap.FAILED])
def test_nothing_stays_of_half_a_download(side: Side, chorus: Chorus, tmp_path: Path, mishap: Mishap) -> None:
    (known,) = side.simulator.emit(pieces=1, weight=1 << 20)
    target = tmp_path / "pivot.xml"
    side.simulator.gateway.faults.plan(mishap, services.DOWNLOAD.path)
    with pytest.raises(errors.ChorusUnavailable):
        chorus.download(known, Format.PIVOT, target)
    assert not target.exists()
    chorus.download(known, Format.PIVOT, target)
    assert target.stat().st_size > 1 << 20


def test_a_page_of_something_in_between(side: Side, chorus: Chorus, tmp_path: Path) -> None:
    (known,) = side.simulator.emit()
    side.simulator.gateway.faults.plan(Mishap.PAGE, SEARCH)
    side.simulator.gateway.faults.plan(Mishap.PAGE, services.DOWNLOAD.path)
    with pytest.raises(errors.AnswerUnreadable):
        list(chorus.received(Search()))
    with pytest.raises(errors.AnswerUnreadable):
        chorus.download(known, Format.PIVOT, tmp_path / "pivot.xml")
    assert not (tmp_path / "pivot.xml").exists()


def test_a_quota_is_honoured_before_anything_else_leaves(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.faults.wait = 120
    side.simulator.gateway.faults.plan(Mishap.QUOTA, "tauxtva")
    with pytest.raises(errors.QuotaReached) as first:
        chorus.tax_rates()
    assert first.value.seconds == 120
    with pytest.raises(errors.QuotaReached) as second:
        side.client("TECH_2@cpro.fr").structures()
    assert 0 < second.value.seconds <= 120
    assert len(side.simulator.calls()) == 1


def test_a_quota_of_the_gateway(side: Side, chorus: Chorus) -> None:
    side.simulator.gateway.quota.calls = 1
    chorus.tax_rates()
    side.simulator.gateway.faults.wait = 60
    with pytest.raises(errors.QuotaReached):
        for _ in range(20):
            chorus.tax_rates()


def test_a_page_that_comes_twice_is_not_taken_for_the_next(side: Side, chorus: Chorus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAGE", 3)
    side.simulator.emit(6)
    pages = chorus.received(Search())
    assert next(pages).number == 1
    side.simulator.gateway.faults.plan(Mishap.REPEATED, SEARCH)
    with pytest.raises(errors.ChorusUnavailable, match="page 2"):
        next(pages)
    assert sum(len(page.invoices) for page in chorus.received(Search())) == 6


def test_failures_at_random_lose_no_invoice(side: Side, chorus: Chorus) -> None:
    wanted = set(side.simulator.emit(12))
    side.simulator.gateway.faults.shake(0.4)
    brought: set[int] = set()
    for _ in range(200):
        for known in wanted - brought:
            try:
                brought.add(chorus.history(known).id)
            except errors.ChorusUnavailable:
                continue
    assert brought == wanted
    assert {one.status for one in side.evidence} == {200, 500}


def test_irregular_answers_are_read_all_the_same(side: Side, chorus: Chorus) -> None:
    (known,) = side.simulator.emit(desk=102)
    side.simulator.gateway.oddities = set(Oddity)
    ((invoice,), _) = (page.invoices for page in chorus.received(Search()))
    assert (invoice.id, invoice.status, invoice.service_code) == (known, "TRANSMISE_A_LA_PLATEFORME", "")
    assert invoice.moved is not None
    history = chorus.history(known)
    assert [one.code for one in history.steps] == ["DEPOSEE", "EN_COURS_ACHEMINEMENT", "MISE_A_DISPOSITION"]
    assert len(chorus.structures()) == 2
    assert chorus.possible_statuses("COMPTABILISEE") == ("MISE_EN_PAIEMENT",)


def test_a_server_that_is_not_the_one(side: Side, tmp_path: Path) -> None:
    with opened(tmp_path / "other") as other:
        chorus = side.client(operator={"authorities": other.simulator.operator().authorities})
        with pytest.raises(errors.CertificateRefused):
            chorus.tax_rates()
    assert side.simulator.calls() == []


def test_nothing_listens(tmp_path: Path) -> None:
    with opened(tmp_path / "chorus") as side:
        chorus = side.client()
    with pytest.raises(errors.ChorusUnavailable):
        chorus.health()


def test_an_address_that_is_not_the_services(side: Side) -> None:
    chorus = side.client(operator={"service_address": f"{side.simulator.address}/ailleurs"})
    with pytest.raises(errors.AddressWrong, match="404"):
        chorus.tax_rates()


def _tokens(side: Side) -> int:
    """How many tokens were given."""
    rows = side.simulator.portal.store._database.execute("SELECT count(*) FROM token")
    return int(rows.fetchone()[0])
