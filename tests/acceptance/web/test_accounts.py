"""Accounts as a person meets them: the door with its code, one’s own account, people, the end of a session."""

from __future__ import annotations

import re
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from core import clock, people, second_factor, web_sessions
from core.people import Person
from core.principal import PLATFORM
from core.web_sessions import WebSession
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import assert_sound
from tests.integration.api.service import PASSWORD

PEOPLE = "/administration/personnes"
NOT_THE_DOOR = re.compile("^(?!.*/connexion)")


@pytest.fixture
def mayor(site: Site) -> Person:
    """An administrator with every right of the commune; several sessions and people besides."""
    return somebody(site, "administrateur", "agent", "signataire")


@pytest.fixture
def reader(site: Site) -> Person:
    """Who signs nothing, and names themselves."""
    return somebody(site, "agent")


def somebody(site: Site, *roles: str) -> Person:
    service = site.service
    with service.platform.database.writing(PLATFORM) as session:
        person = people.add_person(session, f"{clock.now():%H%M%S%f}@valmorin.test", "Odile Personne", PASSWORD)
        for role in roles:
            people.grant_role(session, person, service.mairie.organisation, role)
        web_sessions.open_session(session, person, "Safari · iPhone")
    return person


def enter(page: Page, person: Person, then: str | re.Pattern[str] = "**/parapheur") -> None:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(person.email)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(then)


def seen_long_ago(site: Site, person: Person, idle: timedelta) -> None:
    with site.service.platform.database.writing(PLATFORM) as session:
        for opened in session.exec(select(WebSession).where(WebSession.person_id == person.id)):
            opened.seen = clock.now() - idle


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_of_accounts_has_a_fault_that_a_machine_can_see(visit: Opening, mayor: Person, width: int) -> None:
    page = visit(width=width, signed_in=False)
    enter(page, mayor)
    for address in ("/compte?fait=nom", "/compte/second-facteur", PEOPLE, f"{PEOPLE}?q=introuvable", f"{PEOPLE}/ajout"):
        page.goto(address)
        assert_sound(page, address)
    page.goto(f"{PEOPLE}/roles")
    page.get_by_label("Nom du rôle").fill("Régisseur")
    page.get_by_role("button", name="Définir le rôle").click()
    page.get_by_role("alert").wait_for()
    assert_sound(page, "roles, refused")
    page.goto(f"{PEOPLE}/ajout")
    page.get_by_label("Adresse électronique").fill(f"{clock.now():%H%M%S%f}@valmorin.test")
    page.get_by_label("Nom affiché").fill("Nina Neuve")
    page.get_by_role("button", name="Ajouter la personne").click()
    link = page.get_by_label("Lien", exact=True).input_value()
    assert_sound(page, "somebody, with a link")
    page.goto(link)
    assert_sound(page, "an invitation")
    page.goto("/compte/second-facteur")
    page.get_by_role("button", name="Activer la double authentification").click()
    page.get_by_label("Code", exact=True).wait_for()
    assert_sound(page, "a second factor, enrolling")


def test_a_second_factor_is_enrolled_and_asked_for_without_any_script(visit: Opening, mayor: Person) -> None:
    page = visit(width=390, signed_in=False, java_script_enabled=False)
    enter(page, mayor)
    page.goto("/compte")
    page.get_by_role("link", name="Activer la double authentification").click()
    page.get_by_role("button", name="Activer la double authentification").click()
    application = pyotp.TOTP(page.locator(".secret").inner_text().replace(" ", ""))
    page.get_by_label("Code", exact=True).fill(application.now())
    page.get_by_label("Votre mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Activer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Codes de secours")
    recovery = page.locator(".recovery li").first.inner_text()
    page.get_by_role("link", name="Ils sont en lieu sûr").click()
    page.get_by_role("button", name="Se déconnecter").click()
    enter(page, mayor, "**/connexion?suite=**")
    expect(page.get_by_role("heading", level=1)).to_have_text("Code à usage unique")
    page.get_by_label("Code", exact=True).fill(recovery)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url("**/parapheur")


def test_the_door_with_its_code_is_sound_on_a_small_phone(visit: Opening, site: Site, mayor: Person) -> None:
    platform = site.service.platform
    with platform.database.writing(PLATFORM) as session:
        application = pyotp.TOTP(second_factor.begin(session, platform.secrets, mayor.id))
        second_factor.confirm(session, platform.secrets, mayor.id, application.now())
    page = visit(width=320, signed_in=False)
    enter(page, mayor, "**/connexion?suite=**")
    assert_sound(page, "the door, a code")
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Se connecter").click()
    page.get_by_role("alert").wait_for()
    assert_sound(page, "the door, a wrong code")


def test_the_end_of_a_session_is_told_beforehand_and_put_off_without_losing_what_was_typed(
    visit: Opening, site: Site, reader: Person
) -> None:
    page = visit(width=390, signed_in=False)
    page.clock.install()
    enter(page, reader, NOT_THE_DOOR)
    page.goto("/compte")
    name = page.get_by_label("Nom affiché")
    name.fill("Nom en cours de saisie")
    seen_long_ago(site, reader, timedelta(minutes=58, seconds=30))
    page.clock.fast_forward("58:05")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("moins de deux minutes")
    assert_sound_in_a_dialog(page)
    dialog.get_by_role("button", name="Rester connecté").click()
    expect(dialog).to_be_hidden()
    expect(name).to_be_focused()
    expect(name).to_have_value("Nom en cours de saisie")
    page.get_by_role("button", name="Enregistrer le nom").click()
    expect(page.get_by_role("status")).to_contain_text("enregistré")


def test_what_was_typed_outlives_a_session_that_ended_and_is_sent_after_signing_in_in_another_tab(
    visit: Opening, site: Site, reader: Person
) -> None:
    page = visit(width=1280, signed_in=False)
    page.clock.install()
    enter(page, reader, NOT_THE_DOOR)
    page.goto("/compte")
    page.get_by_label("Nom affiché").fill("Nom gardé")
    seen_long_ago(site, reader, timedelta(minutes=61))
    page.clock.fast_forward("58:05")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Votre session est terminée")
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="S’identifier dans un nouvel onglet").click()
    enter(opened.value, reader, NOT_THE_DOOR)
    opened.value.close()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Enregistrer le nom").click()
    expect(page.get_by_role("status")).to_contain_text("enregistré")
    expect(page.get_by_label("Nom affiché")).to_have_value("Nom gardé")


def assert_sound_in_a_dialog(page: Page) -> None:
    """A dialog has its own heading, so that the page behind it keeps its one."""
    assert_sound(page, "the warning")
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
