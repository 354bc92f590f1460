"""A clerk convenes the council in a browser, by the keyboard; and every page of convocations on three screens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from core import clock
from core.people import add_person, grant_role
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.mail.convening.models import Presence
from flows.mail.models import RecipientState
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.acceptance.web.test_acts_journeys import _SMALL, shot
from tests.integration.api.service import PASSWORD, web_service
from tests.meetings import NAMES, Council, answer, clerk_of, on
from tests.office import pdf

_LONG = "Association pour la sauvegarde du lavoir et des chemins ruraux de la haute vallée de la Valmorine"


@dataclass(frozen=True)
class Hall:
    """The council, and the addresses of its pages by situation."""

    council: Council
    pages: dict[str, str]


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with web_service(s3, tmp_path_factory.mktemp("convening")) as service:
        yield Site(service, {})


@pytest.fixture(scope="module")
def hall(site: Site) -> Hall:
    platform, owner = site.service.platform, site.service.mairie.organisation
    with platform.database.writing(PLATFORM) as session:
        person = add_person(session, "greffe@valmorin.test", "Le greffe", PASSWORD)
        grant_role(session, person, owner, "greffe", {Right.READ, Right.DEPOSIT, Right.ADMINISTER})
    council = Council(platform, owner, clerk_of(owner)).seat("commune_3500", remote=True)
    draft = council.convene(3, message=_LONG)
    sent = council.convened(6)
    answer(council, sent, NAMES[0], Presence.PRESENT)
    answer(council, sent, NAMES[1], Presence.PROXY, NAMES[2])
    answer(council, sent, NAMES[2], Presence.ABSENT)
    council.stand(sent, NAMES[3], RecipientState.FAILED)
    held = council.convened()
    council.starts(held, clock.now() - timedelta(hours=2))
    assembly = f"/administration/assemblees/{council.assembly.id}"
    return Hall(
        council,
        {
            "meetings": "/courriers/seances",
            "convening": "/courriers/seances/nouvelle",
            "draft of a convocation": f"/courriers/seances/{draft}",
            "meeting to come": f"/courriers/seances/{sent}",
            "answering for a member": f"/courriers/seances/{sent}/reponse/{council.recipient(sent, NAMES[4])}",
            "closing the sheet": f"/courriers/seances/{held}/feuille",
            "assemblies": "/administration/assemblees",
            "assembly": assembly,
            "member": f"{assembly}/membres/{council.members[NAMES[0]].id}",
        },
    )


def enter(page: Page) -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill("greffe@valmorin.test")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_of_convocations_has_a_fault_that_a_machine_can_see(visit: Opening, hall: Hall, width: int) -> None:
    page, titles = enter(visit(width=width, signed_in=False)), []
    for where, address in hall.pages.items():
        page.goto(address)
        titles.append(page.title())
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        shot(page, where, width)
        page.evaluate(_SPACED)
        assert_fits(page, f"{where}, spaced out")
    assert sorted(titles) == sorted({*titles})


@pytest.mark.usefixtures("hall")
def test_a_clerk_convenes_the_council_by_the_keyboard(visit: Opening) -> None:
    page = enter(visit(signed_in=False))
    page.goto("/courriers/seances")
    page.get_by_role("link", name="Convoquer", exact=True).press("Enter")
    day = on(12).date()
    page.get_by_label("Jour de la séance").fill(day.isoformat())
    last = page.get_by_role("status")
    expect(last).to_contain_text(f"{(day - timedelta(days=6)).day} ")
    expect(last).to_contain_text("5 jours francs – CGCT, L. 2121-12")
    page.get_by_label("Séance ordinaire").focus()
    page.keyboard.press("ArrowDown")
    expect(last).to_contain_text(f"{(day - timedelta(days=2)).day} ")
    page.keyboard.press("ArrowUp")
    expect(last).to_contain_text("5 jours francs")
    page.get_by_label("Ordre du jour").focus()
    page.keyboard.type("Budget primitif")
    page.keyboard.press("Enter")
    page.keyboard.type("Tarifs de la cantine")
    page.get_by_role("button", name="Enregistrer et joindre les documents").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Convocation enregistrée")
    expect(page.get_by_role("button", name="Envoyer la convocation")).to_have_count(0)
    for kind, name in (("La convocation", "convocation.pdf"), ("La note de synthèse", "note.pdf")):
        page.get_by_label(kind, exact=True).press("Space")
        files = [{"name": name, "mimeType": "application/pdf", "buffer": pdf(name)}]
        page.get_by_label("Fichiers").set_input_files(files)  # type: ignore[arg-type]
        page.get_by_role("button", name="Joindre").press("Enter")
        expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(page.get_by_text("4 rue du Lavoir")).to_be_visible()  # who asked for paper
    page.get_by_role("button", name="Envoyer la convocation à 6 personnes").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("La convocation part")
    expect(page.get_by_role("link", name="Modifier la convocation")).to_have_count(0)


@pytest.mark.usefixtures("hall")
def test_a_clerk_convenes_without_any_script(visit: Opening) -> None:
    page = enter(visit(signed_in=False, java_script_enabled=False))
    page.goto("/courriers/seances/nouvelle")
    day = on(12).date()
    page.get_by_label("Jour de la séance").fill(day.isoformat())
    page.get_by_role("button", name="Calculer le dernier jour").click()
    expect(page.locator("#last-day")).to_contain_text("5 jours francs")
    page.get_by_label("Ordre du jour").fill("Vœu")
    page.get_by_role("button", name="Enregistrer et joindre les documents").click()
    page.get_by_role("button", name="Abandonner le brouillon").click()
    expect(page.get_by_role("status")).to_contain_text("Brouillon abandonné")
