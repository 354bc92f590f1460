"""Every screen, on a desk and on a phone, as somebody sees it: pictures to be looked at (``make screenshots``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.parapheur_town import DESKTOP, PHONE, ParapheurTown
from tests.softhsm import needs_softhsm

pytestmark = [needs_softhsm, pytest.mark.timeout(600)]
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


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Where the pictures go: the folder that ``TABELLION_TEST_SCREENSHOTS`` names, or one that is thrown away."""
    folder = Path(os.environ.get("TABELLION_TEST_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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
        expect(page.locator("h1"), name).to_have_count(1)  # a page that asks for news is away for a moment
        assert path.stat().st_size > _SMALLEST, name
        if where == "press:Signer":
            page.get_by_role("button", name="Annuler la séance").click()
