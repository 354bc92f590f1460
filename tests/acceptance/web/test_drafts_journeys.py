"""Sending documents into the signing book in a browser: chosen or dropped, cut and resumed, completed, started; by any hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from api.v1 import uploads as routes
from core import uploads
from core.identifiers import new_id
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.parapheur import folders
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_sound
from tests.acceptance.web.test_journeys import HTMX
from tests.integration.api.service import pes, web_service
from tests.integration.api.test_drafts import furnished
from tests.integration.api.test_uploads import patch_service
from tests.office import PASSWORD, Office, pdf
from tests.waiting import wait_until

PIECE = 64 * 1024
_FITS = "document.querySelector('main').scrollWidth <= window.innerWidth"
_SMALL = """
[...document.querySelectorAll('button, input, select, textarea, a.button')]
.filter(element => element.offsetParent && !element.matches('.unseen, [type=hidden], [type=radio]'))
.filter(element => element.getBoundingClientRect().height < 24)
.map(element => element.outerHTML)
"""
_LISTENS = "(document.querySelector('#circuit')['htmx-internal-data']?.listenerInfos ?? []).length > 0"
_DROP = """
const carried = new DataTransfer();
carried.items.add(new File(['bonjour'], 'note.txt', { type: 'text/plain' }));
const dropped = new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true });
document.querySelector('[data-upload]').dispatchEvent(dropped);
"""


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch_service(patch)
        for module in (uploads, routes):
            patch.setattr(module, "PIECE", PIECE)  # so that there are several of them to cut between
        with web_service(s3, tmp_path_factory.mktemp("drafts")) as service:
            yield Site(service, {})


@pytest.fixture(scope="module")
def office(site: Site) -> Office:
    return furnished(Office.opened(site.service.platform, site.service.mairie.organisation))


def enter(page: Page, office: Office, short: str = "secretariat") -> Page:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(office.people[short].email)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)
    return page


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def choose(page: Page, *paths: Path) -> None:
    page.locator("#document").set_input_files(list(paths))


def state_of(office: Office, address: str) -> str:
    with office.platform.database.reading(PLATFORM) as session:
        return folders.folder_of(session, address.rpartition("/")[2][:26]).state


def draft(page: Page, tmp_path: Path, *names: str) -> str:
    """Deposit files as one folder; return the address of its draft."""
    page.goto("/deposer")
    page.get_by_label("Un seul dossier").check()
    choose(page, *(written(tmp_path, name, pdf(name)) for name in names or ("Devis.pdf",)))
    page.get_by_role("button", name="Déposer les documents").click()
    page.wait_for_url("**/parapheur/brouillons/*")
    return page.url.partition("?")[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, office: Office, tmp_path: Path, width: int) -> None:
    page = enter(visit(width=width, signed_in=False), office)
    address = draft(page, tmp_path, "Un nom de document particulièrement long pour un téléphone.pdf", "b.pdf")
    for where, step in {
        "deposit": lambda: page.goto("/deposer"),
        "draft": lambda: page.goto(address),
        "draft, of a kind": lambda: page.get_by_label("Type (obligatoire)").select_option("Courrier – Commande"),
        "draft, with a desk to choose": lambda: page.get_by_label("Type (obligatoire)").select_option("Courrier – au-choix"),
        "draft, with problems": lambda: page.get_by_role("button", name="Démarrer le circuit").click(),
        "erasing": lambda: page.goto(f"{address}/effacement"),
    }.items():
        step()
        page.wait_for_load_state("networkidle")
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        page.evaluate(_SPACED)
        assert page.evaluate(_FITS), f"{where}, spaced out"
        page.evaluate("document.adoptedStyleSheets = []")
    page.goto("/deposer")
    choose(page, *(written(tmp_path, name, pdf(name)) for name in ("c.pdf", "d.pdf")), written(tmp_path, "e.xml", pes(new_id())))
    expect(page.locator("[data-said]")).to_contain_text("Tous les fichiers sont arrivés")
    assert_sound(page, "deposit, files arrived")
    assert page.evaluate(_SMALL) == []
    page.get_by_role("button", name="Déposer les documents").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Documents déposés")
    assert_sound(page, "deposited")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_documents_are_deposited_completed_and_started(visit: Opening, office: Office, tmp_path: Path, scripts: bool) -> None:
    page = enter(visit(width=390, signed_in=False, java_script_enabled=scripts), office)
    address = draft(page, tmp_path, "Devis.pdf", "Plan.pdf")
    expect(page.get_by_text("Documents déposés. Complétez le brouillon")).to_be_visible()
    page.get_by_label("Objet").fill("Commande de sel")
    page.get_by_label("Type (obligatoire)").select_option("Courrier – Commande")
    if not scripts:
        page.get_by_role("button", name="Voir le circuit").click()
    expect(page.locator("#circuit")).to_contain_text("Circuit visa")
    expect(page.get_by_label("Montant")).to_be_visible()  # the circuit comes a moment before the fields of the kind
    page.get_by_role("button", name="Démarrer le circuit").click()
    expect(page.get_by_role("link", name="« Montant » est à renseigner avant de démarrer le circuit.")).to_be_visible()
    expect(page.locator("#summary")).to_be_focused()
    expect(page.get_by_label("Objet")).to_have_value("Commande de sel")
    page.get_by_label("Montant").fill("8 000,50")
    page.get_by_label("Annotation publique").fill("Merci d’avance.")
    page.get_by_role("button", name="Monter").or_(page.get_by_role("button", name="Mettre en document principal")).first.click()
    expect(page.get_by_label("Document 2 : principal")).to_have_value("Plan.pdf")
    expect(page.get_by_label("Montant")).to_have_value("8000.50")
    expect(page.get_by_label("Annotation publique")).to_have_value("Merci d’avance.")
    choose(page, written(tmp_path, "Annexe.pdf", pdf("annexe")))
    page.get_by_role("button", name="Ajouter au brouillon").click()
    expect(page.get_by_label("Document 3 : annexe")).to_have_value("Annexe.pdf")
    expect(page.locator("#circuit")).to_contain_text("Claude Modèle")
    office.ready()
    page.get_by_role("button", name="Démarrer le circuit").click()
    page.wait_for_url("**/parapheur/dossiers/**")
    assert state_of(office, address) == "pending"


def test_files_that_are_added_to_a_draft_lose_nothing_that_was_typed(visit: Opening, office: Office, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), office)
    draft(page, tmp_path)
    page.get_by_label("Objet").fill("Pas encore enregistré")
    page.get_by_label("Les ajouter comme").select_option("Documents principaux")
    choose(page, written(tmp_path, "Suite.pdf", pdf("suite")))
    page.get_by_role("button", name="Ajouter au brouillon").click()
    expect(page.get_by_label("Document 2 : principal")).to_have_value("Suite.pdf")
    expect(page.get_by_label("Objet")).to_have_value("Pas encore enregistré")


@pytest.mark.skipif(not HTMX.exists(), reason="web assets were not built (npm run assets)")
def test_the_circuit_follows_what_is_typed_and_the_hand_stays_where_it_is(visit: Opening, office: Office, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), office)
    draft(page, tmp_path)
    page.get_by_label("Type (obligatoire)").select_option("Courrier – Commande")
    amount = page.get_by_label("Montant")
    amount.fill("9000")
    amount.press("Tab")
    expect(page.locator("#circuit")).to_contain_text("Circuit complet")
    expect(page.locator("#circuit-said")).to_contain_text("Étapes : 2")
    expect(page.get_by_label("Jour de la commande")).to_be_focused()
    page.get_by_label("Type (obligatoire)").select_option("Courrier – au-choix")
    expect(amount).to_have_count(0)
    chosen = page.get_by_label("Bureau de l’étape 1")
    chosen.focus()
    wait_until(lambda: page.evaluate(_LISTENS))  # no hand is as quick as this one: what was put in listens a moment later
    chosen.select_option("Maire")
    expect(page.locator("#circuit-said")).to_contain_text("Bureaux à choisir : 0")
    expect(chosen).to_be_focused()
    page.get_by_role("button", name="Enregistrer le brouillon").click()
    expect(page.get_by_text("Brouillon enregistré.")).to_be_visible()
    expect(page.get_by_label("Bureau de l’étape 1").locator("option:checked")).to_have_text("Maire")


def test_a_document_that_is_too_large_or_a_desk_that_is_gone_is_told_and_what_arrived_can_be_used_again(
    visit: Opening, office: Office, tmp_path: Path
) -> None:
    page = enter(visit(signed_in=False), office)
    page.goto("/deposer")
    choose(page, written(tmp_path, "trop.bin", bytes(25 * 1024 * 1024)))
    expect(page.locator("[data-state=failed]")).to_contain_text("24 Mio")
    page.get_by_role("button", name="Déposer les documents").click()
    expect(page.locator("[data-said]")).to_contain_text("ne sont pas arrivés")
    page.get_by_role("button", name="Annuler l’envoi de trop.bin").click()
    expect(page.locator("[data-files] li")).to_have_count(0)
    choose(page, written(tmp_path, "bon.pdf", pdf()))
    expect(page.locator("[data-said]")).to_contain_text("Tous les fichiers sont arrivés : 1.")
    page.evaluate("document.querySelector('[name=desk]').value = 'nulle-part'")
    page.get_by_role("button", name="Déposer les documents").click()
    expect(page.get_by_role("alert")).to_contain_text("Le dépôt n’a pas abouti")
    expect(page.locator("[data-state=done]")).to_contain_text("bon.pdf")
    page.get_by_role("button", name="Déposer les documents").click()
    page.wait_for_url("**/parapheur/brouillons/*")


def test_an_upload_goes_on_after_a_lost_connection_a_pause_and_a_reload(visit: Opening, office: Office, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), office)
    large = written(tmp_path, "gros.bin", os.urandom(3 * PIECE + 17))
    through: list[str] = []

    def passing(most: int) -> None:
        def handle(route: Route) -> None:
            if len(through) >= most:
                route.abort()
            else:
                through.append(route.request.url)
                route.continue_()

        page.unroute("**/v1/uploads/pieces*")
        page.route("**/v1/uploads/pieces*", handle)

    page.goto("/deposer")
    passing(1)
    choose(page, large)
    line = page.locator("[data-files] li")
    expect(line).to_contain_text("Connexion perdue à 33 %")
    expect(page.locator("[data-said]")).to_contain_text("reprendra tout seul")
    page.get_by_role("button", name="Suspendre l’envoi de gros.bin").click()
    expect(line).to_contain_text("Suspendu à 33 %")
    passing(2)
    page.get_by_role("button", name="Reprendre l’envoi de gros.bin").click()
    expect(line).to_contain_text("Connexion perdue à 66 %")
    page.reload()
    expect(line).to_contain_text("Interrompu à 66 %")
    expect(page.get_by_role("progressbar", name="gros.bin")).to_have_attribute("value", "66")
    passing(100)
    choose(page, large)
    expect(line).to_contain_text("Arrivé")
    assert [url.rpartition("offset=")[2] for url in through] == [str(rank * PIECE) for rank in range(4)]
    page.get_by_role("button", name="Déposer les documents").click()
    page.wait_for_url("**/parapheur/brouillons/*")
    expect(page.get_by_label("Document 1 : principal")).to_have_value("gros.bin")


def test_what_is_sent_before_the_page_knows_what_is_there_is_sent_once(visit: Opening, office: Office, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False), office)
    cut, whole = written(tmp_path, "coupe.bin", os.urandom(2 * PIECE)), written(tmp_path, "entier.bin", b"entier")
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    page.goto("/deposer")
    page.route("**/v1/uploads/pieces*", lambda route: route.continue_() if "offset=0" in route.request.url else route.abort())
    choose(page, cut)
    line = page.locator("[data-files] li")
    expect(line).to_contain_text("Connexion perdue à 50 %")
    page.unroute("**/v1/uploads/pieces*")
    page.route("**/v1/uploads?place=*", hold)
    page.reload()
    choose(page, cut, whole)
    page.get_by_role("button", name="Déposer les documents").click()
    expect(page.locator("[data-said]")).to_contain_text("la suite se fera dès que tout sera arrivé")
    page.wait_for_timeout(500)  # long enough for what must not be sent yet to be sent
    asked[0].continue_()
    expect(page.get_by_role("heading", level=1)).to_have_text("Documents déposés")
    page.unroute("**/v1/uploads?place=*")
    page.goto("/deposer")
    expect(page.locator("[data-said]")).to_have_text("")
    assert page.locator("[data-files] li").count() == 0


def test_files_are_dropped_on_the_page(visit: Opening, office: Office) -> None:
    page = enter(visit(signed_in=False), office)
    page.goto("/deposer")
    page.evaluate(_DROP)
    expect(page.locator("[data-files] li")).to_contain_text("note.txt")
    expect(page.locator("[data-said]")).to_contain_text("Tous les fichiers sont arrivés")
    page.get_by_role("button", name="Annuler l’envoi de note.txt").click()
    expect(page.locator("[data-files] li")).to_have_count(0)
    expect(page.locator("#document")).to_be_focused()


def test_a_pes_of_somebody_without_a_desk_goes_to_helios_as_before(visit: Opening, tmp_path: Path) -> None:
    page = visit()
    page.goto("/deposer")
    name = f"SEUL_{new_id()}"
    choose(page, written(tmp_path, "depot.xml", pes(name)))
    page.get_by_role("button", name="Déposer un document").click()
    page.wait_for_url("**/dossiers/**")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_draft_is_erased_once_it_was_confirmed_without_scripts(visit: Opening, office: Office, tmp_path: Path) -> None:
    page = enter(visit(signed_in=False, java_script_enabled=False), office)
    address = draft(page, tmp_path)
    page.get_by_role("link", name="Effacer").click()
    page.get_by_role("link", name="Revenir au dossier").click()
    assert state_of(office, address) == "draft"
    office.ready()
    page.get_by_role("link", name="Effacer").click()
    page.get_by_role("button", name="Effacer définitivement").click()
    assert state_of(office, address) == "erased"
