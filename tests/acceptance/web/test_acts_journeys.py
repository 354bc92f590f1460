"""Acts to the préfecture in a browser: a form that keeps people from mistakes, letters, the clock; by any hand, on any screen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.v1 import uploads as routes
from core import uploads
from core.principal import PLATFORM, Right
from core.s3_server import S3Server
from flows.actes import litigation
from flows.actes.models import MailState
from schemas.actes.codes import MessageCode
from schemas.budget.sample import SampleBudget
from schemas.budget.sample import write_sample as write_budget
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_sound
from tests.integration.api.acts_mairie import ActsMairie, today
from tests.integration.api.service import PASSWORD, web_service
from tests.office import pdf

PIECE = 64 * 1024
_SMALL = """
[...document.querySelectorAll('main button, main input, main select, main textarea, main a.button')]
.filter(element => element.offsetParent && !element.matches('.unseen, [type=hidden], [type=radio], [type=checkbox]'))
.filter(element => element.getBoundingClientRect().height < 24)
.map(element => element.outerHTML)
"""
_FITS = "document.querySelector('main').scrollWidth <= window.innerWidth"
_LONG = (
    "Délibération relative aux tarifs de la restauration scolaire et périscolaire à compter du premier janvier de l’année 2027"
)


@dataclass(frozen=True)
class Town:
    """The mairie, and the addresses of its pages by situation."""

    mairie: ActsMairie
    pages: dict[str, str]


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
    mairie.hire("clerc", {Right.READ, Right.DEPOSIT})
    return Town(mairie, furnished(mairie))


def furnished(mairie: ActsMairie) -> dict[str, str]:
    """One act in each situation that a page shows."""
    for rank in range(27):
        mairie.acknowledged(subject=f"Arrêté de circulation {rank}", nature=2, received=today() - timedelta(days=3 * rank))
    running = mairie.acknowledged("2026_118", subject=_LONG, annexes=(mairie.file("plan.pdf", type_="21_RP"),))
    asked = mairie.acknowledged(received=today() - timedelta(days=20))
    letter = mairie.letter(asked, "3-1", "Transmettez le plan annexé à la délibération.", today() - timedelta(days=5))
    whole = mairie.acknowledged(received=today() - timedelta(days=40))
    mairie.letter(whole, "2-1", day=today() - timedelta(days=35))
    mairie.reply(whole, mairie.letter(whole, "3-1", "Le plan.", today() - timedelta(days=30)), MessageCode.PIECE_COMPLEMENTAIRE)
    mairie.close(whole, "3-5")
    observed = mairie.letter(whole, "4-1", "Cette décision excède la compétence du conseil.", today() - timedelta(days=4))
    path = mairie.platform.settings.state_dir / "budget.xml"
    write_budget(SampleBudget(lines=60, unbalanced_by=Decimal("1250.10")), path)
    sealed = mairie.file("budget.xml", path.read_bytes())
    budget = mairie.acknowledged(nature=5, matieres=(7, 1), document=sealed, annexes=(mairie.file("deliberation.pdf"),))
    referred = mairie.acknowledged(received=today() - timedelta(days=50))
    mairie.letter(referred, "5-1", "Incompétence de l’auteur de l’acte.", today() - timedelta(days=2))
    settled = mairie.acknowledged(received=today() - timedelta(days=50))
    mairie.letter(settled, "5-1", "Incompétence de l’auteur de l’acte.", today() - timedelta(days=20))
    litigation.settle(mairie.platform, PLATFORM, settled, today(), "Déféré rejeté par jugement n° 2600123")
    late = mairie.acknowledged(received=today() - timedelta(days=90))
    mairie.stand(late, "archived")
    mairie.letter(late, "2-1", infected={"courrier-2-1.pdf": "Pdf.Essai.Marque"})
    cancelled = mairie.acknowledged()
    mairie.cancelled(cancelled)
    uncertain = mairie.act()
    mairie.stand(uncertain, "uncertain")
    parked = mairie.act()
    mairie.stand(parked, "packed", parked="Le certificat du ministère a changé : vérifiez son empreinte.")
    rejected = mairie.act()
    mairie.stand(
        rejected,
        "rejected",
        reference=None,
        problems=[
            {
                "rule": "R32",
                "severity": "error",
                "message": "La matière 9.99 n’existe pas dans la classification de la préfecture.",
                "found": "9.99",
                "expected": "une matière de la classification en vigueur",
                "mend": "Choisissez la matière dans la liste.",
            }
        ],
    )
    for rank in range(3):
        reason = f"Le ministère parle d’un acte inconnu ici : 040-214009995-20261101-{rank}-DE."
        parts = [{"name": f"message-{rank}.xml", "media_type": "application/xml", "sha256": "0" * 64, "size": 812}]
        mairie.mail(parts, MailState.UNMATCHED, reason)
    return {
        "list": "/actes",
        "list, filtered": "/actes?etat=recu&nature=2",
        "list, empty": "/actes?q=introuvable",
        "form": "/actes/nouveau",
        "form, mending": f"/actes/nouveau?depuis={rejected}",
        "act, running": f"/actes/{running}",
        "act, asked for documents": f"/actes/{asked}",
        "act, with every letter": f"/actes/{whole}",
        "act, budget": f"/actes/{budget}",
        "act, referred": f"/actes/{referred}",
        "act, settled": f"/actes/{settled}",
        "act, with a late letter": f"/actes/{late}",
        "act, cancelled": f"/actes/{cancelled}",
        "act, uncertain": f"/actes/{uncertain}",
        "act, parked": f"/actes/{parked}",
        "act, rejected": f"/actes/{rejected}",
        "answer to documents": f"/actes/{asked}/courriers/{letter.id}/reponse",
        "answer to observations": f"/actes/{whole}/courriers/{observed.id}/reponse",
        "ending a litigation": f"/actes/{referred}/contentieux",
        "cancelling": f"/actes/{running}/annulation",
        "sending again": f"/actes/{uncertain}/renvoi",
        "mails": "/actes/courriels",
        "mails, none": "/actes/courriels?etat=noise",
        "connection": f"/administration/actes?organisation={mairie.organisation.id}",
        "connection, of the top": f"/administration/actes?organisation={mairie.organisation.parent_id}",
    }


def enter(page: Page, town: Town, who: str = "tout") -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(town.mairie.people[who])
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


def written(folder: Path, name: str, content: bytes | None = None) -> Path:
    path = folder / name
    path.write_bytes(pdf(name) if content is None else content)
    return path


def choose(page: Page, *paths: Path) -> None:
    page.locator("#document").set_input_files(list(paths))


def piece_names(page: Page) -> list[str]:
    return [text.split()[0] for text in page.locator("#pieces .file-name").all_inner_texts()]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, town: Town, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), town)
    for where, address in town.pages.items():
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        shot(page, where, width)
        page.evaluate(_SPACED)
        assert page.evaluate(_FITS), f"{where}, spaced out"


def shot(page: Page, where: str, width: int) -> None:
    """Keep a picture for whoever wants to look (TABELLION_SCREENSHOTS)."""
    if folder := os.environ.get("TABELLION_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{where.replace(', ', '-').replace(' ', '_')}-{width}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_form_with_everything_wrong_then_filled_in_has_no_fault_either(
    visit: Opening, town: Town, tmp_path: Path, width: int
) -> None:
    page = enter(visit(width=width, signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    page.get_by_label("Objet").fill("Une décision ✈ " + "x" * 500)
    choose(page, written(tmp_path, "tableur.xlsx", b"PK"), written(tmp_path, "faux.pdf", b"rien"))
    expect(page.locator("#pieces li")).to_have_count(2)
    page.get_by_role("button", name="Déposer l’acte").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert_sound(page, "form, with problems")
    shot(page, "form, with problems", width)
    page.get_by_label("Nature de l’acte").select_option("Délibérations")
    expect(page.get_by_label("Type de pièce faux.pdf")).to_be_visible()
    page.get_by_role("combobox", name="Matière").fill("7")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert_sound(page, "form, with the list of matières open")
    shot(page, "form, searching", width)


def fill(page: Page, number: str, subject: str = "Tarifs de la cantine") -> None:
    page.get_by_label("Numéro de l’acte").fill(number)
    page.get_by_label("Date de la décision").fill(today().isoformat())
    page.get_by_label("Nature de l’acte").select_option("Délibérations")
    page.get_by_label("Objet").fill(subject)


def test_an_act_is_deposited_by_the_keyboard_with_its_files_in_order(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    page.get_by_label("Numéro de l’acte").focus()
    page.keyboard.type("clavier_1")
    expect(page.locator("#number-said")).to_have_text("Ce numéro convient.")
    page.get_by_label("Date de la décision").fill(today().isoformat())
    page.get_by_label("Nature de l’acte").focus()
    page.keyboard.type("Délib")
    page.keyboard.press("Tab")
    expect(page.locator("#number-said")).to_have_text("Ce numéro est libre.")
    page.keyboard.type("Tarifs de la cantine")
    page.keyboard.press("Tab")
    page.keyboard.type("finances divers")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_text("7.10 – Divers7 – Finances locales")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Matière")).to_have_value("7.10 – Divers (Finances locales)")
    expect(page.get_by_role("listbox")).to_be_hidden()
    choose(page, written(tmp_path, "plan.pdf"), written(tmp_path, "deliberation.pdf"), written(tmp_path, "photo.png", PNG))
    expect(page.locator("#pieces li")).to_have_count(3)
    assert piece_names(page) == ["plan.pdf", "deliberation.pdf", "photo.png"]
    page.get_by_role("button", name="En faire le document principal deliberation.pdf").press("Enter")
    expect(page.locator("#pieces li").first).to_be_focused()
    assert piece_names(page) == ["deliberation.pdf", "plan.pdf", "photo.png"]
    page.get_by_role("button", name="Descendre plan.pdf").press("Space")
    expect(page.locator("#pieces .file-name").nth(1)).to_contain_text("photo.png")
    page.get_by_label("Type de pièce plan.pdf").select_option("Rapport de présentation (21_RP)")
    page.get_by_role("button", name="Déposer l’acte").press("Enter")
    page.wait_for_url("**/actes/*?fait=depot")
    assert page.get_by_role("status").first.inner_text().startswith("L’acte est déposé.")
    facts = town.mairie.dossier(page.url.rpartition("/")[2][:26]).facts["act"]
    assert (facts["number"], facts["matieres"]) == ("CLAVIER_1", [7, 10])
    assert [piece[1] for piece in facts["pieces"]] == ["99_DE", "99_DE", "21_RP"]


PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


def test_a_number_is_looked_at_while_it_is_typed(visit: Opening, town: Town) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    said = page.locator("#number-said")
    page.get_by_label("Numéro de l’acte").fill("2026-118")
    expect(said).to_contain_text("Écrivez par exemple 2026_118.")
    fill(page, "2026_118")
    expect(said).to_contain_text("Ce numéro convient, mais il a déjà servi en 2026 pour « 2026_118 – Délibération")
    page.get_by_label("Date de la décision").fill((today() - timedelta(days=1)).isoformat())
    expect(said).to_contain_text("Ce numéro est déjà pris, pour la même date et la même nature")
    assert said.get_by_role("link", name="Voir cet acte").get_attribute("href")


def test_the_list_of_matieres_is_searched_by_arrows_and_left_by_escape(visit: Opening, town: Town) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    field = page.get_by_role("combobox", name="Matière")
    field.press("ArrowDown")
    expect(field).to_have_attribute("aria-expanded", "true")
    field.fill("urbanisme")
    field.press("ArrowDown")
    expect(page.get_by_role("listbox").get_by_role("option", selected=True)).to_contain_text("2.2")
    expect(field).to_have_attribute("aria-activedescendant", "matiere-1")
    field.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(field).to_have_value("urbanisme")
    field.fill("7.1.10")
    field.press("Tab")
    expect(field).to_have_value("7.1.10 – Décisions budgétaires › Autres documents (Finances locales)")
    field.fill("introuvable")
    expect(page.locator(".combobox [role=status]")).to_have_text("Aucune matière ne correspond")
    page.get_by_role("button", name="Déposer l’acte").click()
    expect(page.get_by_role("alert")).to_contain_text("La matière « introuvable » n’existe pas")
    expect(page.get_by_role("combobox", name="Matière")).to_have_value("introuvable")


def test_nothing_that_was_typed_or_sent_is_lost(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    fill(page, "PERDU_1", "Un objet dont personne ne veut perdre un mot")
    choose(page, written(tmp_path, "note.pdf", os.urandom(3 * PIECE)))
    expect(page.get_by_label("Type de pièce note.pdf")).to_be_visible()
    page.get_by_role("button", name="Déposer l’acte").click()
    expect(page.get_by_role("alert")).to_contain_text("Choisissez la matière.")
    expect(page.get_by_label("Objet")).to_have_value("Un objet dont personne ne veut perdre un mot")
    assert piece_names(page) == ["note.pdf"]
    page.get_by_role("combobox", name="Matière").fill("7.10")
    page.get_by_role("combobox", name="Matière").press("Enter")
    page.get_by_role("button", name="Déposer l’acte").click()
    expect(page.locator("#pieces .fault-said")).to_contain_text("n’est pas un vrai PDF")
    page.get_by_role("button", name="Retirer note.pdf").click()
    expect(page.locator("#pieces li")).to_have_count(0)
    choose(page, written(tmp_path, "vraie.pdf"))
    expect(page.get_by_label("Type de pièce vraie.pdf")).to_be_visible()
    page.get_by_role("button", name="Déposer l’acte").click()
    page.wait_for_url("**/actes/*?fait=depot")


def test_files_that_came_are_there_when_the_page_is_opened_again(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    choose(page, written(tmp_path, "reprise.pdf"))
    expect(page.locator("#pieces li")).to_have_count(1)
    page.reload()
    assert piece_names(page) == ["reprise.pdf"]
    assert page.locator("[data-files] li").count() == 0
    page.goto("/actes/nouveau")
    assert piece_names(page) == []


def test_sizes_are_summed_before_anything_is_sent(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    page.locator("[data-too-large]").evaluate("element => { element.dataset.most = 5000 }")
    choose(page, written(tmp_path, "petit.pdf"))
    expect(page.locator("#pieces li")).to_have_count(1)
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if "/v1/uploads" in asked.url else None)
    choose(page, written(tmp_path, "grand.pdf", b"%PDF-" + bytes(4900)))
    expect(page.get_by_text("Rien n’a été envoyé : avec ces fichiers")).to_be_visible()
    assert sent == []
    choose(page, written(tmp_path, "moyen.pdf"))
    expect(page.locator("#pieces li")).to_have_count(2)
    expect(page.get_by_text("Rien n’a été envoyé : avec ces fichiers")).to_be_hidden()


def test_a_file_is_dropped_on_the_form(visit: Opening, town: Town) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    page.evaluate(
        """() => {
        const carried = new DataTransfer();
        carried.items.add(new File(['%PDF-1.4'], 'glissé.pdf', { type: 'application/pdf' }));
        document.querySelector('[data-upload]').dispatchEvent(
          new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("#pieces .file-name")).to_contain_text("glissé.pdf")
    expect(page.locator("#pieces-said")).to_contain_text("Fichiers : 1.")


def test_the_object_is_counted(visit: Opening, town: Town) -> None:
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto("/actes/nouveau")
    page.get_by_label("Objet").fill("Tarifs  de\nla cantine")
    expect(page.locator("#subject-hint")).to_have_text("20 sur 499 caractères")
    page.get_by_label("Objet").fill("x" * 503)
    expect(page.locator("[data-count-said]")).to_have_text("-4 caractères restants")


def test_the_whole_journey_works_without_javascript(visit: Opening, town: Town, tmp_path: Path) -> None:
    page = enter(visit(width=320, signed_in=False, java_script_enabled=False), town, "clerc")
    page.goto("/actes/nouveau")
    fill(page, "SANS_SCRIPT")
    page.get_by_label("Matière").select_option("7.10 – Divers")
    choose(page, written(tmp_path, "annexe.pdf"), written(tmp_path, "acte.pdf"))
    page.get_by_role("button", name="Joindre les fichiers choisis").click()
    assert piece_names(page) == ["annexe.pdf", "acte.pdf"]
    assert page.get_by_label("Objet").input_value() == "Tarifs de la cantine"
    page.get_by_role("button", name="En faire le document principal acte.pdf").click()
    assert piece_names(page) == ["acte.pdf", "annexe.pdf"]
    page.get_by_label("Numéro de l’acte").fill("")
    page.get_by_role("button", name="Déposer l’acte").click()
    assert page.get_by_role("alert").get_by_role("link").all_inner_texts() == ["Écrivez le numéro de l’acte."]
    assert piece_names(page) == ["acte.pdf", "annexe.pdf"]
    assert page.get_by_label("Matière").input_value() == "7.10"
    page.get_by_label("Numéro de l’acte").fill("SANS_SCRIPT")
    page.get_by_role("button", name="Déposer l’acte").click()
    page.wait_for_url("**/actes/*?fait=depot")
    assert page.get_by_role("heading", level=1).inner_text() == "Tarifs de la cantine"


@pytest.mark.parametrize("script", [True, False])
def test_a_letter_is_answered_with_documents(visit: Opening, town: Town, tmp_path: Path, script: bool) -> None:
    mairie = town.mairie
    dossier = mairie.acknowledged()
    mairie.letter(dossier, "3-1", "Transmettez le plan.")
    page = enter(visit(signed_in=False, java_script_enabled=script), town, "clerc")
    page.goto(f"/actes/{dossier}")
    page.get_by_role("link", name="Répondre Demande de pièces complémentaires").click()
    page.get_by_role("button", name="Envoyer la réponse à la préfecture").click()
    page.wait_for_selector("[role=alert]")
    assert page.get_by_role("alert").get_by_role("link").all_inner_texts() == [
        "Dites ce que vous répondez.",
        "Joignez le document de la réponse.",
    ]
    page.get_by_label("Envoyer les pièces demandées").check()
    choose(page, written(tmp_path, "plan.pdf"), written(tmp_path, "coupe.pdf"))
    if not script:
        page.get_by_role("button", name="Joindre les fichiers choisis").click()
    expect(page.locator("#pieces li")).to_have_count(2)
    expect(page.get_by_label("Envoyer les pièces demandées")).to_be_checked()
    page.get_by_role("button", name="Envoyer la réponse à la préfecture").click()
    page.wait_for_url("**?fait=reponse*")
    assert mairie.codes(dossier) == ["1-1", "1-2", "3-1", "3-2", "3-4"]
    assert len(mairie.message(dossier, "3-4").facts["pieces"]) == 2


def test_a_transmission_is_cancelled_once_its_meaning_was_read(visit: Opening, town: Town) -> None:
    dossier = town.mairie.acknowledged()
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto(f"/actes/{dossier}")
    page.get_by_role("link", name="Annuler la transmission…").press("Enter")
    assert "L’acte n’est ni retiré ni abrogé" in page.locator("main").inner_text()
    page.get_by_role("button", name="Demander l’annulation").press("Enter")
    page.wait_for_url("**?fait=annulation")
    assert page.get_by_role("link", name="Annuler la transmission…").count() == 0


def test_the_page_of_an_act_follows_what_happens_to_it(visit: Opening, town: Town) -> None:
    dossier = town.mairie.act()
    page = enter(visit(signed_in=False), town, "clerc")
    page.goto(f"/actes/{dossier}")
    expect(page.get_by_role("heading", name="Reçu", exact=True)).to_be_visible()
    town.mairie.stand(dossier, "sent")
    expect(page.get_by_role("heading", name="Transmis", exact=True)).to_be_visible()
    expect(page.locator("#announcement")).to_contain_text("Transmis.")


def test_every_title_is_its_own(visit: Opening, town: Town) -> None:
    page, titles = enter(visit(signed_in=False), town), []
    for where, address in town.pages.items():
        if not where.startswith(("list, ", "mails, ", "form, ", "connection, ")):
            page.goto(address)
            titles.append(page.title())
    assert sorted(titles) == sorted(set(titles))
    assert all(title.endswith("– Tabellion") for title in titles)
