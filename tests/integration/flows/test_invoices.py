"""Invoices of Chorus Pro, found, stored once, looked at, handed over, followed to their payment, whatever comes back to them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from api.runtime import working
from archive.models import Record
from connectors.chorus import simulated_received
from connectors.chorus.statuses import Status
from core import clock
from core.principal import PLATFORM
from flows.engine.brokers import open_broker
from flows.invoices import life
from flows.invoices.deciding import Asked, ask
from flows.invoices.handing import acknowledge
from flows.invoices.models import HandoverState, TargetState
from tests.conftest import on_one_shape
from tests.invoices import InvoicesTown, pivot
from tests.waiting import wait_until


def codes(town: InvoicesTown, dossier_id: str) -> list[str]:
    return [step.code for step in town.steps(dossier_id)]


def roles(town: InvoicesTown, dossier_id: str) -> list[str]:
    return sorted(one.role for one in town.files(dossier_id))


def test_an_invoice_goes_from_chorus_to_its_sealed_record(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive(number="F-2026-1", desk=102, engagement="ENG-7")
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        acknowledge(invoices.platform, PLATFORM, dossier.id, taken=True, software_reference="LIQ-12")
        invoices.wait_for(dossier.id, "following")
        ask(invoices.platform, PLATFORM, dossier.id, [Asked(Status.SERVICE_DONE), Asked(Status.MANDATED, mandate="1204")])
        wait_until(lambda: invoices.state.invoice(known).status == Status.MANDATED)
        invoices.pay(known)
        invoices.wait_for(dossier.id, "archived")
    assert invoices.state.statuses(known)[-4:] == ["SERVICE_FAIT", "MANDATEE", "MISE_A_DISPOSITION_COMPTABLE", "MISE_EN_PAIEMENT"]
    assert codes(invoices, dossier.id) == invoices.state.statuses(known)
    assert [one.state for one in invoices.targets(dossier.id)] == [TargetState.TOLD, TargetState.TOLD]
    (handed,) = invoices.handovers(dossier.id)
    assert (handed.state, handed.cycle, handed.software_reference) == (HandoverState.TAKEN, 1, "LIQ-12")
    kept = invoices.invoice(dossier.id)
    assert (kept.status, kept.due, kept.late_from, kept.mandate) == (Status.PAID, None, None, "1204")
    with invoices.platform.database.reading(PLATFORM) as session:
        assert (
            session.exec(select(Record).where(Record.dossier_id == dossier.id)).one().organisation_id == invoices.organisation.id
        )


@on_one_shape
def test_what_is_kept_of_an_invoice(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive(number="F-2026-1", desk=102, engagement="ENG-7", pieces=2)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    assert (dossier.title, dossier.reference) == ("F-2026-1 — Fournitures du Val SARL", f"chorus:sandbox:{known}")
    kept = invoices.invoice(dossier.id)
    assert (kept.number, kept.service_code, kept.engagement, str(kept.gross)) == ("F-2026-1", "TECH", "ENG-7", "120.00")
    assert {"original", "pivot", "readable", "report", "view"} <= set(roles(invoices, dossier.id))
    assert roles(invoices, dossier.id).count("piece") == 2
    assert codes(invoices, dossier.id) == ["DEPOSEE", "EN_COURS_ACHEMINEMENT", "MISE_A_DISPOSITION"]
    assert kept.available is not None
    assert kept.due == kept.late_from == clock.in_paris(kept.available).date() + timedelta(days=30)
    services = [one.service for one in invoices.exchanges(dossier.id)]
    assert services[:2] == ["factures/v1/consulter/historique", "factures/v1/telecharger/groupe"]
    assert all(one.organisation_id == invoices.organisation.id for one in invoices.exchanges(dossier.id))


@on_one_shape
@pytest.mark.parametrize(
    ("made", "media"),
    [("pdf", "application/pdf"), ("zipped", "application/pdf"), ("facturx", "application/pdf"), ("xml", "application/xml")],
)
def test_the_original_is_what_the_supplier_made_whatever_it_is_wrapped_in(
    invoices: InvoicesTown, tmp_path: Path, made: str, media: str
) -> None:
    (known,) = invoices.arrive(shape=made, pieces=1)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    (original,) = invoices.files(dossier.id, "original")
    (readable,) = invoices.files(dossier.id, "readable")
    assert (original.media_type, readable.media_type) == (media, "application/pdf")
    head = invoices.octets(original, tmp_path)[:5]
    assert head == (b"<?xml" if made == "xml" else b"%PDF-")
    assert len(invoices.state.calls("telecharger/groupe")) == 1, "the PDF stood in the pivot: nobody asked for another"
    assert not dossier.parked


@on_one_shape
def test_an_invoice_without_a_paper_gets_the_one_that_chorus_makes(
    invoices: InvoicesTown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated_received, "write_pivot", lambda *given: given[-1].write(pivot()))
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    (original,) = invoices.files(dossier.id, "original")
    assert original.sha256 == invoices.files(dossier.id, "pivot")[0].sha256
    assert invoices.files(dossier.id, "readable")[0].name == f"facture_{known}.pdf"


@on_one_shape
def test_a_suspension_and_its_completion_are_a_second_cycle_of_the_same_dossier(invoices: InvoicesTown) -> None:
    start = clock.now()
    (known,) = invoices.arrive(moment=start - timedelta(days=20))
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        invoices.suspend(known, moment=start - timedelta(days=10))
        invoices.wait_for(dossier.id, "suspended")
        stopped = invoices.invoice(dossier.id)
        assert (stopped.due, stopped.late_from, stopped.cycle) == (None, None, 1)
        acknowledge(invoices.platform, PLATFORM, dossier.id, taken=True)
        assert invoices.dossier(dossier.id).state == "suspended", "what the software says comes too late to move it"
        invoices.complete(known, moment=start - timedelta(days=2))
        wait_until(lambda: len(invoices.handovers(dossier.id)) == 2)
        invoices.wait_for(dossier.id, "handed")
    kept = invoices.invoice(dossier.id)
    assert (kept.cycle, kept.due) == (2, clock.in_paris(start - timedelta(days=2)).date() + timedelta(days=30))
    first, second = invoices.handovers(dossier.id)
    assert (first.cycle, first.state, second.cycle, second.state) == (1, "taken", 2, "offered")
    assert first.delivery != second.delivery
    assert len(invoices.invoices()) == 1


@on_one_shape
def test_the_second_cycle_is_handed_over_with_all_that_its_supplier_sent(invoices: InvoicesTown, tmp_path: Path) -> None:
    (known,) = invoices.arrive(pieces=1, weight=2000)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        invoices.suspend(known)
        invoices.wait_for(dossier.id, "suspended")
        invoices.state.correct(known, pieces=2)
        invoices.complete(known)
        wait_until(lambda: len(invoices.handovers(dossier.id)) == 2)
        invoices.wait_for(dossier.id, "handed")
    first, second = (
        [(one["role"], one["name"], one["sha256"]) for one in json.loads(invoices.octets(kept, tmp_path))["files"]]
        for kept in invoices.files(dossier.id, "handover")
    )
    assert [role for role, _, _ in second] == ["pivot", "original", "readable", "piece", "piece"]
    assert set(first[1:]) < set(second), "what did not change is still there"


@on_one_shape
def test_a_completion_that_nobody_saw_coming_is_a_cycle_too(invoices: InvoicesTown) -> None:
    """Suspended and completed between two looks: what was handed over is not what the supplier says now."""
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        invoices.prepare(open=False)
        invoices.suspend(known)
        invoices.complete(known, moment=clock.now() + timedelta(minutes=1))
        invoices.prepare()
        wait_until(lambda: len(invoices.handovers(dossier.id)) == 2)
        invoices.wait_for(dossier.id, "handed")
    assert invoices.invoice(dossier.id).cycle == 2
    assert invoices.dossier(dossier.id).facts["cycle"] == 2


@on_one_shape
def test_what_is_learnt_while_a_worker_has_the_invoice_is_heard_later(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive()
    invoices.collect()
    dossier_id = invoices.dossier_of(known)
    with working(invoices.platform, invoices.broker, queues={"remote.chorus", "cpu"}):
        invoices.wait_for(dossier_id, "to_hand")
        invoices.suspend(known)
        wait_until(lambda: invoices.invoice(dossier_id).status == Status.SUSPENDED)
        assert invoices.dossier(dossier_id).state == "to_hand"
    later = open_broker("memory://")
    with working(invoices.platform, later):
        invoices.wait_for(dossier_id, "suspended")
    later.close()
    assert not invoices.handovers(dossier_id), "nobody is to pay what its supplier has again"
    invoices.complete(known)
    history = invoices.client(dossier_id)
    assert life.observe(invoices.platform, dossier_id, history).cycle == 2
    assert life.observe(invoices.platform, dossier_id, history).cycle == 2, "what was heard is heard once"
    assert invoices.dossier(dossier_id).state == "received"


@on_one_shape
def test_an_invoice_that_is_suspended_when_it_is_found_waits_for_its_supplier(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive(status=Status.SUSPENDED)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "suspended")
        assert not invoices.handovers(dossier.id)
        invoices.complete(known)
        invoices.wait_for(dossier.id, "handed")
    assert len(invoices.handovers(dossier.id)) == 1


@on_one_shape
@pytest.mark.parametrize("end", [Status.REJECTED, Status.PAID])
def test_an_invoice_whose_life_is_over_is_kept_for_the_record(invoices: InvoicesTown, end: str) -> None:
    (known,) = invoices.arrive(status=end)
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "archived")
    assert not invoices.handovers(dossier.id)
    assert invoices.invoice(dossier.id).due is None


@on_one_shape
def test_a_rejection_on_the_portal_ends_what_was_handed_over(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive()
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        invoices.move(known, Status.REJECTED, comment="Doublon.")
        invoices.wait_for(dossier.id, "archived")


@on_one_shape
def test_what_is_rejected_before_it_is_handed_over_is_not_offered_any_more(invoices: InvoicesTown) -> None:
    (known,) = invoices.arrive()
    invoices.collect()
    dossier_id = invoices.dossier_of(known)
    with working(invoices.platform, invoices.broker, queues={"remote.chorus", "cpu"}):
        invoices.wait_for(dossier_id, "to_hand")
        invoices.move(known, Status.REJECTED, comment="Doublon.")
        wait_until(lambda: invoices.invoice(dossier_id).status == Status.REJECTED)
    later = open_broker("memory://")
    with working(invoices.platform, later):
        invoices.wait_for(dossier_id, "archived")
    later.close()
    assert not invoices.handovers(dossier_id)


@on_one_shape
@pytest.mark.parametrize(("status", "state"), [("ABANDONNEE", "closing"), ("EN_ATTENTE_RECYCLAGE_FOURNISSEUR", "suspended")])
def test_a_suspended_invoice_is_completed_only_once_its_recipient_has_it(invoices: InvoicesTown, status: str, state: str) -> None:
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known, "suspended")
    invoices.move(known, status)
    life.observe(invoices.platform, dossier_id, invoices.client(dossier_id))
    life.settle(invoices.platform, invoices.organisation.id)
    assert (invoices.dossier(dossier_id).state, invoices.invoice(dossier_id).cycle) == (state, 1)
    if state == "suspended":
        invoices.complete(known)
        life.observe(invoices.platform, dossier_id, invoices.client(dossier_id))
        assert invoices.dossier(dossier_id).state == "received"
