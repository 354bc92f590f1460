"""Looking for invoices at Chorus Pro: which are found, for whom, how far back, and what is told when it cannot be done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ulid import ULID

from connectors.chorus.answers import Kind
from connectors.chorus.statuses import Status
from core import clock
from core.errors import NeedsOperator
from core.principal import PLATFORM
from flows.engine import transitions
from flows.invoices.flow import INVOICES
from flows.invoices.models import ChorusExchange
from flows.invoices.settings import ACCOUNT
from tests.conftest import on_one_shape
from tests.invoices import CCAS, CCAS_SIRET, InvoicesTown, today
from tests.waiting import wait_until


@on_one_shape
def test_what_is_not_there_for_its_recipient_yet_is_left_alone(invoices: InvoicesTown) -> None:
    early, way, old = (
        invoices.arrive(**given)[0]
        for given in (
            {"status": Status.DEPOSITED},
            {"status": Status.ON_ITS_WAY},
            {"moment": clock.now() - timedelta(days=90)},
        )
    )
    invoices.collect()
    assert not invoices.invoices()
    invoices.move(early, Status.AVAILABLE)
    invoices.move(old, Status.TAKEN_UP)
    invoices.collect()
    assert [one.chorus_id for one in invoices.invoices()] == [early]
    assert way not in {one.chorus_id for one in invoices.invoices()}


@on_one_shape
def test_one_account_receives_for_several_organisations(invoices: InvoicesTown) -> None:
    ccas = invoices.add_ccas()
    ours, theirs = invoices.arrive()[0], invoices.arrive(body=CCAS)[0]
    with invoices.at_work():
        first = invoices.wait_for_invoice(ours, "handed")
        second = invoices.wait_for_invoice(theirs, "handed")
    assert (first.organisation_id, second.organisation_id) == (invoices.organisation.id, ccas.id)
    kept = invoices.invoice(second.id)
    assert (kept.organisation_id, kept.account_id) == (ccas.id, invoices.organisation.id)
    assert {one.organisation_id for one in invoices.exchanges(second.id)} == {ccas.id}


@on_one_shape
def test_an_invoice_for_a_structure_that_is_no_organisation_here_belongs_to_the_owner_of_the_account(
    invoices: InvoicesTown,
) -> None:
    (known,) = invoices.arrive(body=CCAS)
    invoices.collect()
    assert invoices.invoice_at(known).organisation_id == invoices.organisation.id


@on_one_shape
def test_only_the_structures_that_were_chosen_are_received(invoices: InvoicesTown) -> None:
    invoices.prepare(structures=(CCAS,))
    ours, theirs = invoices.arrive()[0], invoices.arrive(body=CCAS)[0]
    invoices.collect()
    assert [one.chorus_id for one in invoices.invoices()] == [theirs] != [ours]


@on_one_shape
@pytest.mark.parametrize("kind", [Kind.WORKS_PAYMENT, Kind.WORKS_MOE, Kind.WORKS_MOA])
def test_a_works_invoice_says_little_and_its_pivot_says_the_rest(invoices: InvoicesTown, kind: Kind) -> None:
    invoices.prepare(kinds=(kind,))
    (known,) = invoices.arrive(kind=kind.value, desk=102, engagement="ENG-7", market="M-3")
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    kept = invoices.invoice(dossier.id)
    assert (kept.kind, kept.service_code, kept.engagement, kept.contract) == (kind.value, "TECH", "ENG-7", "M-3")
    assert (str(kept.net), str(kept.gross)) == ("100.00", "120.00")


@on_one_shape
def test_nothing_is_looked_for_while_reception_is_closed(invoices: InvoicesTown) -> None:
    invoices.prepare(open=False)
    invoices.arrive()
    invoices.collect()
    assert not invoices.state.calls()
    assert invoices.watch() is None


@on_one_shape
def test_searches_go_back_over_the_last_one_and_no_further(invoices: InvoicesTown) -> None:
    invoices.prepare(kinds=(Kind.INVOICE,), overlap_days=2)
    invoices.collect()
    invoices.collect()
    asked = [call.request["periodeDateHeureEtatCourantDu"] for call in invoices.state.calls("rechercher/recipiendaire")]
    assert asked == [(today() - timedelta(days=60)).isoformat(), (today() - timedelta(days=2)).isoformat()]
    watch = invoices.watch()
    assert watch is not None and (watch.through, watch.trouble) == (today(), None)


@on_one_shape
def test_what_is_received_from_now_on_is_looked_for_from_the_first_day(invoices: InvoicesTown) -> None:
    """A structure or a kind that is added has invoices that moved long before the last search."""
    invoices.prepare(kinds=(Kind.INVOICE,), overlap_days=1)
    (works,) = invoices.arrive(kind=Kind.WORKS_MOA.value)
    invoices.collect()
    assert not invoices.invoices()
    invoices.prepare(kinds=(Kind.INVOICE, Kind.WORKS_MOA), overlap_days=1)
    invoices.collect()
    assert [one.chorus_id for one in invoices.invoices()] == [works]


@on_one_shape
def test_what_has_not_moved_is_asked_about_once(invoices: InvoicesTown) -> None:
    invoices.arrive(5)
    for _ in range(3):
        invoices.collect()
    assert not invoices.state.calls("consulter/historique"), "finding says enough: only what moves is read again"
    assert len(invoices.invoices()) == 5


@on_one_shape
def test_the_evidence_of_searches_is_kept_for_a_week(invoices: InvoicesTown) -> None:
    invoices.arrive()
    invoices.collect()
    (kept, *_) = invoices.exchanges(None)
    old, of_invoice = (
        kept.model_copy(update={"id": str(ULID.from_datetime(clock.now() - timedelta(days=8))), "dossier_id": about})
        for about in (None, invoices.invoices()[0].dossier_id)
    )
    with invoices.platform.database.writing(PLATFORM) as session:
        session.add_all([ChorusExchange(**one.model_dump()) for one in (old, of_invoice)])
    invoices.collect()
    left = {one.id for one in (*invoices.exchanges(None), *invoices.exchanges(of_invoice.dossier_id))}
    assert {kept.id, of_invoice.id} <= left
    assert old.id not in left


@on_one_shape
def test_an_account_is_never_that_of_the_organisation_above(invoices: InvoicesTown) -> None:
    ccas = invoices.add_ccas()
    with pytest.raises(NeedsOperator, match="compte technique"):
        invoices.collect(ccas.id)


@on_one_shape
def test_a_refused_account_is_told_where_the_operator_looks(invoices: InvoicesTown) -> None:
    invoices.configure(ACCOUNT, invoices.state.account(password="faux"))
    with pytest.raises(NeedsOperator):
        invoices.collect()
    watch = invoices.watch()
    assert watch is not None and watch.trouble and watch.succeeded is None


@on_one_shape
@pytest.mark.parametrize("kind", [Kind.INVOICE, Kind.WORKS_MOA])
def test_what_its_supplier_corrected_of_an_invoice_is_what_counts_from_then_on(invoices: InvoicesTown, kind: Kind) -> None:
    invoices.prepare(kinds=(kind,))
    (known,) = invoices.arrive(kind=kind.value, desk=102, engagement="ENG-7")
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
        invoices.move(known, Status.TO_RECYCLE)
        invoices.wait_for(dossier.id, "suspended")
        invoices.state.correct(known, desk=103, engagement="ENG-8")
        invoices.complete(known)
        wait_until(lambda: len(invoices.handovers(dossier.id)) == 2)
        invoices.wait_for(dossier.id, "handed")
    kept = invoices.invoice(dossier.id)
    assert (kept.service_code, kept.engagement) == ("ECOLES", "ENG-8")


@on_one_shape
def test_an_invoice_that_is_readdressed_to_another_organisation_waits_for_a_person(invoices: InvoicesTown) -> None:
    invoices.add_ccas()
    (known,) = invoices.arrive()
    dossier_id = invoices.rest(known, "suspended")
    invoices.state.correct(known, body=CCAS)
    invoices.complete(known)
    invoices.collect()
    with invoices.at_work():
        wait_until(lambda: invoices.dossier(dossier_id).parked is not None)
        parked = invoices.dossier(dossier_id)
        assert (parked.state, invoices.invoice(dossier_id).recipient) == ("checked", CCAS_SIRET)
        assert CCAS_SIRET in (parked.parked or "")
        transitions.resume(invoices.platform.database, INVOICES, dossier_id, "person:operator")
        invoices.wait_for(dossier_id, "handed")
    assert invoices.dossier(dossier_id).organisation_id == invoices.organisation.id
