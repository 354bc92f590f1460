"""A recipient at their browser: with a keyboard alone, without a script, on any screen; and a machine that only looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.mail.models import MailAnswer, RecipientState
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_sound
from tests.acceptance.web.test_acts_journeys import _FITS, _SMALL, shot
from tests.integration.api.courrier_mairie import PASSWORD, PDF, convened
from tests.integration.api.service import web_service
from tests.mails import ADDRESSES, MailsMairie

_LONG = "Avis de passage du service des eaux pour le remplacement des compteurs de la rue des Tanneurs et alentours"
# What a gateway's browser does with a page: scripts of its own ask for every address in it.
_PRYING = """
Promise.all([...document.querySelectorAll('[href], [action]')].flatMap(element => ['GET', 'HEAD'].map(
  method => fetch(element.href || element.action, {method}).then(answer => answer.status))))
"""


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with web_service(s3, tmp_path_factory.mktemp("courrier")) as service:
        yield Site(service, {})


@pytest.fixture(scope="module")
def sender(site: Site) -> MailsMairie:
    return MailsMairie(site.service.platform, site.service.mairie.organisation)


def link(sender: MailsMairie, mail: str, rank: int = 0) -> str:
    return f"/courrier/{sender.token(mail, rank)}"


def test_a_machine_that_runs_the_page_for_five_seconds_acknowledges_nothing(visit: Opening, sender: MailsMairie) -> None:
    mail = sender.mail()
    page = visit(signed_in=False)
    page.clock.install()
    page.goto(link(sender, mail))
    page.clock.run_for(5000)
    assert set(page.evaluate(_PRYING)) == {200}
    for element in page.locator("main a").all():
        page.goto(link(sender, mail))
        page.goto(element.get_attribute("href") or "")
        page.clock.run_for(5000)
    assert page.locator("script").count() == 0
    recipient = sender.recipient(mail)
    assert (recipient.state, recipient.withdrawn) == (RecipientState.HANDED, None)
    assert set(sender.events(mail)) == {"relay_to_non_erds", "notification_access"}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, sender: MailsMairie, width: int) -> None:
    page = visit(width=width, signed_in=False)
    secret = sender.mail(kind="notification", subject=_LONG, password=PASSWORD)
    coded = sender.mail(kind="notification")
    page.goto(link(sender, secret))
    sound(page, "code, to ask for", width)
    page.get_by_role("button", name="Recevoir un code").click()
    expect(page.get_by_role("status")).to_contain_text("Un code a été envoyé")
    fill(page, {"Mot de passe": "faux", "Code à six chiffres": "000000", "Vos nom et prénom": "Camille Aubert"})
    page.get_by_role("button", name="Retirer le document").click()
    expect(page.get_by_role("alert")).to_contain_text("ne convient pas")
    expect(page.get_by_label("Vos nom et prénom")).to_have_value("Camille Aubert")
    sound(page, "wrong code", width)
    page.goto(link(sender, coded) + "/erreur")
    sound(page, "not me", width)
    page.goto("/courrier/rien")
    sound(page, "nowhere", width)

    plain = sender.mail(subject=_LONG, body="Bonjour,\n\nLe détail est sur https://valmorin.test/" + "eau-" * 30)
    page.goto(link(sender, plain))
    sound(page, "waiting", width)
    page.get_by_role("link", name="Refuser le document").click()
    sound(page, "refusal", width)
    page.get_by_role("link", name="Revenir au message").click()
    page.get_by_role("button", name="Retirer le document").click()
    page.get_by_role("button", name="Envoyer la réponse").click()
    expect(page.get_by_role("alert")).to_contain_text("La réponse est vide")
    sound(page, "reading, with trouble", width)
    page.goto(link(sender, plain))
    sound(page, "again", width)
    council = convened(sender)
    page.goto(link(sender, council))
    page.get_by_role("button", name="Retirer le document").click()
    sound(page, "convocation", width)


def sound(page: Page, where: str, width: int) -> None:
    assert_sound(page, where)
    assert page.evaluate(_SMALL) == [], where
    shot(page, f"recipient {where}", width)
    page.evaluate(_SPACED)
    assert page.evaluate(_FITS), f"{where}, spaced out"


def fill(page: Page, values: dict[str, str]) -> None:
    for name, value in values.items():
        page.get_by_label(name).fill(value)


def test_a_recipient_does_it_all_with_a_keyboard_and_without_a_script(
    visit: Opening, sender: MailsMairie, tmp_path: Path
) -> None:
    mail = sender.mail(password=PASSWORD)
    page = visit(width=390, signed_in=False, java_script_enabled=False)
    page.goto(link(sender, mail))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # to the content
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Retirer le document")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Avis de passage du service des eaux")
    assert page.url.endswith("/courrier/lecture")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Vous avez déjà retiré ce document")
    page.go_forward()
    page.reload()
    assert sender.events(mail).count("content_handover") == 1
    assert "content_consulted" not in sender.events(mail)

    document = page.get_by_role("link", name="Télécharger avis.pdf")
    document.focus()
    with page.expect_download() as downloading:
        page.keyboard.press("Enter")
    downloading.value.save_as(tmp_path / "avis.pdf")
    assert (tmp_path / "avis.pdf").read_bytes() == PDF

    page.keyboard.press("Tab")
    page.keyboard.type("Bien reçu.")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Fichiers")).to_be_focused()
    page.get_by_label("Fichiers").set_input_files(tmp_path / "avis.pdf")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Votre réponse est envoyée.")
    with sender.platform.database.reading(PLATFORM) as session:
        kept = session.get_one(MailAnswer, sender.recipient(mail).id)
    assert (kept.text, [one["name"] for one in kept.files]) == ("Bien reçu.", ["avis.pdf"])
    page.get_by_role("button", name="Terminer").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("La lecture est terminée")
    page.goto("/courrier/lecture")
    expect(page.get_by_role("heading", level=1)).to_have_text("Rien à ouvrir ici")


def test_a_member_gives_a_proxy_and_another_refuses(visit: Opening, sender: MailsMairie) -> None:
    council = convened(sender, people=len(ADDRESSES))
    page = visit(signed_in=False)
    page.goto(link(sender, council))
    expect(page.get_by_text("Conseil municipal du printemps")).to_be_visible()  # a convocation says what it is
    page.get_by_role("button", name="Retirer le document").click()
    page.get_by_label("Pouvoir donné à").select_option(label="Dominique Marchal")
    page.get_by_role("radio").and_(page.locator("[value=proxy]")).check()
    page.get_by_label("Oui").check()
    page.get_by_role("button", name="Enregistrer ma réponse").click()
    expect(page.get_by_role("status")).to_contain_text("Votre réponse est enregistrée")
    expect(page.locator("[value=proxy]")).to_be_checked()
    page.goto(link(sender, council, 1))
    page.get_by_role("link", name="Refuser le document").click()
    page.get_by_role("button", name="Refuser définitivement").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Vous avez refusé ce document")
    page.goto(link(sender, council, 2))
    page.get_by_role("link", name="Je ne suis pas le destinataire").click()
    page.get_by_role("button", name="Ce n’est pas moi").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Merci de l’avoir signalé")
    states = [one.state for one in sender.recipients(council)][1:]
    assert states == [RecipientState.REFUSED, RecipientState.FAILED]


def test_an_address_in_the_message_is_followed_without_saying_from_where(
    browser: Browser, site: Site, sender: MailsMairie
) -> None:
    mail, asked = sender.mail(body="Voyez https://valmorin.test/eau pour le détail."), []

    def elsewhere(route: Route) -> None:
        asked.append(route.request.all_headers())
        route.fulfill(body="ailleurs")

    context = browser.new_context(base_url=site.service.address, locale="fr-FR")
    context.route("https://valmorin.test/**", elsewhere)
    page = context.new_page()
    page.goto(link(sender, mail))
    page.get_by_role("button", name="Retirer le document").click()
    page.get_by_role("link", name="https://valmorin.test/eau").click()
    expect(page.get_by_text("ailleurs")).to_be_visible()
    context.close()
    assert ["referer" in headers for headers in asked] == [False]
