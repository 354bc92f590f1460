"""Transfers to archive services outside by the pages and by the API, as administrators, archivists and software meet them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from connectors.asalae.simulator import LOGIN, PASSWORD, AsalaeSimulator
from connectors.vitam.simulator import CONTRACT, TENANT, VitamSimulator
from core.people import Person, grant_role
from core.principal import PLATFORM, Right
from flows.sae.knowledge import settings_of
from flows.sae.models import SaeTransfer
from flows.sae.settings import System
from tests.integration.api.service import PASSWORD as OF_PEOPLE
from tests.integration.api.service import Service
from tests.sae import SENDER, Office

ACCOUNT, LIST, WAITING = "/administration/sae", "/archives/sae", "/archives/sae/a-verser"


@pytest.fixture(scope="module")
def asalae(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsalaeSimulator]:
    with AsalaeSimulator(tmp_path_factory.mktemp("asalae")) as running:
        yield running


@pytest.fixture(scope="module")
def office(service: Service) -> Iterator[Office]:
    with Office.opened(service.platform, service.mairie.organisation, service.platform.settings.state_dir) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(service: Service) -> Iterator[httpx.Client]:
    """The browser of somebody who administers and manages the archives."""
    with service.platform.database.writing(PLATFORM) as session:
        person = session.exec(select(Person).where(Person.email == service.mairie.email)).one()
        rights = {Right.READ, Right.ARCHIVE, Right.ADMINISTER}
        grant_role(session, person, service.mairie.organisation, "archives", rights)
    with service.client() as client:
        entered = {"csrf": csrf_of(client, "/connexion"), "email": person.email, "password": OF_PEOPLE}
        assert client.post("/connexion", data=entered).status_code == 303
        yield client


def csrf_of(client: httpx.Client, page: str) -> str:
    return client.get(page).text.partition('name="csrf" value="')[2].partition('"')[0]


def form(asalae: AsalaeSimulator, **changes: str) -> dict[str, str]:
    told = {
        "system": "asalae", "address": asalae.settings().address, "login": LOGIN, "password": PASSWORD, "seda": "2.1",
        "archival_agency": "FRAD999", "transferring_agency": SENDER, "agreement": "", "kind-helios": "on_demand",
    }  # fmt: skip
    return told | changes


def configure(client: httpx.Client, values: dict[str, str]) -> httpx.Response:
    return client.post(ACCOUNT, data=values | {"csrf": csrf_of(client, ACCOUNT)}, follow_redirects=True)


def test_a_service_is_configured_tried_and_never_shows_its_secrets(
    service: Service, browser: httpx.Client, asalae: AsalaeSimulator
) -> None:
    told = configure(browser, form(asalae))
    assert "Le service d’archives est enregistré." in told.text
    assert PASSWORD not in told.text
    tried = browser.post(f"{ACCOUNT}/essai", data={"csrf": csrf_of(browser, ACCOUNT)})
    assert (tried.status_code, "nous reconnaît" in tried.text, "as@lae 2.1" in tried.text) == (200, True, True)
    configure(browser, form(asalae, password="", agreement="ACCORD-1"))
    kept = settings_of(service.platform, service.mairie.organisation.id)
    assert (kept.agreement, kept.asalae and kept.asalae.password.get_secret_value()) == ("ACCORD-1", PASSWORD)
    configure(browser, form(asalae, password="faux"))
    refused = browser.post(f"{ACCOUNT}/essai", data={"csrf": csrf_of(browser, ACCOUNT)})
    assert (refused.status_code, "refuse notre accès" in refused.text) == (409, True)


def test_a_kept_password_does_not_follow_to_another_address(browser: httpx.Client, asalae: AsalaeSimulator) -> None:
    configure(browser, form(asalae))
    moved = configure(browser, form(asalae, address="https://autre.example/restservices", password=""))
    assert (moved.status_code, "mot de passe du compte as@lae" in moved.text) == (400, True)
    plain = configure(browser, form(asalae, address="http://sae.example"))
    assert (plain.status_code, "adresse HTTPS" in plain.text) == (400, True)


def test_an_address_of_our_own_network_is_refused_when_it_is_written_down(browser: httpx.Client, asalae: AsalaeSimulator) -> None:
    configure(browser, form(asalae))
    refused = configure(browser, form(asalae, address="https://169.254.169.254/latest"))
    assert (refused.status_code, "L’exploitant de la plateforme peut permettre" in refused.text) == (400, True)
    assert 'value="https://169.254.169.254/latest"' in refused.text, "what was filled in is not lost"
    assert "169.254" not in browser.get(ACCOUNT).text


def test_a_vitam_is_configured_by_a_certificate_file(service: Service, browser: httpx.Client, tmp_path: Path) -> None:
    with VitamSimulator(tmp_path / "vitam") as vitam:
        there = vitam.settings()
        told = {
            "system": "vitam", "address": there.address, "password": "secret", "seda": "2.2", "archival_agency": "FRAD999",
            "transferring_agency": SENDER, "tenant": str(TENANT), "access_contract": CONTRACT,
        }  # fmt: skip
        files = {
            "certificate": ("client.p12", vitam._certificates.client("secret")),
            "authorities": ("authority.pem", (there.authorities or "").encode()),
        }
        kept = browser.post(ACCOUNT, data=told | {"csrf": csrf_of(browser, ACCOUNT)}, files=files)
        assert kept.status_code == 303, kept.text
        tried = browser.post(f"{ACCOUNT}/essai", data={"csrf": csrf_of(browser, ACCOUNT)})
        assert "nous reconnaît" in tried.text
    assert settings_of(service.platform, service.mairie.organisation.id).system is System.VITAM


def test_an_archivist_hands_over_sees_the_refusal_and_sends_again(
    service: Service, browser: httpx.Client, office: Office, asalae: AsalaeSimulator
) -> None:
    configure(browser, form(asalae))
    record = office.seal()
    listed = browser.get(WAITING)
    assert f'value="{record.id}"' in listed.text
    asalae.verdict = ("203", "Le profil attend un mot-clé")
    handed = browser.post(WAITING, data={"csrf": csrf_of(browser, WAITING), "record": record.id}, follow_redirects=True)
    assert "Archives confiées à l’envoi\u00a0: 1." in handed.text
    assert f'value="{record.id}"' not in browser.get(WAITING).text
    dossier_id = office.only()
    office.run(dossier_id)
    office.follow(dossier_id)
    office.follow(dossier_id)
    page = browser.get(LIST, params={"etat": "refused"})
    assert "Le profil attend un mot-clé" in page.text
    asalae.verdict = ("000", "")
    again = browser.post(f"{LIST}/renvoi", data={"csrf": csrf_of(browser, LIST), "transfer": dossier_id}, follow_redirects=True)
    assert "Envois repartis\u00a0: 1." in again.text
    office.run(dossier_id)
    office.follow(dossier_id)
    office.follow(dossier_id)
    cote = office.transfer(dossier_id).cote
    assert cote in browser.get(LIST).text
    with service.client(service.mairie.reader_token) as reader, service.client(service.syndicat.reader_token) as stranger:
        (line,) = reader.get("/v1/sae-transfers", params={"state": "accepted"}).json()["transfers"]
        assert (line["cote"], line["record_id"], line["ended"], line["reasons"]) == (cote, record.id, True, [])
        assert stranger.get("/v1/sae-transfers").json()["transfers"] == []
    nothing = browser.post(f"{LIST}/renvoi", data={"csrf": csrf_of(browser, WAITING)})
    assert nothing.status_code in {400, 403}


def test_a_transfer_that_nobody_answers_is_chosen_by_the_archivist_not_by_the_page(
    browser: httpx.Client, office: Office, asalae: AsalaeSimulator
) -> None:
    configure(browser, form(asalae))
    asalae.delay = 3600
    record = office.seal("sans réponse")
    browser.post(WAITING, data={"csrf": csrf_of(browser, WAITING), "record": record.id})
    with office.platform.database.reading(PLATFORM) as session:
        dossier_id = session.exec(select(SaeTransfer.dossier_id).where(SaeTransfer.record_id == record.id)).one()
    office.run(dossier_id)
    assert f'value="{dossier_id}"' not in browser.get(LIST).text
    office.run(dossier_id, later=True)
    assert f'value="{dossier_id}" >' in browser.get(LIST).text  # it may have arrived: nothing is ticked
    again = browser.post(f"{LIST}/renvoi", data={"csrf": csrf_of(browser, LIST), "transfer": dossier_id}, follow_redirects=True)
    assert "Envois repartis\u00a0: 1." in again.text
    asalae.delay = 0


def test_a_service_is_forgotten_with_its_secrets(browser: httpx.Client, asalae: AsalaeSimulator) -> None:
    configure(browser, form(asalae))
    told = browser.post(ACCOUNT, data={"csrf": csrf_of(browser, ACCOUNT), "oubli": "1"}, follow_redirects=True)
    assert "Les archives restent ici seulement" in told.text
    assert browser.post(f"{ACCOUNT}/essai", data={"csrf": csrf_of(browser, ACCOUNT)}).status_code == 409
