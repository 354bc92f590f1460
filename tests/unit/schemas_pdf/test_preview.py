"""Documents that people look at, and those made to harm whoever opens them: all answer in words, none breaks anything."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name, pdf_string
from reportlab.pdfgen.canvas import Canvas

from core import sandbox
from schemas.pdf import preview
from schemas.pdf.pages import Inspection, Page
from schemas.pdf.preview import NotShown
from tests.pades_documents import encrypted, form, paper, revised, words

A4 = (595.0, 842.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "box").mkdir()
    return tmp_path / "box"


def kept(folder: Path, octets: bytes) -> Path:
    path = folder / "document"
    path.write_bytes(octets)
    return path


def inspected(folder: Path, octets: bytes, first: int = 1, last: int = 100, *, text: bool = False) -> Inspection:
    return preview.inspect(kept(folder, octets), first, last, text=text)


def picture(size: tuple[int, int], kind: str = "PNG", mode: str = "RGB", **options: object) -> bytes:
    octets = BytesIO()
    Image.new(mode, size, "red").save(octets, kind, **options)
    return octets.getvalue()


def catalogue_with(key: str, value: generic.PdfObject) -> bytes:
    def change(writer: generic.PdfObject) -> None:
        writer.root[pdf_name(key)] = value
        writer.update_root()

    return revised(paper(), change)


def test_pages_are_known_by_number_size_and_rotation_before_any_is_drawn(folder: Path) -> None:
    found = inspected(folder, paper(words("un"), words("deux", rotation=90), words("trois")), 2, 3)
    assert (found.kind, found.count, found.problem, found.encrypted, found.active) == ("pdf", 3, None, False, ())
    assert [(page.size, page.rotation) for page in found.pages] == [(A4, 90), (A4, 0)]
    assert found.page(3) == Page(left=0, bottom=0, right=595, top=842)
    assert found.page(1) is None


def test_pages_are_drawn_as_webp_of_the_width_asked_with_the_values_of_forms(folder: Path) -> None:
    document = kept(folder, paper(words("un"), form))
    drawn = preview.images(document, "pdf", 1, 2, 595)
    assert {number: Image.open(BytesIO(octets)).size for number, octets in drawn.items()} == {1: (595, 842), 2: (595, 842)}
    field = Image.open(BytesIO(drawn[2])).convert("L").crop((100, 842 - 620, 200, 842 - 600))
    assert field.getextrema()[0] < 100, "the value of the field is drawn"


def test_an_image_has_the_size_that_was_reserved_for_it(folder: Path) -> None:
    page = inspected(folder, paper(words("un", rotation=90))).pages[0]
    octets = preview.images(folder / "document", "pdf", 1, 1, 1200)[1]
    assert max(abs(a - b) for a, b in zip(Image.open(BytesIO(octets)).size, page.pixels(1200), strict=True)) <= 1


def test_text_comes_page_by_page_and_is_empty_where_there_is_none(folder: Path) -> None:
    document = kept(folder, paper(words("Délibération du conseil"), lambda canvas: canvas.rect(10, 10, 50, 50)))
    assert preview.texts(document, "pdf", 1, 2) == ["Délibération du conseil", ""]


def test_a_document_under_a_password_says_so_and_one_that_opens_without_is_shown(folder: Path) -> None:
    assert inspected(folder, encrypted(paper(), "secret")).problem == "password"
    octets = BytesIO()
    canvas = Canvas(
        octets, encrypt=__import__("reportlab.lib.pdfencrypt", fromlist=["x"]).StandardEncryption("", ownerPassword="o")
    )
    canvas.drawString(100, 700, "lisible")
    canvas.save()
    found = inspected(folder, octets.getvalue())
    assert (found.encrypted, found.problem) == (True, None)


@pytest.mark.parametrize("octets", [paper()[:300], b"%PDF-1.7\n" + b"\xff" * 2000, b"%PDF-"], ids=["truncated", "noise", "mark"])
def test_what_only_begins_like_a_pdf_cannot_be_read(folder: Path, octets: bytes) -> None:
    found = inspected(folder, octets)
    assert (found.kind, found.problem) == ("pdf", "unreadable")
    assert "Téléchargez-le" in found.reason


def test_ten_thousand_pages_are_told_and_looked_at_by_the_hundred(folder: Path) -> None:
    count = 10_000
    kids = b" ".join(b"%d 0 R" % number for number in range(3, count + 3))
    octets = b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count %d/Kids[%s]>>endobj\n" % (
        count,
        kids,
    )
    for number in range(3, count + 3):
        octets += b"%d 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n" % number
    octets += b"trailer<</Root 1 0 R>>\n%%EOF"
    found = inspected(folder, octets, 9_951, 10_050)
    assert (found.count, len(found.pages), found.first) == (10_000, 50, 9_951)


def test_a_page_of_a_mile_is_drawn_within_bounds(folder: Path) -> None:
    octets = BytesIO()
    canvas = Canvas(octets, pagesize=(100_000, 200))
    canvas.showPage()
    canvas.setPageSize((1e9, 1e9))
    canvas.showPage()
    canvas.save()
    found = inspected(folder, octets.getvalue())
    assert found.problem is None
    drawn = preview.images(folder / "document", "pdf", 1, 2, 2400)
    assert Image.open(BytesIO(drawn[1])).width <= 2400
    assert all(Image.open(BytesIO(one)).width * Image.open(BytesIO(one)).height <= 12_000_000 for one in drawn.values())


def test_scripts_programs_and_files_are_told_wherever_they_hang(folder: Path) -> None:
    script = generic.DictionaryObject({pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): pdf_string("app.alert(1)")})
    launch = generic.DictionaryObject({pdf_name("/S"): pdf_name("/Launch"), pdf_name("/F"): pdf_string("calc.exe")})
    named = generic.ArrayObject([pdf_string("a"), generic.DictionaryObject({pdf_name("/EF"): generic.DictionaryObject()})])
    files = generic.DictionaryObject({pdf_name("/EmbeddedFiles"): generic.DictionaryObject({pdf_name("/Names"): named})})
    assert inspected(folder, catalogue_with("/OpenAction", script)).active == ("script",)
    assert inspected(folder, catalogue_with("/AA", generic.DictionaryObject({pdf_name("/WC"): launch}))).active == ("program",)
    found = inspected(folder, catalogue_with("/Names", files))
    assert found.active == ("files",)
    assert "joints" in found.warnings[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_a_document_of_one_page_and_is_written_anew(folder: Path, kind: str) -> None:
    found = inspected(folder, picture((300, 200), kind))
    assert (found.kind, found.count, found.pages[0].size) == ("picture", 1, (300, 200))
    drawn = preview.images(folder / "document", "picture", 1, 1, 150)
    assert Image.open(BytesIO(drawn[1])).size == (150, 100)
    assert preview.texts(folder / "document", "picture", 1, 1) == [""]


def test_a_picture_that_lies_on_its_side_is_shown_upright_and_a_clear_one_on_white(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert inspected(folder, picture((300, 200), "JPEG", exif=exif)).pages[0].size == (200, 300)
    assert Image.open(BytesIO(preview.images(folder / "document", "picture", 1, 1, 200)[1])).size == (200, 300)
    octets = BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(octets, "PNG")
    kept(folder, octets.getvalue())
    assert Image.open(BytesIO(preview.images(folder / "document", "picture", 1, 1, 10)[1])).getpixel((5, 5))[0] > 250


def test_a_picture_that_swells_is_refused_by_its_size_alone(folder: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    assert inspected(folder, bomb).problem == "too_large"
    assert inspected(folder, picture((300, 200))[:60]).problem == "unreadable"


def test_the_octets_tell_what_a_document_is_and_not_its_name(folder: Path) -> None:
    assert inspected(folder, paper(), text=True).kind == "pdf"
    assert inspected(folder, picture((3, 3)), text=True).kind == "picture"
    assert inspected(folder, b"PK\x03\x04\0\0", text=True).kind == "other"
    assert inspected(folder, b"Bonjour").kind == "other"


def test_plain_text_is_cut_into_pages_and_cleared_of_what_is_not_shown(folder: Path) -> None:
    found = inspected(folder, ("é\x1b[31m\r\n" * 5_000).encode("latin-1"), text=True)
    assert (found.kind, found.count, len(found.pages)) == ("text", 2, 2)
    first, second = preview.texts(folder / "document", "text", 1, 2)
    assert first.startswith("é[31m\né[31m")
    assert "\x1b" not in first + second
    assert inspected(folder, b"x" * 20_000_001, text=True).problem == "too_long"


def test_a_reader_that_hangs_or_breaks_is_a_document_that_is_not_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = sandbox.call
    for name in ("hanging", "breaking"):
        monkeypatch.setattr(
            sandbox,
            "call",
            lambda *_, folder, name=name, **__: called(
                f"tests.unit.core.sandboxed:{name}", None, folder=folder, memory=1 << 28, seconds=1
            ),
        )
        with pytest.raises(NotShown):
            inspected(folder, paper())
        with pytest.raises(NotShown, match="Téléchargez-le"):
            preview.images(folder / "document", "pdf", 1, 1, 100)
        with pytest.raises(NotShown):
            preview.texts(folder / "document", "pdf", 1, 1)


def test_what_comes_out_of_the_sandbox_is_checked(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"RIFF0000WEBPsecret")
    answers = iter([{"kind": "pdf", "count": -1}, {"kind": "pdf", "pages": [{"left": float("nan")}]}, "x", [1], [1]])
    monkeypatch.setattr(sandbox, "call", lambda *_, **__: next(answers))
    for _ in range(3):
        with pytest.raises(NotShown):
            inspected(folder, paper())
    (folder / "1.webp").symlink_to(secret)
    (folder / "2.webp").write_bytes(b"<svg onload=alert(1)>")
    assert preview.images(folder / "document", "pdf", 1, 2, 100) == {}
