"""The signing book as people use it: on any screen, by keyboard alone, with or without scripts, with nothing in the way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core import clock
from core.s3_server import S3Server
from schemas.pes.sample import Sample, write_sample
from signing.parapheur.history import Said
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.integration.api.test_parapheur_gestures import documents
from tests.integration.api.test_parapheur_pages import approve, book_service, folder_of, task_of
from tests.parapheur_office import PASSWORD, Office, open_office

_OBSCURED = """
[...document.querySelectorAll('main a, main button, main input, main select, main textarea, main summary')].filter(element => {
  if (!element.offsetParent) return false;
  const bars = [...document.querySelectorAll('.decision-acts, .batch, .viewer-bar, .decision')]
    .filter(bar => ['fixed', 'sticky'].includes(getComputedStyle(bar).position));
  element.focus();
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return top && bars.some(bar => bar.contains(top) && !bar.contains(element));
}).map(element => element.outerHTML)
"""
_SMALL = """
[...document.querySelectorAll('main a, main button, main input:not([type=hidden], [type=checkbox]), main summary, .pick label')]
.filter(element => element.offsetParent && !element.closest('p, dd, .unseen, .meta'))
.filter(element => element.getBoundingClientRect().height < 24 || element.getBoundingClientRect().width < 24)
.map(element => element.outerHTML)
"""


@pytest.fixture(scope="module")
def office(site: Site) -> Office:
    return _office[site.service.address]


_office: dict[str, Office] = {}


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("book")
    with book_service(s3, folder) as service:
        office = open_office(service.platform, service.mairie.organisation)
        _office[service.address] = office
        yield Site(service, furnished(office, folder))


def furnished(office: Office, folder: Path) -> dict[str, str]:
    today = clock.in_paris(clock.now()).date()
    write_sample(Sample("PESALR2_21400999500017_118"), folder / "pes.xml")
    summary = {"document": "pes", "mandats": 1, "titres": 0, "amount": "41230.12"}
    pes = (folder / "pes.xml").read_bytes()
    late = office.folder("Délibération 2026-118 relative au budget primitif", due=today - timedelta(days=2))
    accounts = office.folder("PES 118", "pes", document=pes, name="pes.xml", media_type="application/xml", summary=summary)
    long_one = office.folder("Convention", "long", due=today + timedelta(days=1), said=Said("Merci.", "À voir."))
    approve(office, long_one, "director", Said("Avis favorable."))
    asking, reading = office.folder("Bon de commande", "asking"), office.folder("Arrêté", "reading")
    external, both = office.folder("Contrat", "external"), office.folder("Avenant", "both")
    task, document = task_of(office, late), documents(office, late)[0].id
    here = f"/parapheur/dossiers/{late}"
    return {
        "list": "/parapheur",
        "list, narrowed": "/parapheur/a-traiter?q=Conv&demande=signature",
        "list, nothing found": "/parapheur?q=introuvable",
        "list, empty": "/parapheur/corbeille",
        "list, to come": "/parapheur/a-venir",
        "selection": f"/parapheur/selection?geste=viser&choix={task_of(office, asking)}&choix={task}",
        "folder, to sign": f"{here}?depuis=a-traiter",
        "folder, its text": f"{here}/documents/{document}/texte",
        "folder, stamp": f"{here}?emplacement=1",
        "folder, PES": f"/parapheur/dossiers/{accounts}?depuis=a-traiter",
        "folder, approved before": f"/parapheur/dossiers/{long_one}",
        "folder, metadata": f"/parapheur/dossiers/{asking}",
        "folder, to be read": f"/parapheur/dossiers/{reading}",
        "folder, external": f"/parapheur/dossiers/{external}",
        "folder, both": f"/parapheur/dossiers/{both}",
        "reject": f"/parapheur/taches/{task_of(office, asking)}/rejeter",
        "opinion": f"/parapheur/taches/{task}/demander-avis",
        "elsewhere": f"/parapheur/taches/{task}/importer",
        "annexes": f"{here}/annexes",
    }


def enter(page: Page, office: Office, who: str = "mayor") -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(office.people[who].email)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    expect(page.get_by_role("button", name="Se déconnecter")).to_be_visible()
    return page


@contextmanager
def titled(page: Page, words: str) -> Iterator[None]:
    yield
    expect(page).to_have_title(re.compile(f"^{re.escape(words)}"))


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_of_the_book_has_a_fault_that_a_machine_can_see(visit: Opening, site: Site, office: Office, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), office)
    titles = []
    for where, address in site.pages.items():
        page.goto(address)
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        assert page.evaluate(_OBSCURED) == [], where
        titles.append(page.title())
    page.goto(site.pages["folder, to sign"])
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert_sound(page, "all unfolded")
    page.evaluate("document.querySelector('#aide').showModal()")
    assert_sound(page, "help")
    page.goto(site.pages["list"])
    page.get_by_role("checkbox").nth(2).check()
    assert_sound(page, "selected")
    assert page.evaluate(_OBSCURED) == []
    page.evaluate(_SPACED)
    assert_fits(page, "spaced out")


@pytest.mark.parametrize("mode", [{"forced_colors": "active"}, {"reduced_motion": "reduce"}])
def test_the_book_holds_in_forced_colours_and_without_motion(
    visit: Opening, site: Site, office: Office, mode: dict[str, str]
) -> None:
    page = enter(visit(signed_in=False, **mode), office)
    page.goto(site.pages["folder, to sign"])
    expect(page.get_by_role("button", name="Signer", exact=True)).to_be_visible()
    expect(page.locator('[aria-current="step"]')).to_be_visible()


def test_the_decision_is_always_in_sight_whatever_the_length_of_the_document(visit: Opening, site: Site, office: Office) -> None:
    for width in WIDTHS:
        page = enter(visit(width=width, signed_in=False), office)
        page.goto(site.pages["folder, to sign"])
        for place in ("0", "document.body.scrollHeight / 2", "document.body.scrollHeight"):
            page.evaluate(f"scrollTo(0, {place})")
            expect(page.get_by_role("button", name="Signer", exact=True)).to_be_in_viewport()
        if width < 960:
            bar = page.locator(".decision-acts").bounding_box()
            assert bar is not None
            assert bar["height"] <= 72
            page.get_by_role("link", name="Autres", exact=True).click()
        expect(page.get_by_role("link", name="Rejeter…", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.parametrize("width", [320, 1280])
def test_a_person_opens_reads_approves_and_takes_back(visit: Opening, office: Office, scripts: bool, width: int) -> None:
    name = f"Visa {width} {scripts}"
    first, second = (office.folder(f"{name} {rank}", "visa") for rank in (1, 2))
    page = enter(visit(width=width, signed_in=False, java_script_enabled=scripts), office)
    page.goto(f"/parapheur?q={name}")
    with titled(page, f"{name} 1 – Visa"):
        page.get_by_role("link", name=f"{name} 1").click()
    expect(page.get_by_role("img", name="Page 1 sur 2")).to_be_visible()
    page.locator(".notes-in summary").click()
    page.get_by_label("Annotation publique").fill("Vu.")
    with titled(page, f"{name} 2 – Visa"):
        page.get_by_role("button", name="Viser", exact=True).click()
    expect(page.get_by_role("status").filter(has_text=f"Visé : {name} 1")).to_be_visible()
    assert folder_of(office, first).rank == 1
    with titled(page, f"{name} 1 – Visa"):
        page.get_by_role("button", name="Récupérer", exact=False).first.click()
    assert folder_of(office, first).rank == 0
    page.get_by_role("link", name="Suivant").click()
    with titled(page, "Rejeter le dossier"):
        page.goto(f"/parapheur/taches/{task_of(office, second)}/rejeter")
    page.get_by_label("Motif").fill("Pièce manquante.")
    page.get_by_role("button", name="Rejeter le dossier").click()
    expect(page.get_by_role("status").filter(has_text=f"Rejeté : {name} 2")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_several_are_chosen_reviewed_and_done_at_once(visit: Opening, office: Office, scripts: bool) -> None:
    name = f"Lot {scripts}"
    folders = [office.folder(f"{name} {rank}", kind) for rank, kind in enumerate(("visa", "visa", "visa", "signature"))]
    page = enter(visit(signed_in=False, java_script_enabled=scripts), office)
    page.goto(f"/parapheur?q={name}")
    if scripts:
        expect(page.locator(".batch")).to_be_hidden()
        page.get_by_role("checkbox", name=f"Sélectionner {name} 0").check()
        page.get_by_role("checkbox", name=f"Sélectionner {name} 3").click(modifiers=["Shift"])
        expect(page.get_by_role("status").filter(has_text="4 dossiers sélectionnés")).to_be_visible()
        expect(page.get_by_role("button", name="Signer", exact=True)).to_be_visible()
        page.get_by_role("button", name="Viser 3").click()
    else:
        for rank in range(4):
            page.get_by_role("checkbox", name=f"Sélectionner {name} {rank}").check()
        page.get_by_role("button", name="Viser", exact=True).click()
    expect(page.get_by_role("heading", name="Viser 3 dossiers")).to_be_visible()
    expect(page.get_by_text("1 dossier laissé de côté")).to_be_visible()
    page.get_by_role("button", name="Viser 3 dossiers").click()
    expect(page.get_by_role("status").filter(has_text="Visa : 3 faits")).to_be_visible()
    assert [folder_of(office, folder).rank for folder in folders] == [1, 1, 1, 0]


def test_a_folder_to_be_read_frees_its_button_once_its_pages_were_in_view(visit: Opening, office: Office) -> None:
    folder = office.folder("Lecture", "reading")
    page = enter(visit(signed_in=False), office)
    page.goto(f"/parapheur/dossiers/{folder}")
    expect(page.get_by_role("link", name="Lire la suite")).to_be_visible()
    expect(page.get_by_role("button", name="Viser", exact=True)).to_have_count(0)
    for rank in (1, 2):
        page.locator(f"#page-{rank}").scroll_into_view_if_needed()
        page.evaluate(f"document.querySelector('#page-{rank}').scrollIntoView()")
        with page.expect_request(lambda request: request.url.endswith("/lu"), timeout=60_000):
            pass
    expect(page.get_by_role("button", name="Viser", exact=True)).to_be_visible(timeout=60_000)
    expect(page.get_by_role("status").filter(has_text="Tout est lu.")).to_be_visible()


def test_single_keys_act_in_the_document_only_and_help_gives_the_focus_back(visit: Opening, office: Office) -> None:
    first, _ = (office.folder(f"Touches {rank}", "visa") for rank in (1, 2))
    page = enter(visit(signed_in=False), office)
    page.goto(f"/parapheur/dossiers/{first}?depuis=a-traiter%3Fq%3DTouches")
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page).to_have_title(re.compile("^Touches 1"))
    region = page.get_by_role("region", name="Pages du document")
    region.focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Raccourcis")).to_be_visible()
    page.keyboard.press("Escape")
    expect(region).to_be_focused()
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Viser", exact=True)).to_be_focused()
    region.focus()
    page.keyboard.press("j")
    expect(page).to_have_title(re.compile("^Touches 2"))


def test_a_keyboard_alone_chooses_opens_and_approves(visit: Opening, office: Office) -> None:
    folder = office.folder("Clavier", "visa")
    page = enter(visit(signed_in=False), office)
    page.goto("/parapheur?q=Clavier")
    page.get_by_role("checkbox", name="Sélectionner Clavier").focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="Sélectionner Clavier")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("^Clavier – Visa"))
    for _ in range(80):
        if page.evaluate("document.activeElement.textContent.trim()") == "Viser":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Visé : Clavier")).to_be_visible()
    assert folder_of(office, folder).rank == 1


def test_a_pes_is_looked_into_without_losing_the_decision(visit: Opening, site: Site, office: Office) -> None:
    page = enter(visit(signed_in=False), office)
    page.goto(site.pages["folder, PES"])
    page.get_by_role("link", name="Mandat 1").first.click()
    expect(page.get_by_role("button", name="Viser", exact=True)).to_be_in_viewport()
    assert_sound(page, "a pièce")
    page.get_by_role("link", name="À traiter").click()
    expect(page).to_have_title(re.compile("^À traiter"))
