"""What a person does from end to end: with scripts, and without any."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlmodel import select

from core.identifiers import new_id
from core.principal import PLATFORM
from flows.engine.models import Dossier
from tests.acceptance.web.conftest import Opening, Site
from tests.integration.api.service import add_dossier, pes

HTMX = Path(__file__).parents[3] / "api/web/static/vendor/htmx.min.js"


def move(site: Site, dossier_id: str, state: str) -> None:
    """Do what the engine would do."""
    with site.service.platform.database.writing(PLATFORM) as session:
        session.exec(select(Dossier).where(Dossier.id == dossier_id)).one().state = state


@pytest.mark.skipif(
    not (Path(__file__).parents[3] / "api/web/static/vendor/htmx.min.js").exists(),
    reason="web assets were not built (npm run assets)",
)
def test_a_dossier_is_followed_without_reloading_until_its_end(visit: Opening, site: Site) -> None:
    identifier = add_dossier(site.service.platform, site.service.mairie.organisation, f"VIVANT_{new_id()}", "sent")
    page = visit()
    asked: list[str] = []
    page.goto(f"/dossiers/{identifier}")
    page.on("request", lambda request: asked.append(request.url) if "suivi" in request.url else None)
    page.evaluate("window.sameTab = true")
    download = page.get_by_role("link", name="Télécharger")
    download.focus()
    move(site, identifier, "acquitted")
    expect(page.get_by_role("heading", name="Acquitté")).to_be_visible()
    expect(page.locator("#announcement")).to_contain_text("Acquitté")
    expect(download).to_be_focused()
    move(site, identifier, "archived")
    expect(page.get_by_role("heading", name="Archivé")).to_be_visible()
    assert page.evaluate("window.sameTab")
    asked.clear()
    page.wait_for_timeout(3000)
    assert asked == []


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_document_is_deposited_found_again_and_read(visit: Opening, tmp_path: Path, scripts: bool) -> None:
    name = f"DEPOT_{new_id()}"
    path = tmp_path / "depot.xml"
    path.write_bytes(pes(name))
    page = visit(width=390, java_script_enabled=scripts)
    page.get_by_role("link", name="Déposer", exact=True).click()
    page.get_by_label("Document").set_input_files(path)
    page.get_by_role("button", name="Déposer un document").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_text("Document déposé. Son contrôle commence")).to_be_visible()
    page.get_by_role("link", name="Dossiers", exact=True).click()
    page.get_by_label("Nom du flux ou identifiant").fill(name)
    page.get_by_role("button", name="Filtrer").click()
    expect(page.locator(".lead")).to_contain_text("Un dossier.")
    page.get_by_role("link", name=name).click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Télécharger : PES déposé").click()
    assert downloading.value.path().read_bytes() == path.read_bytes()
    assert downloading.value.suggested_filename == "depot.xml"


def test_an_operator_resumes_a_parked_dossier_without_scripts(visit: Opening, site: Site) -> None:
    identifier = add_dossier(
        site.service.platform, site.service.mairie.organisation, f"GARE_{new_id()}", "signed", parked="La clé a changé."
    )
    page = visit(java_script_enabled=False)
    page.goto(f"/dossiers/{identifier}")
    expect(page.get_by_text("La clé a changé.")).to_be_visible()
    page.get_by_role("button", name="Reprendre le dossier").click()
    expect(page.get_by_text("Dossier repris là où il en était.")).to_be_visible()
    expect(page.get_by_text("La clé a changé.")).to_have_count(0)


def test_a_person_signs_out_and_the_pages_are_shut(visit: Opening, site: Site) -> None:
    page = visit()
    page.get_by_role("button", name="Se déconnecter").click()
    page.wait_for_url("**/connexion")
    page.goto(site.pages["dossier, parked"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")


def test_the_list_is_walked_forwards_and_backwards(visit: Opening) -> None:
    page = visit()
    page.goto("/dossiers?etat=sent")
    first = page.get_by_role("rowheader").first.inner_text()
    page.get_by_role("link", name="Plus anciens").click()
    assert page.get_by_role("rowheader").first.inner_text() != first
    page.get_by_role("link", name="Plus récents").click()
    assert page.get_by_role("rowheader").first.inner_text() == first
    assert "etat=sent" in page.url


def test_pages_hold_without_their_built_assets(visit: Opening, site: Site) -> None:
    page = visit()
    page.route("**/static/vendor/**", lambda route: route.abort())
    page.goto(site.pages["dossier, under way"])
    page.get_by_role("link", name="Actualiser").click()
    expect(page.get_by_role("heading", name="Transmis")).to_be_visible()
