"""Every screen, on a desk and on a phone, as somebody sees it: pictures to be looked at (``make screenshots``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.principal import Right
from core.s3_server import S3Server
from tests.acceptance.parapheur_town import DESKTOP, PHONE, ParapheurTown
from tests.acceptance.web.test_acts_journeys import Town, choose, enter, furnished, written
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service, web_service
from tests.softhsm import needs_softhsm

pytestmark = pytest.mark.timeout(600)
_SMALLEST = 5_000  # bytes; a page that shows nothing has fewer

SCREENS = (
    ("parapheur-a-traiter", "maire", "/parapheur"),
    ("parapheur-a-venir", "maire", "/parapheur/a-venir"),
    ("parapheur-vide", "maire", "/parapheur/brouillons"),
    ("parapheur-suivi", "agent", "/parapheur/suivi"),
    ("dossier", "maire", "first:/parapheur/a-traiter"),
    ("dossier-pes", "dgs", "named:PESALR1"),
    ("rejet", "maire", "act:Rejeter…"),
    ("avis", "maire", "act:Demander un avis"),
    ("transfert", "maire", "act:Transférer"),
    ("emplacement", "maire", "act:Placer la signature"),
    ("signer-ailleurs", "maire", "act:Signer ailleurs"),
    ("seance", "maire", "press:Signer"),
    ("absences", "maire", "/parapheur/absences"),
    ("preferences", "maire", "/parapheur/preferences"),
    ("compte", "maire", "/compte"),
    ("deposer", "agent", "/deposer"),
    ("dossiers", "agent", "/dossiers"),
    ("administration", "admin", "/administration"),
    ("personnes", "admin", "/administration/personnes"),
    ("roles", "admin", "/administration/personnes/roles"),
    ("bureaux", "admin", "/administration/bureaux"),
    ("types", "admin", "/administration/types"),
    ("metadonnees", "admin", "/administration/metadonnees"),
    ("circuits", "admin", "/administration/circuits"),
    ("cachet", "admin", "/administration/cachet"),
    ("helios", "admin", "/administration/helios"),
    ("configuration", "admin", "/administration/configuration"),
    ("demarrage", "admin", "/administration/demarrage"),
)

ACTS = (
    ("actes", "list"),
    ("acte-formulaire", "form"),
    ("acte-a-corriger", "form, mending"),
    ("acte-en-attente", "act, waiting"),
    ("acte-recu", "act, with every letter"),
    ("acte-incertain", "act, uncertain"),
    ("acte-rejete", "act, rejected"),
    ("acte-reponse", "answer to documents"),
    ("acte-annulation", "cancelling"),
    ("actes-courriels", "mails"),
    ("actes-raccordement", "connection"),
    ("actes-parapheur", "route"),
    ("actes-tampon", "stamp"),
)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Where the pictures go: the folder that ``TABELLION_TEST_SCREENSHOTS`` names, or one that is thrown away."""
    folder = Path(os.environ.get("TABELLION_TEST_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def mairie(s3: S3Server, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Town]]:
    """A mairie with an act in each situation that a clerk meets."""
    assert chromium
    with web_service(s3, tmp_path_factory.mktemp("acts")) as service:
        found = ActsMairie(service.platform, service.mairie.organisation)
        found.connect()
        found.hire("tout", set(Right), above=True)
        waiting = found.act("2026_119", subject="Convention de passage sur le chemin des Tilleuls", nature=4, matieres=(3, 5))
        found.stand(waiting, "sent")
        pages = {**furnished(found), "act, waiting": f"/actes/{waiting}"}
        for name, address in (("route", "parapheur"), ("stamp", "tampon")):
            pages[name] = f"/administration/actes/{address}?organisation={found.organisation.id}"
        yield service, Town(found, pages)


def reach(page: Page, where: str) -> None:
    """Go to a screen: an address, the first folder of a list, a folder by its name, or what a button or a link of it opens."""
    how, _, what = where.partition(":")
    if where.startswith("/"):
        page.goto(where, wait_until="networkidle")
        return
    page.goto(what if how == "first" else f"/parapheur?q={what}" if how == "named" else "/parapheur")
    page.locator("table a").first.click()
    if how == "act":
        page.get_by_role("link", name=what).first.click()
    elif how == "press":
        page.get_by_role("button", name=what).first.click()
    page.wait_for_load_state("networkidle")


@needs_softhsm
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_every_screen_is_drawn(town: ParapheurTown, album: Path, width: int) -> None:
    tabs: dict[str, Page] = {}
    for name, who, where in SCREENS:
        if who not in tabs:
            tabs[who] = town.tab(who, width)
        page = tabs[who]
        reach(page, where)
        path = album / f"{name}-{width}.png"
        page.screenshot(path=path)
        assert page.locator("h1").count() == 1, name
        assert path.stat().st_size > _SMALLEST, name
        if where == "press:Signer":
            page.get_by_role("button", name="Annuler la séance").click()


@pytest.mark.skipif("TABELLION_TEST_SCREENSHOTS" not in os.environ, reason="pictures of acts are drawn by make screenshots only")
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_every_screen_of_acts_is_drawn(
    mairie: tuple[Service, Town], chromium: Browser, album: Path, tmp_path: Path, width: int
) -> None:
    service, town = mairie
    context = chromium.new_context(base_url=service.address, viewport={"width": width, "height": 844}, locale="fr-FR")
    page = enter(context.new_page(), town)
    for name, where in ACTS:
        page.goto(town.pages[where], wait_until="networkidle")
        drawn(page, album, name, width)
    page.goto("/actes/lot")
    choose(page, *(written(tmp_path, f"{name}.pdf") for name in ("tarifs_cantine", "reglement_marche", "plan_de_voirie")))
    page.get_by_label("Premier numéro").fill("2026_120")
    expect(page.locator(".batch-lines tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Numéroter les lignes").click()
    expect(page.locator(".batch-lines input:not([type=hidden])").last).to_have_value("2026_122")
    drawn(page, album, "actes-lot", width)
    page.goto("/actes", wait_until="networkidle")
    expect(page.locator(".drafts")).to_be_visible()
    drawn(page, album, "actes-brouillons", width)
    context.close()


def drawn(page: Page, album: Path, name: str, width: int) -> None:
    """Take the whole picture of a page that shows something."""
    path = album / f"{name}-{width}.png"
    page.screenshot(path=path, full_page=True)
    assert page.locator("h1").count() == 1, name
    assert path.stat().st_size > _SMALLEST, name
