"""Received invoices over the API: found page by page, read with their marks, acknowledged once, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from core import clock
from core.identifiers import new_id
from tests.integration.api.acts_software import Software
from tests.integration.api.invoices_mairie import InvoicesMairie, problem
from tests.integration.api.service import Service

PROGRAM = b"MZ a program"


@pytest.fixture(scope="module")
def software(service: Service) -> Software:
    return Software.of(service, "Commune de Montbrun-les-Prés", "214099814", connected=False)


@pytest.fixture(scope="module")
def mairie(software: Software) -> InvoicesMairie:
    found = InvoicesMairie(software.service.platform, software.organisation)
    found.connect()
    return found


@pytest.fixture
def client(software: Software) -> Iterator[httpx.Client]:
    with software.client() as opened:
        yield opened


def offered(mairie: InvoicesMairie, **changes: object) -> str:
    invoice = mairie.invoice("handed", **changes)  # type: ignore[arg-type]
    mairie.handover(invoice, delivery=f"21400999500017_F_{mairie.kept(invoice).chorus_id}")
    return invoice


def numbers(client: httpx.Client, **wanted: object) -> list[str]:
    answer = client.get("/v1/invoices", params=wanted)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()["invoices"]]


def test_what_waits_for_the_software_is_found_read_and_acknowledged(mairie: InvoicesMairie, client: httpx.Client) -> None:
    invoice = offered(mairie, number="A-1")
    mairie.invoice("in_parapheur", number="A-2")
    assert numbers(client, handover="to_take") == ["A-1"]
    (line,) = client.get("/v1/invoices", params={"handover": "to_take"}).json()["invoices"]
    assert (line["gross"], line["currency"], line["supplier_name"]) == ("251.88", "EUR", "Papeterie du Lavoir")
    assert (line["status"], line["status_label"], line["late"]) == ("MISE_A_DISPOSITION", "Mise à disposition", False)
    whole = client.get(line["href"]).json()
    assert [one["role"] for one in whole["files"]] == ["pivot", "readable"]
    assert client.get(whole["files"][0]["href"]).content == b"<CPPFacturePivot/>"
    said = client.post(whole["links"]["acknowledgement"], json={"taken": True, "software_reference": "P-2026-17"})
    assert said.status_code == 200, said.text
    assert (said.json()["state"], said.json()["software_reference"]) == ("taken", "P-2026-17")
    assert mairie.dossier(invoice).state == "following"
    assert numbers(client, handover="to_take") == []
    assert numbers(client, handover="taken") == ["A-1"]


def test_an_acknowledgement_said_again_changes_nothing_and_a_contrary_one_is_a_conflict(
    mairie: InvoicesMairie, client: httpx.Client
) -> None:
    path = f"/v1/invoices/{offered(mairie)}/acknowledgement"
    first = client.post(path, json={"taken": True})
    again = client.post(path, json={"taken": True, "software_reference": "autre"})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    refused = client.post(path, json={"taken": False, "reason": "Trop tard"})
    assert refused.status_code == 409
    assert "ne peut plus la refuser" in refused.json()["detail"]


def test_a_refusal_needs_a_reason_and_comes_back_to_people(mairie: InvoicesMairie, client: httpx.Client) -> None:
    invoice = offered(mairie)
    path = f"/v1/invoices/{invoice}/acknowledgement"
    assert client.post(path, json={"taken": False}).status_code == 400
    assert client.post(path, json={"taken": False, "reason": "x" * 1001}).status_code == 422
    assert client.post(path, json={"taken": "peut-être"}).status_code == 422
    assert (
        client.post(path, json={"taken": False, "reason": "Engagement clos"}).json()["label"]
        == "Refusée par le logiciel financier"
    )
    assert mairie.dossier(invoice).state == "objected"


def test_a_late_acknowledgement_counts_and_an_early_one_is_a_conflict(mairie: InvoicesMairie, client: httpx.Client) -> None:
    late = offered(mairie, number="L-1")
    mairie.stand(late, "suspended", status="SUSPENDUE")
    assert numbers(client, number="L-1", handover="to_take") == []
    assert numbers(client, number="L-1", handover="offered") == ["L-1"]
    assert client.post(f"/v1/invoices/{late}/acknowledgement", json={"taken": True}).json()["state"] == "taken"
    assert mairie.dossier(late).state == "suspended"
    early = mairie.invoice("checked")
    assert client.post(f"/v1/invoices/{early}/acknowledgement", json={"taken": True}).status_code == 409


def test_dangerous_pieces_are_marked_before_anything_is_downloaded(mairie: InvoicesMairie, client: httpx.Client) -> None:
    invoice = offered(
        mairie,
        pieces=[("Bon de livraison.pdf", b"%PDF-1.7"), ("Lisez-moi.exe", PROGRAM)],
        marks={"Lisez-moi.exe": "executable"},
        problems=[problem("BR-FR-05", "La mention sur l’escompte manque.")],
    )
    files = client.get(f"/v1/invoices/{invoice}/files").json()["files"]
    assert [(one["name"], one["mark"]) for one in files if one["role"] == "piece"] == [
        ("Bon de livraison.pdf", None),
        ("Lisez-moi.exe", "executable"),
    ]
    (marked,) = (one for one in files if one["mark"])
    assert "Lisez-moi.exe" in marked["danger"]
    assert client.get(f"/v1/invoices/{invoice}").json()["problems"][0]["rule"] == "BR-FR-05"
    given = client.get(marked["href"])
    assert given.content == PROGRAM
    assert given.headers["content-disposition"].startswith("attachment")
    assert given.headers["x-content-type-options"] == "nosniff"


def test_files_of_an_earlier_cycle_stay_and_are_not_current(mairie: InvoicesMairie, client: httpx.Client) -> None:
    invoice = offered(mairie, pieces=[("Bon.pdf", b"%PDF-1.7 ancien")])
    mairie.file(invoice, "pivot", "pivot.xml", b"<CPPFacturePivot>complet</CPPFacturePivot>")
    mairie.file(invoice, "piece", "Bon.pdf", b"%PDF-1.7 nouveau")
    files = client.get(f"/v1/invoices/{invoice}/files").json()["files"]
    assert [(one["role"], one["current"]) for one in files] == [
        ("pivot", False), ("readable", False), ("piece", False), ("pivot", True), ("piece", True),
    ]  # fmt: skip


def test_each_filter_finds_its_own(mairie: InvoicesMairie, client: httpx.Client) -> None:
    mairie.invoice("following", number="F-A", service_code="VOIRIE", supplier="99000099900019")
    mairie.invoice("objected", number="F-B", engagement="ENG-B", contract="M-B", mandate="4463386")
    mairie.invoice("handed", number="F-C", due=-3, status="SERVICE_FAIT")
    old = clock.now() - timedelta(days=400)
    mairie.invoice("archived", number="F-D", due=None, status="MISE_EN_PAIEMENT", moved=old)
    assert numbers(client, service="VOIRIE") == ["F-A"]
    assert numbers(client, supplier="990000999") == ["F-A"]
    assert numbers(client, engagement="ENG-B") == ["F-B"]
    assert numbers(client, contract="M-B") == ["F-B"]
    assert numbers(client, mandate="4463386") == ["F-B"]
    assert numbers(client, number="F-B") == ["F-B"]
    assert numbers(client, late=True) == ["F-C"]
    assert numbers(client, status="SERVICE_FAIT") == ["F-C"]
    assert numbers(client, state="archived") == ["F-D"]
    assert numbers(client, q="f-", state=["archived", "following"]) == ["F-D", "F-A"]
    assert "F-D" not in numbers(client, moved_since=(clock.now() - timedelta(days=30)).isoformat())
    assert "F-D" in numbers(client, moved_since="2020-01-01T00:00:00", limit=200)
    assert client.get("/v1/invoices", params={"handover": "perdue"}).status_code == 422


def test_pages_follow_each_other_without_a_gap(mairie: InvoicesMairie, client: httpx.Client) -> None:
    made = [mairie.invoice("following", number=f"P-{rank}", service_code="PAGES") for rank in range(5)]
    found, cursor = [], None
    while True:
        wanted = {"service": "PAGES", "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/invoices", params=wanted).json()
        found += [one["id"] for one in page["invoices"]]
        assert (page["total"], page["total_exact"]) == (5, True)
        cursor = page["next"]
        if cursor is None:
            break
    assert found == list(reversed(made))
    assert client.get("/v1/invoices", params={"cursor": "rien"}).status_code == 400
    assert client.get("/v1/invoices", params={"moved_since": "0001-01-01T00:00:00+14:00"}).status_code == 422


def test_statuses_are_asked_for_in_their_order_and_not_twice(mairie: InvoicesMairie, client: httpx.Client) -> None:
    invoice = offered(mairie)
    asked = {"statuses": [{"status": "SERVICE_FAIT"}, {"status": "MANDATEE", "mandate": "4463386"}]}
    said = client.post(f"/v1/invoices/{invoice}/statuses", json=asked)
    assert said.status_code == 202, said.text
    told = [(one["status"], one["mandate"], one["state"]) for one in said.json()["targets"]]
    assert told == [("SERVICE_FAIT", "", "due"), ("MANDATEE", "4463386", "due")]
    client.post(f"/v1/invoices/{invoice}/statuses", json=asked)
    history = client.get(f"/v1/invoices/{invoice}/history").json()
    assert [one["status"] for one in history["targets"]] == ["SERVICE_FAIT", "MANDATEE"]
    assert [one["label"] for one in history["steps"]] == ["Mise à disposition"]
    assert numbers(client, mandate="4463386", handover="offered") == [mairie.kept(invoice).number]


def test_a_rejection_needs_its_reason_and_a_final_invoice_takes_no_more(mairie: InvoicesMairie, client: httpx.Client) -> None:
    path = f"/v1/invoices/{offered(mairie)}/statuses"
    assert client.post(path, json={"statuses": [{"status": "REJETEE"}]}).status_code == 400
    assert client.post(path, json={"statuses": [{"status": "A_RECYCLER", "reason": "Service"}]}).status_code == 400
    assert client.post(path, json={"statuses": []}).status_code == 422
    coded = {"status": "REJETEE", "reason": "Facture en double", "reason_code": "DOUBLON"}
    assert client.post(path, json={"statuses": [coded]}).json()["targets"][0]["reason_label"] is not None
    paid = offered(mairie, status="MISE_EN_PAIEMENT")
    assert client.post(f"/v1/invoices/{paid}/statuses", json={"statuses": [{"status": "MANDATEE"}]}).status_code == 409


def test_rights_are_told_before_the_body_is_looked_at(mairie: InvoicesMairie, software: Software, service: Service) -> None:
    invoice = offered(mairie)
    for path in ("acknowledgement", "statuses"):
        with software.client("reader") as reader:
            assert reader.post(f"/v1/invoices/{invoice}/{path}", content=b"{").status_code == 403
        with service.client() as nobody:
            assert nobody.post(f"/v1/invoices/{invoice}/{path}", content=b"{").status_code == 401
        with service.client(service.syndicat.token) as stranger:
            assert stranger.post(f"/v1/invoices/{invoice}/{path}", content=b"{").status_code == 404
    with software.client("depositor") as depositor:  # may say that it took it, and read nothing
        assert depositor.get(f"/v1/invoices/{invoice}").status_code == 404
        assert numbers(depositor) == []
        assert depositor.post(f"/v1/invoices/{invoice}/acknowledgement", json={"taken": True}).status_code == 200


def test_nothing_of_another_organisation_shows(mairie: InvoicesMairie, client: httpx.Client, service: Service) -> None:
    invoice = offered(mairie, number="SECRET-1")
    paths = [f"/v1/invoices/{invoice}{path}" for path in ("", "/files", "/history")]
    paths += [one["href"] for one in client.get(f"/v1/invoices/{invoice}/files").json()["files"]]
    assert all(client.get(path).status_code == 200 for path in paths)
    with service.client(service.syndicat.token) as stranger:
        assert stranger.get("/v1/invoices", params={"number": "SECRET-1"}).json()["invoices"] == []
        assert {stranger.get(path).status_code for path in paths} == {404}
        assert stranger.get("/v1/invoices", params={"organisation": mairie.organisation.id}).status_code == 404


def test_a_dossier_of_another_flow_is_no_invoice(client: httpx.Client) -> None:
    assert client.get(f"/v1/invoices/{new_id()}").status_code == 404
    assert client.get("/v1/invoices/court").status_code == 422


def test_moments_are_in_utc(mairie: InvoicesMairie, client: httpx.Client) -> None:
    moment = datetime(2026, 7, 14, 9, 30, tzinfo=UTC)
    mairie.invoice("following", number="M-1", moved=moment)
    (line,) = client.get("/v1/invoices", params={"number": "M-1"}).json()["invoices"]
    assert line["moved"] == "2026-07-14T09:30:00Z"


def test_the_example_takes_each_invoice_once_and_leaves_what_is_dangerous(service: Service, tmp_path: Path) -> None:
    town = Software.of(service, "Commune de Saint-Aubin-du-Lavoir", "214098899", connected=False)
    mairie = InvoicesMairie(service.platform, town.organisation)
    pieces = [("../../Bon.pdf", b"%PDF-1.7 bon"), ("Lisez-moi.exe", PROGRAM)]
    made = [offered(mairie, pieces=pieces, marks={"Lisez-moi.exe": "executable"}) for _ in range(3)]

    def take() -> str:
        command = [sys.executable, "examples/take_invoices/take.py", town.tokens["software"], str(tmp_path / "factures")]
        environment = {**os.environ, "TABELLION_URL": service.address}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120).stdout

    first = take()
    assert (first.count("taken:"), first.count("left there: Lisez-moi.exe")) == (3, 3)
    assert {mairie.dossier(invoice).state for invoice in made} == {"following"}
    taken = sorted((tmp_path / "factures").iterdir())
    assert len(taken) == 3
    assert sorted(path.name for path in taken[0].iterdir()) == ["00-pivot.xml", "01-readable.pdf", "02-piece.pdf"]
    assert take() == ""
