"""Every page of the archive, as each of its people opens it, on a desk and on a phone: no fault that a machine can see.

One visit to a page serves all that is looked at; with ``TABELLION_TEST_SCREENSHOTS`` it also leaves a picture to be looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from core.s3_server import S3Server
from tests.acceptance.web.archive_site import ArchiveSite, furnished
from tests.acceptance.web.conftest import WIDTHS
from tests.acceptance.web.test_accessibility import _SMALL, _SPACED, assert_fits, assert_sound
from tests.integration.api.service import PASSWORD, web_service
from tests.waiting import PATIENCE

pytestmark = pytest.mark.timeout(600)
_PHONE, _DESK = WIDTHS
_NARROWED = ("archives, ", "transfers, ", "incidents, ", "holds, ", "corrections, ")
"""Pages that show the same list as another, and so have its title."""


@pytest.fixture(scope="module")
def archive_site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveSite]:
    with web_service(s3, tmp_path_factory.mktemp("archive_site")) as service:
        yield furnished(service, tmp_path_factory.mktemp("sealed"))


Tab = Callable[[str], Page]


@pytest.fixture
def tab(chromium: Browser, archive_site: ArchiveSite) -> Iterator[Tab]:
    """The tab of one of the people, signed in when it is first asked for; nobody’s for no name. None may meet an error."""
    opened: dict[str, Page] = {}
    troubles: list[str] = []

    def of(who: str) -> Page:
        if who not in opened:
            context = chromium.new_context(base_url=archive_site.service.address, locale="fr-FR")
            context.set_default_timeout(PATIENCE * 1000)
            page = opened[who] = context.new_page()
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on("console", lambda said: troubles.append(said.text) if "Content Security Policy" in said.text else None)
            if who:
                _enter(page, archive_site.emails[who])
        return opened[who]

    yield of
    for page in opened.values():
        page.context.close()
    assert troubles == []


def _enter(page: Page, email: str) -> None:
    page.goto("/connexion")
    page.get_by_label("Adresse électronique").fill(email)
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url(lambda address: "/connexion" not in address)


def test_no_page_of_the_archive_has_a_fault_on_a_desk_or_on_a_phone(archive_site: ArchiveSite, tab: Tab) -> None:
    titles: dict[str, list[str]] = {}
    for (what, who), address in archive_site.pages.items():
        page, where = tab(who), f"{what} ({who})"
        page.set_viewport_size({"width": _DESK, "height": 844})
        page.goto(address)
        assert_sound(page, where)
        _picture(page, what, who)
        page.set_viewport_size({"width": _PHONE, "height": 844})
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        _picture(page, what, who)
        page.evaluate(_SPACED)
        assert_fits(page, f"{where}, spaced out")
        if who == "archiviste" and not what.startswith(_NARROWED):
            titles.setdefault(page.title(), []).append(what)
    assert {title: pages for title, pages in titles.items() if len(pages) > 1} == {}


def _picture(page: Page, what: str, who: str) -> None:
    if folder := os.environ.get("TABELLION_TEST_SCREENSHOTS"):
        name = "-".join(["archive", *re.findall(r"\w+", f"{what} {who}"), str(page.evaluate("window.innerWidth"))])
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_on_a_phone_the_pages_of_the_archive_unfold_by_keyboard_and_lead_on(tab: Tab) -> None:
    page = tab("archiviste")
    page.set_viewport_size({"width": _PHONE, "height": 844})
    page.goto("/archives/gels")
    fold = page.get_by_role("navigation", name="Pages des archives").locator("summary")
    assert fold.inner_text().split("\n") == ["Pages des archives", "Gels"]
    box = fold.bounding_box()
    assert box is not None
    assert box["height"] < 60
    assert not page.get_by_role("link", name="Éliminations").is_visible()
    fold.press("Enter")
    assert page.get_by_role("link", name="Gels", exact=True).get_attribute("aria-current") == "page"
    page.get_by_role("link", name="Éliminations").press("Enter")
    page.wait_for_url("**/archives/eliminations")


def test_records_that_are_chosen_in_a_search_are_held_without_an_identifier_being_typed(tab: Tab) -> None:
    page = tab("archiviste")
    page.goto("/archives?q=chemin")
    chosen = ("Chemin rural 20", "Chemin rural 22")
    for title in chosen:
        page.get_by_role("checkbox", name=f"Choisir {title}", exact=True).check()
    page.get_by_role("button", name="Geler les archives choisies").click()
    for title in chosen:
        assert page.get_by_role("checkbox", name=title, exact=True).is_checked()
    assert page.get_by_label("Autres documents").input_value() == ""
