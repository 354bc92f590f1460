"""Every page, on a phone and on a desk: no violation of WCAG 2.2 AA or RGAA that a machine can see, and the rest that it misses.

Axe does not see that a page is too wide, that a title is shared, or that text is cut once somebody spaces it out.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.acceptance.web.conftest import WIDTHS, Opening, Site

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "RGAAv4"]
_OPTIONS = {"runOnly": {"type": "tag", "values": _TAGS}, "resultTypes": ["violations", "incomplete"], "preload": False}
# Axe cannot tell the contrast of text over a drawing; the tokens were measured (api/web/static/tabellion.css).
_UNSURE = {"color-contrast"}
# WCAG 1.4.12: what a reader may ask for without losing anything. Put in by script: the pages forbid inline styles.
_SPACED = """
const sheet = new CSSStyleSheet();
sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }'
  + ' p { margin-bottom: 2em !important; }');
document.adoptedStyleSheets = [sheet];
"""
_SMALL = """
[...document.querySelectorAll('button, input:not([type=hidden], [type=checkbox]), select, a.button')]
  .filter(element => element.offsetParent && element.getBoundingClientRect().height < 24).map(element => element.outerHTML)
"""


def assert_sound(page: Page, where: str) -> None:
    found = Axe().run(page, options=_OPTIONS).response
    assert [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]] == [], where
    assert {fault["id"] for fault in found["incomplete"]} <= _UNSURE, where
    assert page.locator("h1").count() == 1, where
    assert page.locator("html").get_attribute("lang") == "fr", where
    assert_fits(page, where)


def assert_fits(page: Page, where: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{where} is too wide"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_has_a_fault_that_a_machine_can_see(visit: Opening, site: Site, width: int) -> None:
    door = visit(width=width, signed_in=False)
    door.goto("/connexion")
    assert_sound(door, "the door")
    door.get_by_label("Adresse électronique").fill("personne@exemple.test")
    door.get_by_label("Mot de passe").fill("faux")
    door.get_by_role("button", name="Se connecter").click()
    door.get_by_role("alert").wait_for()
    assert_sound(door, "the door, shut")
    page = visit(width=width)
    for where, address in site.pages.items():
        page.goto(address)
        assert_sound(page, where)


def test_every_title_is_its_own(visit: Opening, site: Site) -> None:
    page, titles = visit(), []
    for where, address in site.pages.items():
        if not where.startswith("list, "):  # the same list, narrowed
            page.goto(address)
            titles.append(page.title())
    assert sorted(titles) == sorted(set(titles))
    assert all(title.endswith("– Tabellion") for title in titles)


def test_spaced_out_text_still_fits_a_small_phone(visit: Opening, site: Site) -> None:
    page = visit(width=320)
    for where, address in site.pages.items():
        page.goto(address)
        page.evaluate(_SPACED)
        assert_fits(page, where)


def test_the_keyboard_skips_to_the_content_and_shows_where_it_is(visit: Opening, site: Site) -> None:
    page = visit()
    page.goto(site.pages["list"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Aller au contenu"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_every_control_is_large_enough_to_be_touched(visit: Opening, site: Site) -> None:
    page = visit(width=390)
    for where, address in site.pages.items():
        page.goto(address)
        assert page.evaluate(_SMALL) == [], where


@pytest.mark.parametrize("mode", [{"forced_colors": "active"}, {"reduced_motion": "reduce"}])
def test_pages_hold_in_forced_colours_and_without_motion(visit: Opening, site: Site, mode: dict[str, str]) -> None:
    page = visit(**mode)
    page.goto(site.pages["dossier, under way"])
    assert page.get_by_role("heading", name="Transmis").is_visible()
    assert page.get_by_role("listitem").filter(has_text="Transmis").first.is_visible()
