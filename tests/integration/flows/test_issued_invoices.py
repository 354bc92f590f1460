"""Invoices that the organisation issues: checked strictly, deposited once, followed until they are paid or rejected."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from api.runtime import working
from archive.ingest.inspection import check_package
from archive.models import Record
from archive.places.places import fetch
from connectors.chorus import simulated_deposits
from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.statuses import Status
from core.errors import Conflict, UsageError
from core.principal import PLATFORM
from flows.engine.brokers import open_broker
from flows.invoices.issued import deciding, following
from flows.invoices.models import ChorusExchange
from schemas.invoices import rules as invoice_rules
from schemas.invoices.parties import SIRET, Identifier
from schemas.invoices.sample import SELLER, sample
from schemas.invoices.writer import cii_of, facturx_of
from schemas.schematron.checking import Findings
from schemas.schematron.process import NotApplied
from tests.conftest import on_one_shape
from tests.sales import OURS, Shop, at_rest
from tests.waiting import wait_until


def test_an_invoice_of_ours_goes_from_its_deposit_here_to_its_sealed_record(shop: Shop, tmp_path: Path) -> None:
    town = shop.town
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "issued")
        (known,) = shop.at_chorus("V-2026-1")
        town.pay(known)
        town.wait_for(dossier.id, "archived")
    kept = shop.kept(dossier.id)
    assert town.dossier(dossier.id).title == "V-2026-1 — Commune de Saint-Exemple-lès-Bains"
    assert (kept.status, kept.chorus_id, str(kept.gross)) == (
        Status.PAID,
        known + simulated_deposits.SUPPLIER_SIDE,
        str(sample().totals.gross),
    )
    assert len(shop.deposits()) == 1
    assert shop.deposits()[0] == kept.file_name
    assert shop.codes(dossier.id)[0] == Status.AVAILABLE
    assert shop.codes(dossier.id)[-1] == Status.PAID
    with town.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier.id)).one()
    assert record.title.startswith("Facture émise V-2026-1")
    assert record.rule.startswith("APP-FACTURES-EMISES-10ANS")
    package = tmp_path / "package.zip"
    fetch(town.platform, record, package)
    assert check_package(package) == []
    with zipfile.ZipFile(package) as zipped:
        manifest = zipped.read("manifest.xml").decode()
    for name in ("facture.xml", "vie.json", "echanges-chorus.jsonl", "journal.jsonl", "compte-rendu-CPP"):
        assert name in manifest, name


@on_one_shape
def test_what_breaks_a_rule_of_the_reform_does_not_leave_and_may_come_again_mended(shop: Shop) -> None:
    town, broken = shop.town, shop.invoice(notes=())
    with town.at_work():
        first = shop.receive(broken)
        assert shop.receive(broken).id == first.id
        town.wait_for(first.id, "rejected")
        mended = shop.receive(shop.invoice())
        town.wait_for(mended.id, "issued")
        again = shop.receive(broken)
        town.wait_for(again.id, "rejected")
    assert "BR-FR-05" in shop.rules(first.id)
    assert again.id != first.id
    assert set(shop.rules(again.id)) >= {"BR-FR-05", "V04"}
    assert len(shop.deposits()) == 1


@on_one_shape
def test_rules_that_cannot_be_applied_refuse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def findings(self, _document: bytes) -> Findings:
            raise NotApplied("out of order")

    monkeypatch.setattr(invoice_rules, "french_rules_of", lambda _root: Broken())
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, "rejected")
    assert shop.rules(dossier.id) == ["RULES"]
    assert shop.deposits() == []


@on_one_shape
def test_what_the_platform_knows_is_held_against_an_invoice(shop: Shop) -> None:
    town = shop.town
    nameless = replace(sample().buyer, identifiers=())
    mistyped = replace(sample().buyer, identifiers=(Identifier("21990001600012", SIRET),))
    made = {
        "V01": shop.receive(cii_of(sample(number="V-1"))),
        "V02": shop.receive(shop.invoice("V-2", buyer=nameless)),
        "VALUE": shop.receive(shop.invoice("V-4", buyer=mistyped)),
        "EN16931:BR-CO-10": shop.receive(shop.invoice("V-3", totals=replace(sample().totals, lines=Decimal("1.00")))),
        "packaging": shop.receive(b"%PDF-1.7 nothing", "facture.pdf"),
        "XML": shop.receive(b"<facture/>"),
    }
    with town.at_work():
        for rule, dossier in made.items():
            town.wait_for(dossier.id, "rejected")
            assert rule in shop.rules(dossier.id)
    assert "V02" in shop.rules(made["VALUE"].id)
    assert town.state.calls("deposer/flux") == []


@on_one_shape
def test_an_invoice_that_was_checked_for_tests_is_not_deposited_in_production(shop: Shop) -> None:
    town = shop.town
    there = at_rest(town.platform, town.organisation, "issued", number="V-2026-2")
    dossier = shop.receive(shop.invoice())
    with working(town.platform, town.broker, queues={"cpu"}):
        town.wait_for(dossier.id, "checked")
    town.go_into_production()
    later = open_broker("memory://")
    with working(town.platform, later, queues={"remote.chorus"}):
        wait_until(lambda: town.dossier(dossier.id).parked is not None)
    later.close()
    assert "V-2026-1" in (town.dossier(dossier.id).parked or "")
    following.follow(town.platform, town.organisation.id)
    assert (town.state.calls("deposer/flux"), town.state.calls("rechercher/fournisseur")) == ([], [])
    assert town.dossier(there).state == "issued"


@on_one_shape
def test_a_factur_x_is_deposited_as_one(shop: Shop) -> None:
    with shop.town.at_work():
        dossier = shop.receive(facturx_of(sample(number="V-7", seller=OURS)), "facture.pdf")
        shop.town.wait_for(dossier.id, "issued")
    (call,) = shop.town.state.calls("deposer/flux")
    assert (call.request["syntaxeFlux"], call.request["nomFichier"][-4:]) == ("IN_DP_E2_CII_FACTURX", ".pdf")


@on_one_shape
def test_a_number_that_was_used_by_another_way_is_not_deposited(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "main.xml"
    path.write_bytes(shop.invoice())
    shop.town.client().deposit(path, "main.xml", "IN_DP_E1_CII_16B")
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice(purchase_order="ENG-2"))
        shop.town.wait_for(dossier.id, "rejected")
    assert shop.rules(dossier.id) == ["V04"]
    assert shop.row(dossier.id) is None
    assert shop.deposits() == ["main.xml"]


@on_one_shape
@pytest.mark.parametrize("mishap", [Mishap.LOST, Mishap.HALF])
def test_a_deposit_whose_answer_was_lost_is_found_and_not_repeated(shop: Shop, mishap: Mishap) -> None:
    town = shop.town
    town.state.gateway.faults.plan(mishap, "deposer/flux")
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "issued")
    assert "sales.deposit.uncertain" in shop.journal(dossier.id)
    assert len(shop.deposits()) == len(shop.at_chorus("V-2026-1")) == 1
    assert shop.kept(dossier.id).deposit.startswith("CPP")


@on_one_shape
def test_a_deposit_of_which_nobody_knows_waits_for_a_person(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    town = shop.town
    town.state.gateway.faults.plan(Mishap.FAILED, "deposer/flux")
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "uncertain")
        looks = len(town.state.calls("rechercher/fournisseur"))
        wait_until(lambda: len(town.state.calls("rechercher/fournisseur")) > looks + 1)
        assert town.dossier(dossier.id).state == "uncertain"
        with pytest.raises(Conflict, match="trop récent"):
            deciding.send_again(town.platform, PLATFORM, dossier.id)
        monkeypatch.setattr(deciding, "TREATED_WITHIN", timedelta())
        deciding.send_again(town.platform, PLATFORM, dossier.id)
        town.wait_for(dossier.id, "issued")
        with pytest.raises(Conflict):
            deciding.send_again(town.platform, PLATFORM, dossier.id)
    first, second = shop.deposits()
    assert first == second
    assert len(shop.at_chorus("V-2026-1")) == 1


@on_one_shape
def test_a_person_who_sends_again_too_soon_sends_nothing_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    town = shop.town
    monkeypatch.setattr(deciding, "TREATED_WITHIN", timedelta())
    town.state.portal.delay = 3600  # taken, and its invoice does not show
    town.state.gateway.faults.plan(Mishap.LOST, "deposer/flux")
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "uncertain")
        deciding.send_again(town.platform, PLATFORM, dossier.id)
        town.wait_for(dossier.id, "deposited")
        town.state.portal.delay = 0
        town.wait_for(dossier.id, "issued")
    assert len(shop.at_chorus("V-2026-1")) == 1


@on_one_shape
def test_a_person_gives_the_number_of_the_deposit_that_the_portal_shows(shop: Shop, tmp_path: Path) -> None:
    town = shop.town
    town.state.portal.delay = 3600
    other = tmp_path / "autre.xml"
    other.write_bytes(shop.invoice("V-2"))
    foreign = town.client().deposit(other, "autre.xml", "IN_DP_E1_CII_16B").number
    town.state.gateway.faults.plan(Mishap.LOST, "deposer/flux")
    with town.at_work():
        dossier = shop.receive(shop.invoice())
        town.wait_for(dossier.id, "uncertain")
        with pytest.raises(UsageError, match="autre fichier"):
            deciding.recognise(town.platform, PLATFORM, dossier.id, foreign)
        own = f"CPP{int(foreign.removeprefix('CPP')) + 1:022}"
        deciding.recognise(town.platform, PLATFORM, dossier.id, f" {own} ")
        assert town.dossier(dossier.id).state == "deposited"
        town.state.portal.delay = 0
        town.wait_for(dossier.id, "issued")
    assert shop.kept(dossier.id).deposit == own


@on_one_shape
@pytest.mark.parametrize("mishap", [Mishap.QUOTA, Mishap.UNAUTHORIZED])
def test_a_call_that_was_not_let_in_is_made_again_by_itself(shop: Shop, mishap: Mishap) -> None:
    shop.town.state.gateway.faults.wait = 1
    shop.town.state.gateway.faults.plan(mishap, "deposer/flux")
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, "issued")
    assert "sales.deposit.uncertain" not in shop.journal(dossier.id)
    assert len(shop.at_chorus("V-2026-1")) == 1


class Incidents(dict[str, str]):
    """Every deposit comes to a state, so many times."""

    def __init__(self, state: str, times: int) -> None:
        super().__init__()
        self.state, self.times = state, times

    def get(self, _name: str, default: Any = None) -> Any:
        self.times -= 1
        return self.state if self.times >= 0 else default


@on_one_shape
def test_after_an_incident_the_whole_deposit_is_sent_again(shop: Shop) -> None:
    shop.town.state.portal.fates = Incidents("IN_INCIDENTE", 2)
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, "issued")
    assert len(shop.deposits()) == 3
    assert len(set(shop.deposits())) == len(shop.at_chorus("V-2026-1")) == 1
    assert shop.journal(dossier.id).count("sales.incident") == 2


@on_one_shape
def test_incidents_that_last_wait_for_a_person(shop: Shop) -> None:
    shop.town.state.portal.fates = Incidents("IN_INCIDENTE", 99)
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, "uncertain")
    assert len(shop.deposits()) == 3


@on_one_shape
def test_a_deposit_that_chorus_refuses_says_why_and_may_come_again(shop: Shop) -> None:
    stranger = replace(sample().buyer, legal_id=SELLER.legal_id, identifiers=SELLER.identifiers)
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice(buyer=stranger))
        shop.town.wait_for(dossier.id, "refused")
        mended = shop.receive(shop.invoice())
        shop.town.wait_for(mended.id, "issued")
    (problem,) = shop.town.dossier(dossier.id).problems
    assert (problem["rule"], "Destinataire inconnu" in problem["message"]) == ("CHORUS", True)
    assert [one.role for one in shop.town.files(dossier.id, following.ACCOUNT_OF_DEPOSIT)] == ["account"]


@on_one_shape
@pytest.mark.parametrize(("ours", "state"), [(True, "issued"), (False, "refused")])
def test_of_a_deposit_taken_in_part_what_counts_is_our_invoice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, ours: bool, state: str
) -> None:
    other = shop.invoice("AUTRE-1")

    def members(_name: str, octets: bytes) -> list[bytes]:
        return [octets, b"<rien/>"] if ours else [other, b"<rien/>"]

    monkeypatch.setattr(simulated_deposits, "_members", members)
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, state)
    assert bool(shop.at_chorus("V-2026-1")) is ours
    (account,) = shop.town.files(dossier.id, "account")
    assert account.media_type == "application/json"


@on_one_shape
def test_every_call_about_an_invoice_is_in_evidence(shop: Shop) -> None:
    with shop.town.at_work():
        dossier = shop.receive(shop.invoice())
        shop.town.wait_for(dossier.id, "issued")
    with shop.town.platform.database.reading(PLATFORM) as session:
        rows = session.exec(select(ChorusExchange).where(ChorusExchange.dossier_id == dossier.id)).all()
    called = [one.service.rpartition("/")[2] for one in sorted(rows, key=lambda one: one.id)]
    before = ["fournisseur", "rechercher", "consulter", "services"]
    assert called[:7] == [*before, "flux", "consulterCRDetaille", "fournisseur"]
