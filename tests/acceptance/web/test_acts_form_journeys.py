"""Depositing acts in a browser: an earlier act, another organisation, drafts, a batch, the stamp; by any hand, on any screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from api.v1 import uploads as routes
from core import uploads
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.actes.knowledge import stamp_of
from flows.actes.settings import ActesStamp
from flows.engine.models import Dossier
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_sound
from tests.acceptance.web.test_acts_journeys import _FITS, _SMALL, PIECE, Town, choose, enter, fill, piece_names, shot, written
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import MAIRIE, web_service

NEW, BATCH = "/actes/nouveau", "/actes/lot"


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (uploads, routes):
            patch.setattr(module, "PIECE", PIECE)
        with web_service(s3, tmp_path_factory.mktemp("acts")) as service:
            yield Site(service, {})


@pytest.fixture(scope="module")
def town(site: Site) -> Town:
    mairie = ActsMairie(site.service.platform, site.service.mairie.organisation)
    mairie.connect()
    mairie.hire("tout", set(Right), above=True)
    for name in ("clerc", "brouillonne", "lot", "deux"):
        mairie.hire(name, {Right.READ, Right.DEPOSIT})
    for rank in range(9):
        mairie.acknowledged(f"MARCHE_{rank}", subject="Règlement du marché hebdomadaire et de ses emplacements")
    mairie.acknowledged("BASSIN_1", subject="Horaires de la piscine")
    return Town(mairie, {})


@pytest.fixture(scope="module")
def below(town: Town) -> Organisation:
    """A service below the mairie, for which its people deposit too."""
    with town.mairie.platform.database.writing(PLATFORM) as session:
        above = session.get_one(Organisation, town.mairie.organisation.id)
        found = add_organisation(session, "Zone d’activité", OrganisationKind.SERVICE, parent=above, siren=MAIRIE.siren)
    ActsMairie(town.mairie.platform, found).classify()
    return found


def matiere(page: Page, code: str) -> None:
    field = page.get_by_role("combobox", name="Matière")
    field.fill(code)
    field.press("Enter")


def sound(page: Page, where: str, width: int) -> None:
    """No fault that a machine can see, with the usual spacing and with more of it."""
    assert_sound(page, where)
    assert page.evaluate(_SMALL) == [], where
    shot(page, where, width)
    page.evaluate(_SPACED)
    assert page.evaluate(_FITS), f"{where}, spaced out"


# The act that it follows


def test_an_earlier_act_is_found_by_its_words_and_chosen_with_the_keyboard(visit: Opening, town: Town) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto(NEW)
    field, said = page.get_by_label("Acte précédent"), page.locator("#previous-said")
    field.press_sequentially("piscine")
    expect(said).to_contain_text("1 acte correspond")
    expect(page.locator("#previous-heard")).to_have_text("1 acte correspond : choisissez-le.")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choisir BASSIN_1 – Horaires de la piscine")).to_be_focused()
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    expect(said).to_contain_text("« BASSIN_1 – Horaires de la piscine », décidé le")
    assert field.input_value().endswith("-BASSIN_1-DE")
    expect(page.locator("#previous-heard")).to_contain_text("BASSIN_1 – Horaires de la piscine")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_form_with_many_earlier_acts_has_no_fault(visit: Opening, town: Town, below: Organisation, width: int) -> None:
    assert below.id
    page = enter(visit(width=width, signed_in=False), town, "deux")
    page.goto(NEW)
    page.get_by_label("Acte précédent").press_sequentially("marché")
    expect(page.locator("#previous-said")).to_contain_text("Les 8 actes les plus récents")
    sound(page, "form, earlier acts", width)


def test_without_a_script_an_earlier_act_is_chosen_among_those_that_may_be(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(width=320, signed_in=False, java_script_enabled=False), town, "clerc")
    page.goto(NEW)
    fill(page, "APRES_MARCHE")
    page.get_by_label("Matière").select_option("7.10 – Divers")
    choose(page, written(tmp_path, "acte.pdf"))
    page.get_by_label("Acte précédent").fill("piscine")
    page.get_by_role("button", name="Déposer l’acte").click()
    assert "Aucun acte reçu par la préfecture ne correspond" in page.get_by_role("alert").inner_text()
    page.get_by_role("button", name="Choisir BASSIN_1").click()
    assert page.get_by_label("Acte précédent").input_value().endswith("-BASSIN_1-DE")
    assert piece_names(page) == ["acte.pdf"]
    page.get_by_role("button", name="Déposer l’acte").click()
    page.wait_for_url("**/actes/*?fait=depot")
    facts = town.mairie.dossier(page.url.rpartition("/")[2][:26]).facts["act"]
    assert facts["previous"].endswith("-BASSIN_1-DE")


# Another organisation


@pytest.mark.parametrize("script", [True, False])
def test_another_organisation_is_chosen_and_nothing_is_lost(
    visit: Opening, town: Town, below: Organisation, tmp_path: Path, script: bool
) -> None:
    page = enter(visit(signed_in=False, java_script_enabled=script), town, "deux")
    page.goto(NEW)
    fill(page, "AILLEURS", "Un objet que personne ne récrit")
    choose(page, written(tmp_path, "acte.pdf"))
    if script:
        expect(page.get_by_label("Type de pièce acte.pdf")).to_be_visible()
    page.get_by_label("Collectivité").select_option(below.name)
    page.get_by_role("button", name="Choisir", exact=True).first.click()
    expect(page.get_by_role("alert")).to_contain_text(f"La collectivité est maintenant {below.name}.")
    assert page.get_by_label("Numéro de l’acte").input_value() == "AILLEURS"
    assert page.get_by_label("Objet").input_value() == "Un objet que personne ne récrit"
    assert piece_names(page) == ["acte.pdf"]


# Drafts


@pytest.mark.parametrize("width", WIDTHS)
def test_a_draft_is_kept_taken_up_and_erased(visit: Opening, town: Town, tmp_path: Path, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), town, "brouillonne")
    page.goto(NEW)
    page.get_by_label("Objet").fill(f"Une décision à finir {width}")
    choose(page, written(tmp_path, "projet.pdf"))
    expect(page.locator("#pieces li")).to_have_count(1)
    page.get_by_role("button", name="Enregistrer le brouillon").press("Enter")
    page.wait_for_url("**fait=brouillon")
    sound(page, "form, draft kept", width)
    page.goto("/actes")
    expect(page.get_by_text("1 brouillon", exact=True)).to_be_visible()
    sound(page, "list, with a draft", width)
    page.get_by_role("link", name=f"Une décision à finir {width}").click()
    expect(page.get_by_label("Objet")).to_have_value(f"Une décision à finir {width}")
    assert piece_names(page) == ["projet.pdf"]
    page.goto("/actes")
    page.get_by_role("button", name=f"Effacer Une décision à finir {width}").click()
    expect(page.get_by_role("status").first).to_contain_text("Le brouillon est effacé")
    assert page.locator(".drafts").count() == 0


def test_a_closed_browser_loses_nothing_that_reached_the_server(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "brouillonne")
    page.goto(NEW)
    page.get_by_label("Objet").fill("Écrit avant la panne")
    choose(page, written(tmp_path, "avant.pdf"))
    expect(page.locator("#pieces li")).to_have_count(1)
    page.close()
    again = enter(visit(signed_in=False, java_script_enabled=False), town, "brouillonne")
    again.goto("/actes")
    again.get_by_role("link", name="Écrit avant la panne").click()
    assert again.get_by_label("Objet").input_value() == "Écrit avant la panne"
    assert piece_names(again) == ["avant.pdf"]


# A batch


def lines(page: Page) -> list[tuple[str, str]]:
    numbers = page.locator(".batch-lines input:not([type=hidden])").all()
    objects = page.locator(".batch-lines textarea").all()
    return [(number.input_value(), told.input_value()) for number, told in zip(numbers, objects, strict=True)]


def acts_titled(town: Town, *titles: str) -> int:
    with town.mairie.platform.database.reading(PLATFORM) as session:
        return len([one for one in session.exec(select(Dossier.title)).all() if one in titles])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_batch_is_sent_line_by_line(visit: Opening, town: Town, tmp_path: Path, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), town, "lot")
    page.goto(BATCH)
    sound(page, "batch, empty", width)
    names = (f"tarifs_{width}.pdf", "faux.pdf", f"voirie_communale_{width}.pdf")
    choose(page, *(written(tmp_path, name, b"rien" if name == "faux.pdf" else None) for name in names))
    expect(page.locator(".batch-lines tbody tr")).to_have_count(3)
    page.get_by_label("Premier numéro").fill(f"L{width}_09")
    page.get_by_role("button", name="Numéroter les lignes").press("Enter")
    expect(page.get_by_role("button", name="Numéroter les lignes")).to_be_focused()
    expect(page.locator(".batch-lines input:not([type=hidden])").last).to_have_value(f"L{width}_11")
    page.get_by_role("button", name="Déposer les actes").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert").get_by_role("link")).to_have_count(3)
    sound(page, "batch, with problems", width)
    page.get_by_label("Date de la décision").fill(today().isoformat())
    page.get_by_label("Nature de l’acte").select_option("Délibérations")
    matiere(page, "7.10")
    page.get_by_role("button", name="Déposer les actes").click()
    expect(page.get_by_role("heading", name="2 actes de ce lot sont déposés")).to_be_visible()
    assert lines(page) == [(f"L{width}_10", "faux")]
    sound(page, "batch, in part", width)
    page.get_by_role("button", name="Retirer faux.pdf").click()
    expect(page.locator(".batch-lines")).to_have_count(0)
    page.get_by_role("button", name="Déposer les actes").click()
    expect(page.get_by_role("link", name="Déposer un autre lot")).to_be_visible()
    assert acts_titled(town, f"L{width}_09 – tarifs {width}", f"L{width}_11 – voirie communale {width}") == 2
    sound(page, "batch, sent", width)


def test_what_is_written_in_a_line_while_files_come_stays(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "lot")
    page.goto(BATCH)
    choose(page, written(tmp_path, "premier.pdf"))
    expect(page.locator(".batch-lines tbody tr")).to_have_count(1)

    def slowly(route: object) -> None:
        page.get_by_label("Numéro premier.pdf").fill("PENDANT_1")
        route.continue_()  # type: ignore[attr-defined]

    page.route("**/actes/lot/lignes", slowly, times=1)
    choose(page, written(tmp_path, "second.pdf"))
    expect(page.locator(".batch-lines tbody tr")).to_have_count(2)
    expect(page.get_by_label("Numéro premier.pdf")).to_have_value("PENDANT_1")


def test_a_batch_works_without_a_script_and_waits_as_a_draft(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(width=320, signed_in=False, java_script_enabled=False), town, "lot")
    page.goto(NEW)
    page.get_by_role("link", name="Plusieurs actes à la fois").click()
    page.get_by_label("Date de la décision").fill(today().isoformat())
    page.get_by_label("Nature de l’acte").select_option("Délibérations")
    page.get_by_label("Matière").select_option("7.10 – Divers")
    choose(page, written(tmp_path, "un.pdf"), written(tmp_path, "deux.pdf"))
    page.get_by_role("button", name="Joindre les fichiers choisis").click()
    page.get_by_label("Premier numéro").fill("SANS_1")
    page.get_by_role("button", name="Numéroter les lignes").click()
    assert [number for number, _ in lines(page)] == ["SANS_1", "SANS_2"]
    page.get_by_label("Objet un.pdf").fill("Le premier")
    page.get_by_role("button", name="Enregistrer le brouillon").click()
    page.goto("/actes")
    page.get_by_role("link", name="Lot de fichiers (2)").first.click()
    assert lines(page) == [("SANS_1", "Le premier"), ("SANS_2", "deux")]
    page.get_by_role("button", name="Déposer les actes").click()
    assert page.get_by_role("heading", level=2).first.inner_text() == "2 actes de ce lot sont déposés"


# The pages of the administrator


@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_of_the_administrator_have_no_fault(visit: Opening, town: Town, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), town)
    for where, address in (
        ("stamp", "/administration/actes/tampon"),
        ("route", "/administration/actes/parapheur"),
        ("connection, with what follows", "/administration/actes"),
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        sound(page, where, width)


@pytest.mark.parametrize("script", [True, False])
def test_the_stamp_is_seen_where_it_will_be_before_it_is_kept(visit: Opening, town: Town, script: bool) -> None:
    page = enter(visit(signed_in=False, java_script_enabled=script), town)
    here = town.mairie.organisation.id
    page.goto(f"/administration/actes/tampon?organisation={here}")
    page.get_by_label("Depuis la gauche (%)").fill("20")
    page.get_by_label("Depuis le haut (%)").fill("30")
    if not script:
        page.get_by_role("button", name="Voir sur la page").click()
    expect(page.get_by_role("img", name="Page A4 avec le tampon à 20.0 % de la gauche et 30.0 % du haut")).to_be_visible()
    page.get_by_role("button", name="En bas à gauche").click()
    expect(page.get_by_label("Depuis le haut (%)")).to_have_value("100")
    page.get_by_role("button", name="Enregistrer").click()
    expect(page.get_by_role("status").first).to_contain_text("La place du tampon est enregistrée.")
    assert stamp_of(town.mairie.platform, here) == ActesStamp(across=0, down=100)
