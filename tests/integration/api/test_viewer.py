"""Documents that a person may see are shown page by page; those of others, and what harms, never reach the browser."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from PIL import Image

from api.app import create_app
from api.web.viewer import page as viewer_page
from api.web.viewer import previews, view
from api.web.viewer.placing import Placement, Rectangle, place_from_form, preset, shown, stored
from api.web.viewer.view import Addresses, Asked, Reading, pages_from_form
from core import clock, sandbox
from core.derived import derived_files
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from schemas.pdf.pages import Page
from signing.pades.stamp import Place
from tests.integration.api import service as services
from tests.integration.api.service import PASSWORD, Service, Tenant, add_dossier
from tests.pades_documents import encrypted, paper, words


def with_viewer(platform: Platform) -> FastAPI:
    app = create_app(platform)
    if not any(getattr(route, "path", "").endswith("/apercu") for route in app.routes):
        app.include_router(viewer_page.router)
    return app


@contextmanager
def viewer_service(s3: S3Server, folder: Path) -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services, "create_app", with_viewer)
        with services.web_service(s3, folder) as running:
            yield running


@pytest.fixture(scope="module")
def served(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with viewer_service(s3, tmp_path_factory.mktemp("viewer")) as running:
        yield running


@contextmanager
def browsing(service: Service, tenant: Tenant) -> Iterator[httpx.Client]:
    with service.client(**{"Accept-Language": "fr"}) as client:
        csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/connexion").text)
        token = {"csrf": csrf[1]} if csrf else {}
        answer = client.post("/connexion", data={"email": tenant.email, "password": PASSWORD, **token})
        assert answer.status_code == 303
        yield client


@pytest.fixture(scope="module")
def browser(served: Service) -> Iterator[httpx.Client]:
    with browsing(served, served.mairie) as client:
        yield client


def kept(platform: Platform, octets: bytes, media_type: str = "application/pdf", name: str = "deliberation.pdf") -> KeptFile:
    blob = platform.objects.put(io.BytesIO(octets))
    return KeptFile("document", name, media_type, blob.sha256, blob.size)


def add_file(service: Service, octets: bytes, media_type: str = "application/pdf", name: str = "deliberation.pdf") -> str:
    """The address of a document of a new dossier of the first collectivité."""
    platform, owner = service.platform, service.mairie.organisation
    dossier = add_dossier(platform, owner, f"Dossier {clock.now():%f}", "sent")
    blob = platform.objects.put(io.BytesIO(octets))
    with platform.database.writing(PLATFORM) as session:
        file = DossierFile(
            organisation_id=owner.id,
            dossier_id=dossier,
            role="report",
            name=name,
            media_type=media_type,
            sha256=blob.sha256,
            size=blob.size,
        )
        session.add(file)
        session.flush()
        return f"/dossiers/{dossier}/fichiers/{file.id}"


def test_all_pages_of_a_document_are_there_with_their_size_and_what_they_are(served: Service, browser: httpx.Client) -> None:
    address = add_file(served, paper(words("un"), words("deux", rotation=90), words("trois")))
    shown = browser.get(f"{address}/apercu")
    assert shown.status_code == 200
    assert "Page 3 sur 3 du document deliberation.pdf" in shown.text
    assert "3\u00a0pages" in shown.text or "3 pages" in shown.text
    sizes = re.findall(r'width="(\d+)" height="(\d+)" loading="lazy" alt="Page', shown.text)
    assert sizes == [("1200", "1698")] * 3
    for source in re.findall(r'<img src="([^"]+)"', shown.text):
        image = browser.get(source.replace("&amp;", "&"))
        assert (image.status_code, image.headers["content-type"]) == (200, "image/webp")


def test_an_image_is_kept_by_this_browser_only_and_known_again_by_its_digest(served: Service, browser: httpx.Client) -> None:
    address = add_file(served, paper())
    image = browser.get(f"{address}/pages/1.webp?l=600")
    assert Image.open(io.BytesIO(image.content)).width in {599, 600, 601}
    assert image.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert image.headers["content-security-policy"] == "default-src 'none'; sandbox"
    again = browser.get(f"{address}/pages/1.webp?l=600", headers={"If-None-Match": image.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "what", ["pages/2.webp?l=600", "pages/1.webp?l=601", "pages/0.webp?l=600", "pages/1.webp", "pages/1.png?l=600"]
)
def test_a_page_or_a_size_that_does_not_exist_is_not_made(served: Service, browser: httpx.Client, what: str) -> None:
    assert browser.get(f"{add_file(served, paper())}/{what}").status_code in {404, 422, 400}


def test_another_collectivite_sees_nothing_of_it(served: Service) -> None:
    address = add_file(served, paper(words("secret")))
    with browsing(served, served.syndicat) as stranger:
        for what in ("apercu", "texte", "pages/1.webp?l=600"):
            assert stranger.get(f"{address}/{what}").status_code == 404
    with served.client() as nobody:
        assert nobody.get(f"{address}/pages/1.webp?l=600").status_code in {303, 401}


def test_the_text_stands_page_by_page_and_an_image_says_that_it_has_none(served: Service, browser: httpx.Client) -> None:
    document = paper(words("Article 1 <script>"), lambda canvas: canvas.rect(10, 10, 50, 50))
    shown = browser.get(f"{add_file(served, document)}/texte").text
    assert "Article 1 &lt;script&gt;" in shown
    assert "Page 2 sur 2" in shown
    assert "Cette page ne contient pas de texte" in shown


@pytest.mark.parametrize(
    ("octets", "media_type", "name", "words_"),
    [
        (paper()[:300], "application/pdf", "abime.pdf", "ne peut pas être lu"),
        (encrypted(paper(), "x"), "application/pdf", "ferme.pdf", "mot de passe"),
        (b"PK\x03\x04\0", "application/zip", "paquet.zip", "ne s’affiche pas ici"),
        (b"PK\x03\x04\0", "application/pdf", "faux.pdf", "ne s’affiche pas ici"),
    ],
)
def test_what_cannot_be_shown_says_why_and_is_offered_for_download(
    served: Service, browser: httpx.Client, octets: bytes, media_type: str, name: str, words_: str
) -> None:
    address = add_file(served, octets, media_type, name)
    answer = browser.get(f"{address}/apercu")
    assert answer.status_code == 200
    assert words_ in answer.text
    assert f'href="{address}" download' in answer.text
    assert browser.get(f"{address}/pages/1.webp?l=600").status_code == 404


def test_a_picture_and_a_plain_text_are_shown_too(served: Service, browser: httpx.Client) -> None:
    octets = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(octets, "PNG")
    address = add_file(served, octets.getvalue(), "application/pdf", "plan.pdf")
    assert 'width="300" height="200"' in browser.get(f"{address}/apercu").text
    assert browser.get(f"{address}/pages/1.webp?l=600").headers["content-type"] == "image/webp"
    shown = browser.get(f"{add_file(served, 'Été & hiver'.encode(), 'text/plain', 'note.txt')}/apercu").text
    assert "Été &amp; hiver" in shown


def test_a_long_document_is_shown_by_the_hundred(served: Service, browser: httpx.Client) -> None:
    address = add_file(served, paper(*[words(f"page {number}") for number in range(1, 103)]))
    first, second = browser.get(f"{address}/apercu").text, browser.get(f"{address}/apercu?page=101&zoom=150").text
    assert (first.count('data-page="'), second.count('data-page="')) == (100, 2)
    assert f'{address}/apercu?page=101"' in first
    assert f'{address}/texte?page=101"' in second
    assert 'data-zoomed="150"' in second


def test_of_a_document_that_hangs_its_reader_one_try_an_hour_is_made(served: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    tried, called = [], sandbox.call

    def hanging(*_: object, folder: Path, **__: object) -> object:
        tried.append(1)
        return called("tests.unit.core.sandboxed:hanging", None, folder=folder, memory=1 << 28, seconds=0.5)

    monkeypatch.setattr(sandbox, "call", hanging)
    document = kept(served.platform, paper(words("un livre sans fin")))
    for _ in range(3):
        found = view.view(served.platform, document, Addresses("/d", "/d"), Asked(), title="x")
        assert "a été arrêté" in found.reason
    assert tried == [1]


def test_a_page_that_breaks_its_neighbours_leaves_the_others_to_be_drawn(
    served: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = kept(served.platform, paper(words("a"), words("b"), words("c")))
    drawn = previews.preview.images

    def failing(path: Path, kind: str, first: int, last: int, width: int) -> object:
        if first <= 2 <= last:
            raise previews.preview.not_shown()
        return drawn(path, kind, first, last, width)

    monkeypatch.setattr(previews.preview, "images", failing)
    assert previews.image(served.platform, document, 1, 600)[:4] == b"RIFF"
    assert previews.image(served.platform, document, 3, 600)[:4] == b"RIFF"
    with pytest.raises(previews.NotShown):
        previews.image(served.platform, document, 2, 600)


def test_pages_are_drawn_once_and_with_their_neighbours(served: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    document = kept(served.platform, paper(words("un"), words("deux"), words("trois d’une fois")))
    first = previews.image(served.platform, document, 1, 600)
    monkeypatch.setattr(sandbox, "call", lambda *_, **__: pytest.fail("drawn again"))
    assert previews.image(served.platform, document, 1, 600) == first
    assert previews.image(served.platform, document, 3, 600) != first
    assert derived_files(served.platform.settings) is derived_files(served.platform.settings)


def test_the_text_counts_as_read_for_the_pages_that_have_one(served: Service) -> None:
    document = kept(served.platform, paper(words("un"), lambda canvas: canvas.rect(10, 10, 50, 50), words("trois")))
    addresses = Addresses("/d", "/d")
    assert view.view(served.platform, document, addresses, Asked(text=True), title="x").read == (1, 3)
    assert view.view(served.platform, document, addresses, Asked(), title="x").read == ()


def test_the_pages_that_were_in_view_are_read_from_a_form() -> None:
    assert pages_from_form({"pages": "1-3,7,2"}, 7) == (1, 2, 3, 7)
    for told in ("", "0", "8", "3-1", "1-8", "a", "1,", "1-999999999", "²", "1," * 3000 + "1"):
        with pytest.raises(UsageError, match="pages lues"):
            pages_from_form({"pages": told}, 7)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_place_is_shown_where_the_stamp_will_stand_however_the_page_is_turned(rotation: int) -> None:
    page = Page(left=10, bottom=20, right=605, top=862, rotation=rotation)
    seen = Rectangle(30, 40, 200, 70)
    there = stored(seen, 2, page)
    back = shown(there, page)
    assert (back.x, back.y, back.width, back.height) == pytest.approx((30, 40, 200, 70))
    wide, high = (70, 200) if rotation in {90, 270} else (200, 70)
    assert (there.x, there.y) == pytest.approx(
        {0: (40, 862 - 110), 90: (10 + 40, 20 + 30), 180: (605 - 230, 20 + 40), 270: (605 - 40 - wide, 862 - 30 - high)}[rotation]
    )


def test_the_form_of_the_stamp_gives_a_place_or_leaves_it_to_the_tag(served: Service) -> None:
    page_of = view.page_of(served.platform, kept(served.platform, paper(words("un"), words("deux"))))
    told = {"page": "2", "x": "100,5", "y": "50", "width": "200", "height": "70"}
    assert place_from_form(told, page_of) == Place(2, 100.5, 50, 200, 70)
    assert place_from_form(told | {"preset": "repere"}, page_of) is None
    assert place_from_form({"page": "1", "preset": "bas-droite"}, page_of) == Place(1, 595 - 236, 36, 200, 70)
    assert place_from_form({"page": "1", "preset": "bas-gauche"}, page_of) == Place(1, 36, 36, 200, 70)
    tiny = Page(left=0, bottom=0, right=50, top=30)
    assert preset("bas-droite", 1, tiny) == Place(1, 0, 0, 50, 30)


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ({"page": "3"}, "cette page"),
        ({"page": "x"}, "cette page"),
        ({"page": "0"}, "cette page"),
        ({"page": "9" * 4400}, "cette page"),
        ({"x": "loin"}, "Depuis la gauche"),
        ({"y": "nan"}, "Depuis le bas"),
        ({"width": "inf"}, "Largeur"),
        ({"height": "9"}, "trop petit"),
        ({"x": "400"}, "sort de la page"),
        ({"y": "-1"}, "sort de la page"),
    ],
)
def test_a_place_that_cannot_be_is_refused_in_words(served: Service, change: dict[str, str], words_: str) -> None:
    page_of = view.page_of(served.platform, kept(served.platform, paper(words("un"), words("deux"))))
    with pytest.raises(UsageError, match=words_):
        place_from_form({"page": "1", "x": "100", "y": "50", "width": "200", "height": "70"} | change, page_of)


def test_the_partial_shows_stamp_and_form_when_it_is_given_a_placement(served: Service) -> None:
    document = kept(served.platform, paper(words("un"), words("deux")))
    placement = Placement("/ici/emplacement", "jeton", Place(2, 100, 50, 200, 70))
    found = view.view(
        served.platform,
        document,
        Addresses("/d", "/d"),
        Asked(),
        title="x",
        placement=placement,
        reading=Reading("/ici/lu", "jeton"),
    )
    assert [sheet.stamp for sheet in found.sheets] == [None, Rectangle(100, 842 - 120, 200, 70)]
    assert replace(found, placement=None).sheets == found.sheets
