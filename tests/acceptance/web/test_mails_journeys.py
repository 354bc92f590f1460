"""Courriers in a browser: written to a group, seen before it leaves, followed, mended, cancelled; by any hand, on any screen."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from core import clock
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.mail.book import contacts, templates
from flows.mail.models import MailReturn
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.acceptance.web.test_acts_journeys import _SMALL, shot
from tests.integration.api.mails_office import MailsOffice, mails_office
from tests.integration.api.service import PASSWORD
from tests.mails import ADDRESSES

_MAIN = {"list of mails", "draft, wrong", "review", "mail"}  # looked at on a desk too; on a phone, every page is


@dataclass(frozen=True)
class Desk:
    """The office, and the addresses of its pages by situation."""

    office: MailsOffice
    pages: dict[str, str]


@pytest.fixture(scope="module")
def office(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailsOffice]:
    with mails_office(s3, tmp_path_factory.mktemp("mails")) as opened:
        yield opened


@pytest.fixture(scope="module")
def site(office: MailsOffice) -> Site:
    return Site(office.service, {})


@pytest.fixture(scope="module")
def desk(office: MailsOffice) -> Desk:
    mairie, owner = office.mairie, office.mairie.organisation.id
    platform = mairie.platform
    long = "jean-christophe.de-la-vallee-poussin@une-tres-longue-collectivite.example.test"
    mail = mairie.mail(recipients=(*ADDRESSES, long), subject="Avis de passage du service des eaux et de l’assainissement")
    one, two, three, _ = mairie.recipients(mail)
    mairie.answer(one, "Bien reçu, merci.")
    mairie.change(two, state="failed", trouble="550 5.1.1 Recipient address rejected: User unknown in virtual mailbox table")
    mairie.change(three, delivered=clock.now(), blocked=True)
    kept = templates.keep(platform, PLATFORM, owner, templates.Told("Passage", "secured", "Passage", "Bonjour {nom}")).id
    blob = platform.objects.put(io.BytesIO(b"From: a@b.test\r\nSubject: Absent\r\n\r\nJe reviens lundi."))
    with platform.database.writing(PLATFORM) as session:
        gone = contacts.made(owner, contacts.Told("parti@elus.test", "Personne partie"))
        gone.bounced = clock.now()
        session.add(gone)
        returned = MailReturn(
            organisation_id=owner, what="unknown", diagnostic="5.7.1", source="a/1", sha256=blob.sha256, size=blob.size
        )
        session.add(returned)
        session.flush()
        back = f"/courriers/retours/{returned.id}"
    wrong = mairie.mail("draft", kind="notification", subject="Arrêté de voirie", recipients=ADDRESSES)
    of_two = f"/courriers/{mail}/destinataires/{two.id}"
    pages = {
        "list of mails": "/courriers",
        "no mail": "/courriers?q=introuvable",
        "writing a mail": "/courriers/nouveau",
        "draft, wrong": f"/courriers/{wrong}/brouillon?relire=1",
        "review": f"/courriers/{mairie.mail('draft', recipients=ADDRESSES)}/envoi",
        "mail": f"/courriers/{mail}",
        "recipient": of_two,
        "mending": f"{of_two}/adresse",
        "adding": f"/courriers/{mail}/acte/ajout",
        "cancelling": f"/courriers/{mail}/acte/annulation",
        "book": "/carnet",
        "contact": f"/carnet/contacts/{gone.id}",
        "group": f"/carnet/groupes/{office.group}",
        "new group": "/carnet/groupe",
        "import": "/carnet/import",
        "templates": "/courriers/modeles",
        "template": f"/courriers/modeles/{kept}",
        "returns": "/courriers/retours",
        "return": back,
        "terms": "/administration/courriers",
    }
    return Desk(office, pages)


def enter(page: Page, office: MailsOffice, who: str) -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(office.people[who])
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, desk: Desk, width: int) -> None:
    page, titles = enter(visit(width=width, signed_in=False), desk.office, "tout"), []
    looked_at = {where: address for where, address in desk.pages.items() if width == WIDTHS[0] or where in _MAIN}
    for where, address in looked_at.items():
        page.goto(address)
        titles.append(page.title())
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        shot(page, where, width)
        page.evaluate(_SPACED)
        assert_fits(page, f"{where}, spaced out")
    if width == WIDTHS[0]:
        assert sorted({*titles}) == sorted(titles[:1] + titles[2:])  # the list that is empty is the list, narrowed


def test_a_clerk_writes_to_a_group_follows_mends_and_cancels(visit: Opening, office: MailsOffice) -> None:
    page = enter(visit(signed_in=False), office, "clerc")
    page.get_by_role("link", name="Courriers").click()
    page.get_by_role("link", name="Écrire un courrier").press("Enter")
    page.get_by_label("Groupe du carnet").select_option(label="Conseil municipal (3 contacts)")
    page.get_by_role("button", name="Ajouter le groupe").press("Enter")
    expect(page.get_by_role("status").filter(has_text="3 personnes ajoutées")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "to"
    page.keyboard.press("Control+End")
    page.keyboard.type("\nrefused@elus.test")
    page.get_by_label("Objet").fill("Réunion publique")
    page.get_by_label("Message", exact=True).fill("Bonjour,\n\nVoici l’invitation.")
    page.get_by_label("Ajouter des documents").set_input_files(
        {"name": "invitation.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n%%EOF\n"}
    )
    expect(page.locator("#pieces li")).to_contain_text("invitation.pdf")
    page.get_by_role("button", name="Relire et envoyer…").click()
    page.get_by_role("link", name="Sacha Perrin").click()
    expect(page.locator(".letter-preview")).to_contain_text("Bonjour Sacha Perrin")
    expect(page.locator(".letter-preview")).not_to_contain_text("Réunion publique")
    page.get_by_role("button", name="Envoyer à 4 destinataires").click()
    expect(page.get_by_role("heading", level=2, name="En contrôle")).to_be_visible()
    send_id = page.url.rpartition("/")[2].partition("?")[0]
    office.leave(send_id)
    expect(page.get_by_text("Un destinataire n’est pas atteint")).to_be_visible()  # the page follows the work by itself
    link = re.search(r"/courrier/\S+", str(office.sink.to("sacha@elus.test")[0].get_body(("plain",))))
    assert link is not None
    person = visit(signed_in=False, width=390)
    person.goto(link[0])
    person.get_by_role("button", name="Retirer le document").click()
    expect(person.get_by_text("Réunion publique").first).to_be_visible()
    page.get_by_role("link", name="Actualiser").click()
    expect(page.get_by_text("Retraits\u00a0: 1 sur 4")).to_be_visible()
    expect(page.get_by_role("row", name="Sacha Perrin")).to_contain_text("Retiré")
    page.get_by_role("row", name="Élodie Roy").get_by_role("link").press("Enter")
    page.get_by_role("link", name="Renvoyer l’avis…").press("Enter")
    page.get_by_role("button", name="Renvoyer l’avis").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Un nouvel avis part")
    page.get_by_role("link", name="Réunion publique").click()
    page.locator("main table").get_by_role("link", name="refused@elus.test").click()
    page.get_by_role("link", name="Corriger l’adresse…").press("Enter")
    page.get_by_label("Nouvelle adresse").fill("ana@elus.test")
    page.keyboard.press("Enter")
    expect(page.get_by_text("refused@elus.test remplacée par ana@elus.test")).to_be_visible()
    office.sending.post()
    assert [len(office.sink.to(address)) for address in ("elodie@elus.test", "ana@elus.test")] == [2, 1]
    page.get_by_role("link", name="Réunion publique").click()
    page.get_by_role("link", name="Annuler le courrier…").click()
    page.get_by_label("Motif").fill("La salle n’est plus libre.")
    page.get_by_role("button", name="Annuler le courrier").press("Enter")
    expect(page.get_by_role("heading", level=2, name="Annulé")).to_be_visible()
    expect(page.get_by_text("La salle n’est plus libre.").first).to_be_visible()


def test_a_mail_is_written_and_mended_without_javascript_on_a_phone(visit: Opening, office: MailsOffice) -> None:
    page = enter(visit(width=320, signed_in=False, java_script_enabled=False), office, "clerc")
    page.goto("/courriers/nouveau")
    page.get_by_label("Destinataires", exact=True).fill("Max <max@elus.test>\npersonne")
    page.get_by_label("Ajouter des documents").set_input_files(
        {"name": "un.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1"}
    )
    page.get_by_role("button", name="Relire et envoyer…").click()
    assert "Ligne 2" in page.locator(".faults").inner_text()
    assert page.locator("#pieces li").inner_text().startswith("un.pdf") or "un.pdf" in page.locator("#pieces").inner_text()
    page.get_by_label("Destinataires", exact=True).fill("Max <max@elus.test>")
    page.get_by_role("button", name="Relire et envoyer…").click()
    summary = page.get_by_role("alert").inner_text()
    assert "2 points sont à corriger" in summary
    page.get_by_label("Objet").fill("Sans script")
    page.get_by_label("Message", exact=True).fill("Bonjour {nom},")
    page.get_by_role("button", name="Relire et envoyer…").click()
    assert "Bonjour Max," in page.locator("main").inner_text()
    assert "un.pdf" in page.locator("main").inner_text()
    page.get_by_role("button", name="Envoyer à 1 destinataire").click()
    assert page.get_by_role("status").first.inner_text().startswith("Le courrier est parti au contrôle")
