"""Transfers by the API and by the pages, as software and archivists meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from archive.ingest.models import ArchiveAgreement
from core.identifiers import new_id
from core.people import Person, grant_role
from core.principal import PLATFORM, Right
from core.tokens import issue_token
from flows.sae.flow import SAE
from flows.transfers.flow import TRANSFER
from tests.integration.api.service import PASSWORD, Service
from tests.transfers import Desk, Sip

SIP = Sip(title="Correspondance du maire de Valmorin")


@pytest.fixture(scope="module")
def desk(service: Service) -> Iterator[Desk]:
    with Desk.opened(service.platform, service.mairie.organisation, service.platform.settings.state_dir) as opened:
        yield opened


@pytest.fixture(scope="module")
def archivist(service: Service) -> str:
    """The token of an archive software."""
    with service.platform.database.writing(PLATFORM) as session:
        rights = {Right.READ, Right.ARCHIVE}
        return issue_token(session, service.mairie.organisation, "archives", rights)


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[httpx.Client]:
    """The browser of an archivist, who also hands over."""
    with service.platform.database.writing(PLATFORM) as session:
        person = session.exec(select(Person).where(Person.email == service.mairie.email)).one()
        grant_role(session, person, service.mairie.organisation, new_id()[-8:], {Right.READ, Right.DEPOSIT, Right.ARCHIVE})
    with service.client() as client:
        entered = client.post(
            "/connexion", data={"csrf": csrf_of(client, "/connexion"), "email": person.email, "password": PASSWORD}
        )
        assert entered.status_code == 303
        yield client


def csrf_of(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


def test_software_hands_over_follows_accepts_and_is_answered(
    service: Service, desk: Desk, archivist: str, tmp_path: Path
) -> None:
    package = SIP.but(identifier="API-1").zip(tmp_path)
    with service.client(service.mairie.token) as sender, service.client(archivist) as archives:
        handed = sender.post(
            "/v1/transfers", content=package, headers={"Content-Type": "application/zip"}, params={"name": "v.zip"}
        )
        assert handed.status_code == 202
        here = handed.headers["Location"]
        assert handed.json()["state"] == "received"
        again = sender.post("/v1/transfers", files={"document": ("v.zip", package)})
        assert (again.status_code, again.json()["id"]) == (200, handed.json()["id"])
        assert sender.get(f"{here}/reply").status_code == 404
        desk.run(handed.json()["id"])
        waiting = sender.get(here).json()
        assert (waiting["state"], waiting["identifier"], waiting["objects"]) == ("to_accept", "API-1", 1)
        assert [problem["rule"] for problem in waiting["problems"]] == ["SEDA-300", "SEDA-101"]
        assert (
            "<MessageReceivedIdentifier>API-1</MessageReceivedIdentifier>" in sender.get(waiting["links"]["acknowledgement"]).text
        )
        assert "API-1" in sender.get(waiting["links"]["manifest"]).text
        assert sender.post(f"{here}/accept", json={}).status_code == 403
        assert archives.post(f"{here}/refuse", json={"code": "000", "comment": "non"}).status_code == 400
        accepted = archives.post(f"{here}/accept", json={"comment": "Bien reçu."})
        assert (accepted.status_code, accepted.json()["code"]) == (200, "001")
        assert archives.post(f"{here}/accept", json={}).status_code == 409
        desk.run(handed.json()["id"])
        sealed = sender.get(here).json()
        assert sealed["state"] == "archived"
        assert f"<ArchivalAgencyArchiveUnitIdentifier>{sealed['record']}<" in sender.get(f"{here}/reply").text
        assert sender.get(sealed["links"]["record"]).json()["kind"] == "transfer"


def test_software_tries_first_and_what_is_wrong_is_told(service: Service, desk: Desk, tmp_path: Path) -> None:
    with service.client(service.mairie.token) as sender:
        package = SIP.but(identifier="API-2", access="AR999").tar(tmp_path)
        tried = sender.post(
            "/v1/transfers", content=package, headers={"Content-Type": "application/gzip"}, params={"dry_run": "true"}
        )
        desk.run(tried.json()["id"])
        told = sender.get(tried.headers["Location"]).json()
        assert (told["state"], told["dry_run"], told["ended"]) == ("tried", True, True)
        assert "SEDA-203" in [problem["rule"] for problem in told["problems"] if problem["severity"] == "error"]
        assert sender.post("/v1/transfers", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_the_list_narrows_and_goes_on_by_its_cursor(service: Service, desk: Desk, tmp_path: Path) -> None:
    ids = [desk.hand(SIP.but(identifier=f"LISTE-{rank}").zip(tmp_path)) for rank in range(3)]
    for one in ids:
        desk.run(one)
    with service.client(service.mairie.token) as sender:
        asked = {"q": "LISTE-1"}
        assert [one["id"] for one in sender.get("/v1/transfers", params=asked).json()["transfers"]] == [ids[1]]
        page = sender.get("/v1/transfers", params={"state": "to_accept", "limit": 2}).json()
        rest = sender.get("/v1/transfers", params={"state": "to_accept", "limit": 2, "cursor": page["next"]}).json()
        found = [one["id"] for one in (*page["transfers"], *rest["transfers"])]
        assert found[:3] == ids[::-1]
        assert (page["total"], rest["total"], page["total_exact"]) == (len(found), len(found), True)
        assert sender.get("/v1/transfers", params={"state": "rejected", "q": "LISTE-1"}).json()["transfers"] == []
        for path, states in (("/v1/transfers", TRANSFER.states), ("/v1/sae-transfers", SAE.states)):
            unknown = sender.get(path, params={"state": [states[0], "perdu"]})
            (problem,) = unknown.json()["problems"]
            assert (unknown.status_code, problem["path"], problem["found"]) == (422, "query.state.1", "perdu")
            assert all(repr(state) in problem["expected"] for state in states)
            assert "« state »" in problem["message"].replace("\u00a0", " ")


def test_an_archivist_reads_a_transfer_and_refuses_it_on_its_page(
    service: Service, desk: Desk, browser: httpx.Client, tmp_path: Path
) -> None:
    package = SIP.but(identifier="PAGE-1").zip(tmp_path)
    csrf = csrf_of(browser, "/archives/versements/nouveau")
    organisation = service.mairie.organisation.id
    sent = browser.post(
        "/archives/versements/nouveau",
        data={"csrf": csrf, "organisation": organisation},
        files={"document": ("v.zip", package)},
    )
    assert sent.status_code == 303
    here = sent.headers["location"].partition("?")[0]
    desk.run(here.rpartition("/")[2])
    page = browser.get(here).text
    for told in ("Correspondance du maire de Valmorin", "lettre.xml", "fmt/101", "Accepter et sceller", "SEDA-300"):
        assert told in page, told
    listed = browser.get("/archives/versements", params={"etat": "to_accept", "q": "PAGE-1"}).text
    assert here in listed
    assert "<ArchiveTransfer" in browser.get(f"{here}/fichiers/manifest").text
    without = browser.post(f"{here}/refus", data={"csrf": csrf, "code": "203", "comment": ""})
    assert (without.status_code, "pourquoi" in without.text) == (400, True)
    foreign = browser.post(f"{here}/refus", data={"code": "203", "comment": "non"})
    assert foreign.status_code == 403
    refused = browser.post(f"{here}/refus", data={"csrf": csrf, "code": "203", "comment": "Plan manquant"})
    assert refused.status_code == 303
    desk.run(here.rpartition("/")[2])
    assert "Plan manquant" in browser.get(here).text
    assert "Accepter et sceller" not in browser.get(here).text


def test_an_archivist_opens_an_agreement_and_closes_it(service: Service, browser: httpx.Client) -> None:
    csrf = csrf_of(browser, "/archives/accords")
    rng = (
        b'<grammar xmlns="http://relaxng.org/ns/structure/1.0"><start><element name="ArchiveTransfer" '
        b'ns="fr:gouv:culture:archivesdefrance:seda:v2.1"><text/></element></start></grammar>'
    )
    terms = {
        "csrf": csrf,
        "identifier": "ACCORD-PAGE",
        "label": "Correspondance",
        "transferring_agency": "218500991",
        "formats": "fmt/18, x-fmt/111",
        "largest": "2",
        "starts": "2026-01-01",
        "automatic": "1",
    }
    wrong = browser.post("/archives/accords", data={**terms, "formats": "pdf"})
    assert wrong.status_code == 422
    assert "identifiant PRONOM" in wrong.text
    assert 'value="ACCORD-PAGE"' in wrong.text
    unusable = browser.post("/archives/accords", data=terms, files={"profile": ("p.rng", b"<a/>")})
    assert unusable.status_code == 400
    opened = browser.post("/archives/accords", data=terms, files={"profile": ("p.rng", rng)})
    assert opened.status_code == 303
    with service.platform.database.reading(PLATFORM) as session:
        kept = session.exec(select(ArchiveAgreement).where(ArchiveAgreement.identifier == "ACCORD-PAGE")).one()
    assert (kept.formats, kept.largest, kept.automatic, kept.profile_name) == (
        ["fmt/18", "x-fmt/111"],
        2 << 20,
        True,
        "profil.rng",
    )
    assert browser.post("/archives/accords", data=terms).status_code == 409
    closed = browser.post(f"/archives/accords/{kept.id}/cloture", data={"csrf": csrf})
    assert closed.status_code == 303
    assert "Clos" in browser.get("/archives/accords").text
