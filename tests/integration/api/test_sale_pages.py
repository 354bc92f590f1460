"""Issued invoices in the browser, by their requests: given to Chorus Pro, completed, decided of; and who may do what."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from core.principal import PLATFORM
from flows.engine.models import Dossier
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.invoices_mairie import InvoicesMairie
from tests.integration.api.service import Service
from tests.sales import at_rest


@pytest.fixture
def clerk(invoices_service: Service, invoices_mairie: InvoicesMairie) -> Iterator[httpx.Client]:
    with somebody(invoices_service, invoices_mairie.people["clerc"]) as client:
        yield client


def state_of(mairie: InvoicesMairie, dossier_id: str) -> str:
    with mairie.platform.database.reading(PLATFORM) as session:
        return session.get_one(Dossier, dossier_id).state


def sale(mairie: InvoicesMairie, state: str, status: str = "", **changes: object) -> str:
    return at_rest(mairie.platform, mairie.organisation, state, status, **changes)


def test_an_invoice_is_given_to_chorus_by_a_form(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    assert 'href="/deposer/facture"' in clerk.get("/deposer").text
    page = clerk.get("/deposer/facture").text
    assert invoices_mairie.organisation.name in page
    said = {**csrf(clerk), "organisation": invoices_mairie.organisation.id}
    nothing = clerk.post("/deposer/facture", data=said, files={"document": ("", b"")})
    assert (nothing.status_code, "Choisissez le fichier" in nothing.text) == (400, True)
    sent = clerk.post("/deposer/facture", data=said, files={"document": ("facture.xml", b"<facture/>")})
    assert (sent.status_code, sent.headers["location"].endswith("?fait=depot")) == (303, True)
    assert "Facture émise" in clerk.get(sent.headers["location"]).text
    again = clerk.post("/deposer/facture", data=said, files={"document": ("facture.xml", b"<facture/>")})
    assert again.headers["location"].endswith("?fait=deja")
    assert clerk.post("/deposer/facture", data={"csrf": "x"}, files={"document": ("f.xml", b"<f/>")}).status_code == 403


def test_a_suspension_is_answered_on_a_page_that_says_why(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    known = sale(invoices_mairie, "suspended", "SUSPENDUE", number="P-1", comment="Il manque <le> bon.")
    assert f'href="/emissions/{known}"' in clerk.get(f"/dossiers/{known}").text
    assert "Il manque &lt;le&gt; bon." in clerk.get(f"/emissions/{known}").text
    said = {**csrf(clerk), "comment": "Le voici."}
    path = f"/emissions/{known}/complement"
    refused = clerk.post(path, data=said, files={"document": ("bon.exe", b"MZ")})
    assert (refused.status_code, "Le voici." in refused.text) == (400, True)
    done = clerk.post(path, data=said, files=[("document", ("bon.pdf", b"%PDF-1.4")), ("document", ("b.png", b"\x89PNG"))])
    assert (done.status_code, state_of(invoices_mairie, known)) == (303, "completing")
    assert clerk.get(f"/emissions/{known}").status_code == 303
    again = clerk.post(path, data=said, files={"document": ("", b"")})
    assert again.headers["location"] == f"/dossiers/{known}"


def test_an_invoice_to_be_recycled_sends_people_to_the_portal(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    known = sale(invoices_mairie, "suspended", "A_RECYCLER", number="P-2")
    page = clerk.get(f"/emissions/{known}").text
    assert ("portail" in page, "<textarea" in page) == (True, False)


def test_an_uncertain_deposit_is_decided_of(clerk: httpx.Client, invoices_mairie: InvoicesMairie) -> None:
    known = sale(invoices_mairie, "uncertain", number="P-3", file_name="214009995_P-3_ab.xml")
    assert "214009995_P-3_ab.xml" in clerk.get(f"/emissions/{known}").text
    for fields, status in (
        ({}, 400),
        ({"decision": "again"}, 409),
        ({"decision": "known"}, 400),
        ({"decision": "given_up"}, 303),
    ):
        assert clerk.post(f"/emissions/{known}/depot", data={**csrf(clerk), **fields}).status_code == status
    assert state_of(invoices_mairie, known) == "given_up"


def test_who_may_not_deposit_decides_nothing(
    invoices_service: Service, invoices_mairie: InvoicesMairie, invoices_elsewhere: InvoicesMairie
) -> None:
    ours, theirs = sale(invoices_mairie, "suspended", "SUSPENDUE", number="P-4"), sale(invoices_elsewhere, "uncertain")
    with somebody(invoices_service, invoices_mairie.people["lecteur"]) as reader:
        assert f"/emissions/{ours}" not in reader.get(f"/dossiers/{ours}").text
        assert reader.get(f"/emissions/{ours}").status_code == 403
    with somebody(invoices_service, invoices_mairie.people["clerc"]) as clerk:
        assert clerk.get(f"/emissions/{theirs}").status_code == 404
        assert clerk.post(f"/emissions/{theirs}/depot", data={**csrf(clerk), "decision": "given_up"}).status_code == 404
