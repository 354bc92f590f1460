"""Documents as people look at them: page by page, as text, with the stamp put in its place, on any screen and by any hand."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import APIRouter, FastAPI
from PIL import Image
from playwright.sync_api import Page, expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.viewer.placing import Placement, place_from_form
from api.web.viewer.view import Addresses, Asked, Reading, page_of, pages_from_form, view
from api.web.visitor import Fields, Parts, SignedIn
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine import reading
from flows.engine.models import DossierFile
from signing.pades.stamp import Place
from tests.acceptance.web.conftest import WIDTHS, Opening, Site
from tests.acceptance.web.test_accessibility import _SPACED, assert_fits, assert_sound
from tests.integration.api import service as services
from tests.integration.api.service import Service, add_dossier
from tests.integration.api.test_viewer import with_viewer
from tests.pades_documents import form, paper, words

_OBSCURED = """
[...document.querySelectorAll('main a, main button, main input, main summary')].filter(element => {
  if (!element.offsetParent) return false;
  element.focus();
  const box = element.getBoundingClientRect();
  const bar = document.querySelector('.viewer-bar');
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return top && bar?.contains(top) && !bar.contains(element);
}).map(element => element.outerHTML)
"""
_SMALL = """
[...document.querySelectorAll('.viewer a, .viewer button, .viewer input:not([type=hidden]), .viewer summary')]
.filter(element => element.offsetParent)
.filter(element => (element.getBoundingClientRect().height < 24 || element.getBoundingClientRect().width < 24))
.map(element => element.outerHTML)
"""


@dataclass
class Desk:
    """A page that includes the viewer as the signing book does, and what was posted to it."""

    places: list[Place | None] = field(default_factory=list)
    read: list[int] = field(default_factory=list)

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.get("/essai/{dossier_id}/{file_id}")
        def shown(request: Request, platform: Parts, visitor: SignedIn, dossier_id: str, file_id: str) -> HTMLResponse:
            dossier, kept = found(platform, dossier_id, file_id)
            base = f"/essai/{dossier_id}/{file_id}"
            last = self.places[-1] if self.places else Place(1, 100, 100, 200, 70)
            addresses = Addresses(f"/dossiers/{dossier_id}/fichiers/{file_id}", base)
            placement = Placement(f"{base}/emplacement", visitor.csrf, last)
            record = Reading(f"{base}/lu", visitor.csrf)
            seen = view(platform, kept, addresses, Asked(), title=kept.name, placement=placement, reading=record)
            return render(
                request, "web/viewer/document.html", visitor=visitor, viewer=seen, dossier=dossier, kept=kept, danger=None
            )

        @router.post("/essai/{dossier_id}/{file_id}/emplacement")
        def placed(platform: Parts, visitor: SignedIn, fields: Fields, dossier_id: str, file_id: str) -> RedirectResponse:
            visitor.check(fields.get("csrf"))
            self.places.append(place_from_form(fields, page_of(platform, found(platform, dossier_id, file_id)[1])))
            return RedirectResponse(f"/essai/{dossier_id}/{file_id}", status_code=303)

        @router.post("/essai/{dossier_id}/{file_id}/lu")
        def read(visitor: SignedIn, fields: Fields) -> Response:
            visitor.check(fields.get("csrf"))
            self.read.extend(pages_from_form(fields, 3))
            return Response(status_code=204)

        return router


def found(platform: Platform, dossier_id: str, file_id: str) -> tuple[object, DossierFile]:
    with reading.opened(platform.database, PLATFORM) as session:
        return reading.seen(session, dossier_id).dossier, reading.file_of(session, dossier_id, file_id)


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk()


@pytest.fixture(scope="module")
def site(s3: S3Server, tmp_path_factory: pytest.TempPathFactory, desk: Desk) -> Iterator[Site]:
    def application(platform: Platform) -> FastAPI:
        app = with_viewer(platform)
        app.include_router(desk.router())
        return app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", application)
        with services.web_service(s3, tmp_path_factory.mktemp("viewer")) as service:
            yield Site(service, furnished(service))


def furnished(service: Service) -> dict[str, str]:
    picture = io.BytesIO()
    Image.new("RGB", (2000, 400), "navy").save(picture, "PNG")
    three = paper(words("Délibération 118"), form, words("Le maire", rotation=90))
    documents = {
        "pages": add_files(service, three, "application/pdf", "Délibération 2026-118 relative au budget primitif.pdf"),
        "hundreds": add_files(service, paper(*[words(f"page {rank}") for rank in range(110)]), "application/pdf", "long.pdf"),
        "picture": add_files(service, picture.getvalue(), "image/png", "plan.png"),
        "plain text": add_files(service, b"Bonjour.\n" * 40, "text/plain", "note.txt"),
        "none": add_files(service, b"PK\x03\x04\0", "application/zip", "paquet.zip"),
    }
    shown = {where: f"{address}/apercu" for where, address in documents.items()}
    _, _, dossier, _, file = documents["pages"].split("/")
    return shown | {"text": f"{documents['pages']}/texte", "placing": f"/essai/{dossier}/{file}"}


def add_files(service: Service, octets: bytes, media_type: str, name: str) -> str:
    platform, owner = service.platform, service.mairie.organisation
    dossier, blob = add_dossier(platform, owner, f"Dossier {name}", "sent"), platform.objects.put(io.BytesIO(octets))
    with platform.database.writing(PLATFORM) as session:
        kept = DossierFile(
            organisation_id=owner.id,
            dossier_id=dossier,
            role="report",
            name=name,
            media_type=media_type,
            sha256=blob.sha256,
            size=blob.size,
        )
        session.add(kept)
        session.flush()
        return f"/dossiers/{dossier}/fichiers/{kept.id}"


def value(page: Page, name: str) -> float:
    return float(page.locator(f"#placing-{name}").input_value())


@pytest.mark.parametrize("width", WIDTHS)
def test_no_view_has_a_fault_that_a_machine_can_see(visit: Opening, site: Site, width: int) -> None:
    page = visit(width=width)
    for where, address in site.pages.items():
        page.goto(address)
        assert_sound(page, where)
        assert page.evaluate(_SMALL) == [], where
        assert page.evaluate(_OBSCURED) == [], where
    page.goto(f"{site.pages['pages']}?zoom=300")
    page.get_by_text("Vignettes").click()
    assert_sound(page, "thumbnails, enlarged")
    page.evaluate(_SPACED)
    assert_fits(page, "spaced out")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_document_is_looked_at_enlarged_and_read_as_text(visit: Opening, site: Site, scripts: bool) -> None:
    page = visit(width=390, java_script_enabled=scripts)
    page.goto(site.pages["pages"])
    image = page.get_by_role("img", name="Page 1 sur 3 du document Délibération")
    expect(image).to_be_visible()
    before = image.bounding_box()
    page.get_by_role("link", name="200").click()
    expect(page).to_have_url(f"{site.service.address}{site.pages['pages']}?zoom=200")
    expect(page.get_by_role("link", name="200")).to_have_attribute("aria-current", "true")
    after = page.get_by_role("img", name="Page 1 sur 3 du document Délibération").bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > 1.8 * before["width"]
    page.get_by_role("link", name="Texte").click()
    expect(page.get_by_role("heading", name="Page 3 sur 3")).to_be_visible()
    expect(page.get_by_text("Délibération 118")).to_be_visible()


def test_pages_come_as_the_reader_reaches_them_and_the_counter_follows(visit: Opening, site: Site, desk: Desk) -> None:
    page = visit(width=1280)
    page.goto(site.pages["placing"])
    counter = page.get_by_role("status").filter(has_text="Page")
    expect(counter).to_have_text("Page 1 sur 3")
    page.locator("#page-3").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#page-3').scrollIntoView()")
    expect(counter).to_have_text("Page 3 sur 3")
    assert page.evaluate("[...document.images].every(image => !image.complete || image.naturalWidth > 0)")
    for _ in range(200):
        if 3 in desk.read:
            break
        page.wait_for_timeout(100)
    assert 3 in desk.read


def test_a_page_that_was_only_passed_over_was_not_read(visit: Opening, site: Site) -> None:
    page, told = visit(width=1280), []
    page.on("request", lambda request: told.append(request.post_data) if request.url.endswith("/lu") else None)
    page.goto(site.pages["placing"])
    page.evaluate("document.querySelector('#page-2').scrollIntoView()")
    page.evaluate("document.querySelector('#page-3').scrollIntoView()")
    page.wait_for_event("request", lambda request: request.url.endswith("/lu"), timeout=20_000)
    assert [form_ for form_ in told if "pages=3" in form_]
    assert not [form_ for form_ in told if "2" in form_.rpartition("pages=")[2]]


def test_the_stamp_is_moved_by_keys_and_by_hand_and_kept_by_a_plain_form(visit: Opening, site: Site, desk: Desk) -> None:
    desk.places[:] = [Place(1, 100, 100, 200, 70)]
    page = visit(width=1280)
    page.goto(site.pages["placing"])
    handle = page.get_by_role("button", name="Emplacement de la signature, page 1")
    handle.focus()
    for key in ("ArrowRight", "Shift+ArrowUp", "ArrowDown"):
        page.keyboard.press(key)
    assert (value(page, "x"), value(page, "y")) == (101, 109)
    expect(page.get_by_role("status").filter(has_text="points de la gauche")).to_contain_text("101")
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] - 2000, box["y"] + 20)
    page.mouse.up()
    assert value(page, "x") == 0, "it stays on the page"
    page.get_by_label("Largeur").fill("150")
    page.get_by_role("button", name="Enregistrer l’emplacement").click()
    page.wait_for_url("**/essai/**")
    assert desk.places[-1] == Place(1, 0, 109, 150, 70)


def test_the_stamp_follows_the_eye_on_a_page_that_is_turned(visit: Opening, site: Site, desk: Desk) -> None:
    desk.places[:] = [Place(3, 100, 100, 200, 70)]
    page = visit(width=1280)
    page.goto(site.pages["placing"])
    page.get_by_role("button", name="Emplacement de la signature, page 3").focus()
    page.keyboard.press("Shift+ArrowRight")
    assert (value(page, "x"), value(page, "y")) == (100, 110)
    page.keyboard.press("Shift+ArrowDown")
    assert (value(page, "x"), value(page, "y")) == (110, 110)


def test_without_a_script_presets_and_fields_put_the_stamp_in_its_place(visit: Opening, site: Site, desk: Desk) -> None:
    desk.places[:] = [Place(1, 100, 100, 200, 70)]
    page = visit(width=390, java_script_enabled=False)
    page.goto(site.pages["placing"])
    expect(page.locator(".viewer-stamp rect[x='100.0']")).to_be_visible()
    page.get_by_label("Page", exact=True).fill("2")
    page.get_by_role("button", name="En bas à droite").click()
    assert desk.places[-1] == Place(2, 359, 36, 200, 70)
    page.get_by_role("button", name="Sur le repère").click()
    assert desk.places[-1] is None
