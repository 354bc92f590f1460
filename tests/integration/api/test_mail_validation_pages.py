"""Approval before sending, on the pages: chosen with the terms, announced, followed, refused, cancelled, copied."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest
from sqlmodel import col, select

from core.journal import JournalEntry
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.mail import validating
from flows.parapheur.conclusion import perform
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import actions
from signing.parapheur.history import Said
from tests.integration.api.acts_forms import csrf, somebody
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.mails_office import MailsOffice, filled, mails_office, send, sent_id
from tests.office import Office

TERMS = "/administration/courriers"
REASON = "Le jour annoncé est férié."


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailsOffice]:
    with mails_office(s3, tmp_path_factory.mktemp("validation")) as opened:
        yield opened


@pytest.fixture(scope="module")
def book(office: MailsOffice) -> Office:
    return Office.opened(office.service.platform, office.mairie.organisation, domain="visa.test")


@pytest.fixture(scope="module")
def administrator(office: MailsOffice) -> Iterator[httpx.Client]:
    hired = ActsMairie(office.service.platform, office.mairie.organisation, office.people)
    hired.hire("administre", {Right.READ, Right.ADMINISTER})
    with somebody(office.service, office.people["administre"]) as client:
        yield client


@pytest.fixture
def clerk(office: MailsOffice) -> Iterator[httpx.Client]:
    with somebody(office.service, office.people["clerc"]) as client:
        yield client


def choose(client: httpx.Client, office: MailsOffice, kind: str, subtype: str, emitter: str) -> httpx.Response:
    fields = {f"{kind}.subtype": subtype, f"{kind}.emitter": emitter, f"{kind}.visibility": "confidential"}
    where = {"organisation": office.mairie.organisation.id}
    return client.post(TERMS, params=where, data={**csrf(client), "kind": kind, "do": "visa", **fields})


def in_force(office: MailsOffice, kind: str) -> ParapheurRoute | None:
    platform = office.service.platform
    with platform.database.reading(PLATFORM) as session:
        return validating.route_of(session, platform.secrets, office.mairie.organisation.id, kind)


def waiting(office: MailsOffice, clerk: httpx.Client, subject: str) -> str:
    """Write a send as a clerk does, and have it put before those who approve it."""
    send_id = sent_id(send(clerk, filled(office, subject=subject)))
    page = clerk.get(f"/courriers/{send_id}/envoi").text
    assert "Il passe d’abord au parapheur (Courrier" in html.unescape(page)
    version = re.search(r'name="version" value="(\w+)"', page)
    assert version is not None
    assert clerk.post(f"/courriers/{send_id}/envoi", data={**csrf(clerk), "version": version[1]}).status_code == 303
    for stage in ("check", "ask", "proceed"):
        office.sending.perform(stage, send_id)
    return send_id


def test_an_administrator_chooses_who_approves_and_takes_it_back(
    office: MailsOffice, book: Office, administrator: httpx.Client, clerk: httpx.Client
) -> None:
    subtype, emitter = book.kinds["visa"], book.desks["secretariat"].id
    where = {"organisation": office.mairie.organisation.id}
    assert administrator.get(TERMS, params=where).text.count("Part sans validation.") == 3
    assert choose(clerk, office, "secured", subtype, emitter).status_code == 403
    for told, words in (
        ((book.kinds["pes"], emitter), "NONE"),
        ((subtype, ""), "Choisissez le bureau"),
        ((subtype, "0" * 26), "bureau"),
    ):
        answer = choose(administrator, office, "secured", *told)
        assert answer.status_code == 400
        assert words in html.unescape(answer.text).partition('role="alert"')[2].partition("</div>")[0]
    assert in_force(office, "secured") is None
    assert choose(administrator, office, "secured", subtype, emitter).status_code == 303
    assert in_force(office, "secured") == ParapheurRoute(subtype=subtype, emitter=emitter)
    page = html.unescape(administrator.get(TERMS, params=where).text)
    assert page.count("Validé au parapheur\N{NO-BREAK SPACE}: Courrier") == 1
    assert f'<option value="{subtype}" selected>' in page
    assert choose(administrator, office, "secured", "", "").status_code == 303
    assert in_force(office, "secured") is None
    with office.service.platform.database.reading(PLATFORM) as session:
        wanted = select(JournalEntry).order_by(col(JournalEntry.number))
        kinds = [one.kind for one in session.exec(wanted) if one.facts.get("configuration") == "mail.visa.secured"]
    assert kinds == ["configuration.changed", "configuration.withdrawn"]


def test_a_clerk_follows_what_waits_and_copies_what_was_refused(
    office: MailsOffice, book: Office, administrator: httpx.Client, clerk: httpx.Client
) -> None:
    assert choose(administrator, office, "secured", book.kinds["visa"], book.desks["secretariat"].id).status_code == 303
    send_id = waiting(office, clerk, "Courrier à refuser")
    page = html.unescape(clerk.get(f"/courriers/{send_id}").text)
    assert "À valider</h2>" in page
    assert "Direction générale" in page
    assert f"/courriers/{send_id}/preuve" not in page
    assert f"/courriers/{send_id}/acte/annulation" in page
    assert f"/courriers/{send_id}/acte/ajout" not in page
    assert clerk.get(f"/courriers/{send_id}/attestation").status_code == 404
    listed = clerk.get("/courriers", params={"etat": "validating"}).text
    assert send_id in listed
    assert send_id not in clerk.get("/courriers", params={"etat": "sent"}).text
    who = book.principal("dgs")
    (task,) = book.tasks(send_id, "dgs")
    perform(office.service.platform, who, lambda session: actions.reject(session, who, task.id, Said(REASON)))
    office.sending.perform("decline", send_id)
    page = html.unescape(clerk.get(f"/courriers/{send_id}").text)
    assert "Ce courrier n’a pas été validé" in page
    assert REASON in page
    assert "Bordereau de visa" in page
    docket = re.search(rf'href="(/courriers/{send_id}/fichiers/\w+)">Bordereau', page)
    assert docket is not None
    assert clerk.get(docket[1]).content.startswith(b"%PDF")
    assert send_id in clerk.get("/courriers", params={"etat": "rejected"}).text
    deed = f"/courriers/{send_id}/acte/reprise"
    assert "Un nouveau brouillon reçoit" in html.unescape(clerk.get(deed).text)
    with somebody(office.service, office.people["lecteur"]) as reader:
        assert "acte/reprise" not in reader.get(f"/courriers/{send_id}").text
        assert reader.post(deed, data=csrf(reader)).status_code == 403
    copied = clerk.post(deed, data=csrf(clerk)).headers["location"]
    assert copied.endswith("/brouillon?fait=reprise")
    draft = html.unescape(clerk.get(copied).text)
    assert 'value="Courrier à refuser"' in draft
    assert "Le courrier est repris dans ce brouillon" in draft
    assert office.sink.kept() == []


def test_a_clerk_calls_off_what_waits_and_nobody_is_told(office: MailsOffice, book: Office, clerk: httpx.Client) -> None:
    send_id = waiting(office, clerk, "Courrier à annuler")
    deed = f"/courriers/{send_id}/acte/annulation"
    page = html.unescape(clerk.get(deed).text)
    assert "aucun destinataire n’est prévenu" in page
    assert clerk.post(deed, data={**csrf(clerk), "reason": ""}).status_code == 400
    assert clerk.post(deed, data={**csrf(clerk), "reason": "Doublon"}).status_code == 303
    page = html.unescape(clerk.get(f"/courriers/{send_id}").text)
    assert "annulé avant d’être validé" in page
    assert f"/courriers/{send_id}/preuve" not in page
    assert f"/courriers/{send_id}/acte/reprise" in page
    assert book.tasks(send_id, "dgs") == []
    office.sending.post()
    assert office.sink.kept() == []


def test_software_reads_where_a_send_waits(office: MailsOffice, clerk: httpx.Client) -> None:
    send_id = waiting(office, clerk, "Courrier suivi par logiciel")
    with office.service.client(office.service.mairie.token) as software:
        shown = software.get(f"/v1/mails/{send_id}").json()
        assert (shown["standing"], shown["label"]) == ("validating", "À valider")
        found = software.get("/v1/mails", params={"standing": "validating"}).json()["mails"]
        assert send_id in [one["id"] for one in found]
        assert software.get(f"/v1/mails/{send_id}/proof").status_code == 409
