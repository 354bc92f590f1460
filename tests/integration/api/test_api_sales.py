"""Issued invoices over the API: deposited, shown, decided of, completed; and nobody else's."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx
import pytest

from core import clock
from core.principal import PLATFORM
from flows.invoices.issued import keeping
from tests.integration.api.acts_software import Software
from tests.integration.api.service import Service
from tests.sales import at_rest


@pytest.fixture(scope="module")
def software(service: Service) -> Software:
    return Software.of(service, "Commune de Valmorin-le-Bas", "214099822", connected=False)


@pytest.fixture
def client(software: Software) -> Iterator[httpx.Client]:
    with software.client() as opened:
        yield opened


def sale(software: Software, state: str, status: str = "", **changes: object) -> str:
    return at_rest(software.service.platform, software.organisation, state, status, **changes)


def test_an_invoice_is_deposited_as_any_document_is(client: httpx.Client) -> None:
    form = {"flow": "sales"}
    first = client.post("/v1/dossiers", data=form, files={"document": ("facture.xml", io.BytesIO(b"<facture/>"))})
    again = client.post("/v1/dossiers", data=form, files={"document": ("facture.xml", io.BytesIO(b"<facture/>"))})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["flow"], first.json()["label"]) == ("sales", "Reçue")
    assert first.json()["id"] == again.json()["id"]
    files = client.get(f"/v1/dossiers/{first.json()['id']}/files").json()["files"]
    assert [(one["role"], one["label"]) for one in files] == [("invoice", "Facture")]


def test_a_suspended_invoice_is_shown_and_completed_with_a_piece(software: Software, client: httpx.Client) -> None:
    known = sale(software, "suspended", "SUSPENDUE", number="A-1", comment="Il manque le bon.")
    told = client.get(f"/v1/sales/{known}").json()
    assert (told["number"], told["label"], told["comment"], told["gross"]) == (
        "A-1",
        "À compléter",
        "Il manque le bon.",
        "251.88",
    )
    upload = software.upload(client, "bon.pdf", b"%PDF-1.4 bon")
    answer = client.post(f"/v1/sales/{known}/completion", json={"comment": "Le voici.", "pieces": [upload]})
    assert (answer.status_code, answer.json()["state"]) == (202, "completing")
    files = client.get(f"/v1/dossiers/{known}/files").json()["files"]
    assert [(one["role"], one["name"]) for one in files] == [("answer", "bon.pdf")]
    again = client.post(f"/v1/sales/{known}/completion", json={"comment": "Encore."})
    assert again.status_code == 409


def test_an_uncertain_deposit_is_decided_of_once_somebody_can_know(software: Software, client: httpx.Client) -> None:
    known = sale(software, "uncertain", number="A-2")
    early = client.post(f"/v1/sales/{known}/deposit", json={"decision": "again"})
    assert (early.status_code, "trop récent" in early.json()["detail"]) == (409, True)
    nameless = client.post(f"/v1/sales/{known}/deposit", json={"decision": "known"})
    assert nameless.status_code == 400
    assert client.post(f"/v1/sales/{known}/deposit", json={"decision": "given_up"}).status_code == 204
    assert client.get(f"/v1/sales/{known}").status_code == 404
    assert client.get(f"/v1/dossiers/{known}").json()["state"] == "given_up"


def test_who_may_not_deposit_is_told_so_before_the_body_is_looked_at(software: Software, service: Service) -> None:
    known = sale(software, "suspended", "SUSPENDUE", number="A-3")
    with software.client("reader") as reader:
        assert reader.get(f"/v1/sales/{known}").status_code == 200
        for path in ("deposit", "completion"):
            assert reader.post(f"/v1/sales/{known}/{path}", content=b"{").status_code == 403
    with service.client(service.syndicat.token) as stranger:
        for path in ("", "/deposit", "/completion"):
            method = "POST" if path else "GET"
            assert stranger.request(method, f"/v1/sales/{known}{path}", content=b"{").status_code == 404
    with service.platform.database.reading(PLATFORM) as session:
        assert keeping.found_in(session, known).looked <= clock.now()
