"""The list of received invoices, by its requests: what narrows it, what presses, how it goes on, and its words."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from api.web.invoices.standing import GROUPS, Deed, Phase, countdown
from api.words import of_page
from flows.invoices.flow import INVOICES
from flows.invoices.models import HandoverState, ReceivedInvoice, TargetState
from flows.invoices.settings import Channel
from tests.integration.api.acts_forms import somebody
from tests.integration.api.invoices_mairie import InvoicesMairie
from tests.integration.api.service import Service

NOBODYS = "0" * 26


def numbers(page: httpx.Response) -> list[str]:
    return re.findall(r'href="/factures/[0-9A-Z]{26}">([^<]+) – ', page.text)


def test_every_state_stands_in_one_group_and_everything_has_words() -> None:
    told = [state for states in GROUPS.values() for state in states]
    assert sorted(told) == sorted(INVOICES.states)
    words = of_page("web/invoices/list.html")
    wanted = [f"group.{group}" for group in GROUPS] + [f"left.{phase}" for phase in Phase]
    wanted += [f"countdown.{phase}" for phase in Phase] + [f"target.{state}" for state in TargetState]
    wanted += [f"handover.state.{state}" for state in HandoverState] + [f"handover.offered.{way}" for way in Channel]
    wanted += [f"{what}.{deed}" for deed in Deed for what in ("deed", "deed.do", "means", "done")]
    assert [key for key in wanted if key not in words] == []


def test_the_list_is_narrowed_by_whatever_a_clerk_knows_of_an_invoice(
    invoices_service: Service, invoices_elsewhere: InvoicesMairie
) -> None:
    one = invoices_elsewhere.invoice("handed", number="F-100%", engagement="ENG-7", mandate="M-118", service_code="ECOLE")
    two = invoices_elsewhere.invoice(
        "objected", number="F_200", contract="MARCHE 9", supplier="00000000000018", supplier_name="Élec & Cie"
    )
    three = invoices_elsewhere.invoice("received", number="F-300", parked="À regarder", status="SUSPENDUE")
    for offered in (one, three):
        invoices_elsewhere.handover(offered)

    def found(**narrowed: str) -> set[str]:
        page = client.get("/factures", params=narrowed)
        assert page.status_code == 200
        return {known for known in (one, two, three) if f'href="/factures/{known}"' in page.text}

    with somebody(invoices_service, invoices_elsewhere.people["liste"]) as client:
        assert found() == {one, two, three}
        for text in ("100%", "eng-7", "M-118", "ecole"):
            assert found(q=text) == {one}, text
        for text in ("f_2", "marche 9", "elec", "Élec", "000000000 000", two):
            assert found(q=text) == ({two} if text != "elec" else set()), text
        assert found(q="F%3") == found(q="'; --") == set()
        assert found(q="\u200bF-300") == {three}
        assert found(service="ECOLE") == {one}
        assert found(statut="SUSPENDUE") == {three}
        assert found(etat="objection") == {two}
        assert found(etat="a-prendre") == {one}
        assert found(etat="arret") == {three}
        assert found(etat="rien") == found(statut="rien") == set()
        assert "Élec &amp; Cie" in client.get("/factures").text


@pytest.mark.parametrize(("due", "phase"), [(None, Phase.STOPPED), (date(2026, 10, 15), Phase.LATE)])
def test_the_term_of_a_suspended_invoice_is_stopped_unless_it_runs(due: date | None, phase: Phase) -> None:
    """What is suspended a second time is due on the day on which it was."""
    invoice = ReceivedInvoice(
        dossier_id="D", organisation_id="O", account_id="O", environment="sandbox", chorus_id=1, kind="FACTURE", number="F-1",
        status="SUSPENDUE", due=due, late_from=due,
    )  # fmt: skip
    assert countdown(invoice, date(2026, 11, 1)).phase is phase


def test_what_is_due_first_comes_first_and_says_how_many_days_are_left(
    invoices_service: Service, invoices_elsewhere: InvoicesMairie
) -> None:
    for number, due in (("DUE-9", 9), ("DUE-0", 0), ("DUE-1", 1), ("DUE-4", -4)):
        invoices_elsewhere.invoice("following", number=number, due=due)
    invoices_elsewhere.invoice("following", number="DUE-MANDATEE", due=3, late_from=None, status="MANDATEE")
    invoices_elsewhere.invoice("suspended", number="DUE-SUSPENDUE", due=None, status="SUSPENDUE")
    with somebody(invoices_service, invoices_elsewhere.people["liste"]) as client:
        page = client.get("/factures?vue=echeance&q=DUE-")
        assert numbers(page) == ["DUE-4", "DUE-0", "DUE-1", "DUE-9"]
        for words in ("Retard de 4 jours", "Dernier jour", "1 jour<", "9 jours"):
            assert words in page.text
        everything = client.get("/factures?q=DUE-").text
        assert "1</strong> en retard" in everything
        assert "Une facture a dépassé son délai de paiement" in everything
        assert ">Mandatée<" in everything
        assert "Délai arrêté" in everything


@pytest.mark.parametrize("view_of", ["", "echeance"])
def test_pages_of_the_list_go_on_from_an_invoice(
    invoices_service: Service, invoices_elsewhere: InvoicesMairie, view_of: str
) -> None:
    wanted = [f"PAGE{view_of}_{rank:02d}" for rank in range(30)]
    for rank, number in enumerate(wanted):
        invoices_elsewhere.invoice("following", number=number, due=100 + rank // 4)
    with somebody(invoices_service, invoices_elsewhere.people["liste"]) as client:
        seen: list[str] = []
        address, previous = f"/factures?q=PAGE{view_of}_&vue={view_of}", []
        while address:
            page = client.get(address)
            seen += numbers(page)
            previous.append(re.search(r'href="([^"]+)" rel="prev"', page.text))
            onward = re.search(r'href="([^"]+)" rel="next"', page.text)
            address = onward[1].replace("&amp;", "&") if onward else ""
        assert seen == (wanted if view_of else wanted[::-1])
        assert previous[0] is None
        assert numbers(client.get(previous[-1][1].replace("&amp;", "&"))) == seen[:25]
        for wrong in ("nimporte", NOBODYS[:25], f"{NOBODYS}.2026-13-01", f"{NOBODYS}{'' if view_of else '.2026-01-01'}"):
            assert client.get(f"/factures?vue={view_of}&apres={wrong}").status_code == 400
