"""Pictures of the screens of acts, drawn by ``make screenshots`` alone; what a machine can see of them is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.principal import Right
from core.s3_server import S3Server
from tests.acceptance.parapheur_town import DESKTOP, PHONE
from tests.acceptance.test_screenshots import album
from tests.acceptance.web.test_acts_journeys import Town, choose, enter, furnished, written
from tests.integration.api.acts_mairie import ActsMairie
from tests.integration.api.service import Service, web_service

__all__ = ["album"]
pytestmark = pytest.mark.timeout(600)
_SMALLEST = 5_000  # bytes; a page that shows nothing has fewer

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
    expect(page.locator("h1"), name).to_have_count(1)
    assert path.stat().st_size > _SMALLEST, name
