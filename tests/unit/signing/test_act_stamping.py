"""The stamp of acts: what it says, where it stands on every kind of page, and that the document stays what it was."""

from __future__ import annotations

import contextlib
import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from reportlab.pdfgen.canvas import Canvas

from core import sandbox
from core.errors import TabellionError, UsageError
from core.messages import speaking
from signing.actes import stamping
from signing.actes.balance import imbalance
from signing.actes.imprint import imprint
from signing.actes.stamping import NotStampable, StampPlace, StampText, stamp
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from tests.pades_documents import Drawing, encrypted, form, paper, revised, sloppy, words

TEXT = StampText("040-214009995-20261127-2026_001-DE", date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 30))
LINES = (
    "AR Préfecture",
    "040-214009995-20261127-2026_001-DE",
    "Envoyé en préfecture le 27/11/2026",
    "Reçu en préfecture le 28/11/2026",
    "Publié le 30/11/2026",
)
A4 = (595, 842)
CENTRE = StampPlace(25, 50)
Shown = tuple[float, float, float, float]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamp in this process: the sandbox takes a second for each document."""

    def called(_: str, asked: Any, *, folder: Path, **__: object) -> Any:
        with contextlib.chdir(folder):
            try:
                return imprint(asked)
            except TabellionError as error:
                raise sandbox.Declined(str(error)) from error

    monkeypatch.setattr(stamping.sandbox, "call", called)


in_this_process = pytest.mark.usefixtures("at_once")


def stamped(folder: Path, octets: bytes, place: StampPlace = CENTRE, text: StampText = TEXT) -> bytes:
    source, target = folder / "source.pdf", folder / "stamped.pdf"
    source.write_bytes(octets)
    stamp(source, target, text, place)
    assert source.read_bytes() == octets
    return target.read_bytes()


def page_with(**entries: object) -> bytes:
    """A document whose only page has these entries."""

    def change(writer: IncrementalPdfFileWriter) -> None:
        reference, _ = writer.find_page_for_modification(0)
        for name, value in entries.items():
            reference.get_object()[pdf_name(f"/{name}")] = as_pdf(value)
        writer.mark_update(reference)

    return revised(paper(), change)


def as_pdf(value: object) -> Any:
    if isinstance(value, tuple):
        return generic.ArrayObject([as_pdf(one) for one in value])
    return generic.FloatObject(value) if isinstance(value, float) else generic.NumberObject(value)


def both(first: Drawing, second: Drawing) -> Drawing:
    return lambda canvas: (first(canvas), second(canvas), None)[-1]


def code(drawing: str) -> Drawing:
    return lambda canvas: canvas._code.append(drawing)


class Viewer:
    """A page as PDFium shows it, in its own units from the top left."""

    def __init__(self, octets: bytes, rank: int = 0) -> None:
        self.document = pypdfium2.PdfDocument(octets)
        self.page = self.document[rank]
        self.width, self.height = self.page.get_size()

    def shown(self, x: float, y: float) -> tuple[float, float]:
        fine = 1000
        across, down = ctypes.c_int(), ctypes.c_int()
        size = (round(self.width * fine), round(self.height * fine))
        pdfium.FPDF_PageToDevice(self.page, 0, 0, *size, 0, x, y, across, down)
        return across.value / fine, down.value / fine

    def rectangle(self, box: tuple[float, float, float, float]) -> Shown:
        one, two = self.shown(box[0], box[1]), self.shown(box[2], box[3])
        return (min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1]))

    @property
    def stamps(self) -> list[Shown]:
        """Left, top, right, bottom of each stamp."""
        found = self.page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_FORM], max_depth=1)
        return [self.rectangle(one.get_bounds()) for one in found]

    @property
    def text(self) -> str:
        return str(self.page.get_textpage().get_text_bounded())

    @property
    def is_upright(self) -> bool:
        """Whether the title runs to the right, and stands above the line that follows."""
        read = self.page.get_textpage()
        title, second = read.search("AR Préfecture").get_next()[0], read.search(TEXT.identifier).get_next()[0]
        first, last, below = (self.rectangle(read.get_charbox(one)) for one in (title, title + 12, second))
        level = abs(first[3] - last[3]) < first[3] - first[1]
        return level and first[2] < last[0] and first[3] < below[3]


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_stamp_says_in_french_when_the_act_left_came_and_was_published(tmp_path: Path, locale: str) -> None:
    with speaking(locale):
        octets = stamped(tmp_path, paper(words("Un"), words("Deux"), words("Trois", 100, 300, rotation=90)))
    for rank, word in enumerate(("Un", "Deux", "Trois")):
        text = Viewer(octets, rank).text
        assert all(text.count(line) == 1 for line in LINES), text
        assert word in text


@in_this_process
def test_a_publication_that_nobody_told_is_not_on_the_stamp(tmp_path: Path) -> None:
    octets = stamped(tmp_path, paper(), text=StampText(TEXT.identifier, TEXT.sent, TEXT.received))
    assert "Publié" not in Viewer(octets).text
    assert LINES[3] in Viewer(octets).text


@in_this_process
@pytest.mark.parametrize("rotation", [0, 90, 180, 270, -90, 450])
@pytest.mark.parametrize(
    ("media", "crop"),
    [
        ((0, 0, 595, 842), None),
        ((0, 0, 842, 595), None),
        ((-300, 1000, 295, 1842), None),
        ((595, 842, 0, 0), None),
        ((0, 0, 800, 1000), (100, 50, 700, 900)),
        ((100, 100, 700, 900), (-50, 300, 650, 2000)),
    ],
    ids=["portrait", "landscape", "offset", "corners-swapped", "cropped", "cropped-beyond"],
)
def test_the_stamp_stands_upright_where_it_is_asked_for_however_the_page_is_made(
    tmp_path: Path, rotation: int, media: tuple[int, ...], crop: tuple[int, ...] | None
) -> None:
    octets = stamped(tmp_path, page_with(Rotate=rotation, MediaBox=media, **({"CropBox": crop} if crop else {})))
    viewer = Viewer(octets)
    (found,) = viewer.stamps
    left, top = viewer.width * 0.25, viewer.height * 0.5
    assert found == pytest.approx((left, top, left + 235, top + 50), abs=1.5)
    assert viewer.is_upright


@in_this_process
@pytest.mark.parametrize("unit", [2, 0.5, 10])
@pytest.mark.parametrize("rotation", [0, 90])
def test_the_stamp_has_its_size_in_points_whatever_the_unit_of_the_page(tmp_path: Path, unit: float, rotation: int) -> None:
    viewer = Viewer(stamped(tmp_path, page_with(UserUnit=unit, Rotate=rotation, MediaBox=(0, 0, 1000, 1500))))
    (found,) = viewer.stamps
    left, top = viewer.width * 0.25, viewer.height * 0.5
    assert found == pytest.approx((left, top, left + 235 / unit, top + 50 / unit), abs=1.5)


@in_this_process
@pytest.mark.parametrize("place", [StampPlace(), StampPlace(100, 100), StampPlace(0, 100), StampPlace(0, 0)])
@pytest.mark.parametrize("size", [(595, 842), (842, 595), (250, 300), (100, 60), (30, 400)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_the_stamp_is_kept_inside_the_page_whole_and_in_its_proportions(
    tmp_path: Path, place: StampPlace, size: tuple[int, int], rotation: int
) -> None:
    viewer = Viewer(stamped(tmp_path, page_with(MediaBox=(0, 0, *size), Rotate=rotation), place))
    ((left, top, right, bottom),) = viewer.stamps
    assert 0 < left < right < viewer.width
    assert 0 < top < bottom < viewer.height
    assert (right - left) / (bottom - top) == pytest.approx(235 / 50, rel=0.05)
    assert (left > viewer.width - right) == (place.across == 100) or right - left > viewer.width * 0.75
    assert (top > viewer.height - bottom) == (place.down == 100) or bottom - top > viewer.height * 0.75


@in_this_process
def test_a_page_that_says_nothing_of_its_size_is_stamped_as_viewers_show_it(tmp_path: Path) -> None:
    viewer = Viewer(stamped(tmp_path, page_with(MediaBox=(0, 0, 0, 0), CropBox=(5, 5))))
    (found,) = viewer.stamps
    assert (viewer.width, viewer.height) == (612, 792)
    assert found[:2] == pytest.approx((153, 396), abs=1.5)


@pytest.mark.parametrize("place", [(-1, 0), (0, 101), (float("nan"), 0)])
def test_a_place_outside_of_the_page_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(UsageError):
        StampPlace(*place)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        (b"", (0, 0)),
        (b"q 1 0 0 1 0 0 cm Q", (0, 0)),
        (b"q q Q\nq", (0, 2)),
        (b"Q q Q Q", (2, 0)),
        (b"(q \\( q) Tj <7120> Tj [(q) 3 (Q)] TJ /q gs /Q gs % q\rq", (0, 1)),
        (b"((q (q)) q) Tj q", (0, 1)),
        (b"/P <</MCID 0>> BDC q EMC", (0, 1)),
        (b"BI /W 1 ID q q Q ( EI Q q", (1, 1)),
        (b"q BI /W 1 ID q never ended", (0, 1)),
        (b"q (never ended q", (0, 1)),
        (b"/Span <</ActualText (a > q b)>> BDC q", (0, 1)),
        (b"<</A <71 20>>> q (\\) q) Tj", (0, 1)),
        (b"qq QQ xq Qx", (0, 0)),
        (b"[]q<</A/B>>Q", (0, 0)),
    ],
)
def test_states_that_a_drawing_keeps_or_takes_are_counted(drawing: bytes, expected: tuple[int, int]) -> None:
    assert imbalance(drawing) == expected


@in_this_process
@pytest.mark.parametrize(
    "left_open", ["q 3 0 0 3 50 50 cm", "q q 0 1 -1 0 9 9 cm q", "0 0 10 10 re W n 5 0 0 5 0 0 cm", "Q 2 0 0 2 0 0 cm"]
)
def test_a_page_that_leaves_its_state_behind_does_not_carry_the_stamp_away(tmp_path: Path, left_open: str) -> None:
    viewer = Viewer(stamped(tmp_path, paper(both(words("Corps"), code(left_open)))))
    (found,) = viewer.stamps
    assert found == pytest.approx((595 * 0.25, 421, 595 * 0.25 + 235, 471), abs=1.5)
    assert "Corps" in viewer.text


@in_this_process
def test_pages_that_share_their_resources_and_drawings_are_stamped_once_each_and_stay_as_they_were(tmp_path: Path) -> None:
    def share(writer: IncrementalPdfFileWriter) -> None:
        first, second = (writer.find_page_for_modification(rank)[0] for rank in (0, 1))
        drawings = writer.add_object(generic.ArrayObject([first.get_object().raw_get("/Contents")]))
        parent = first.get_object()["/Parent"]
        parent[pdf_name("/Resources")] = first.get_object().raw_get("/Resources")
        for page in (first, second):
            del page.get_object()["/Resources"]
            page.get_object()[pdf_name("/Contents")] = drawings
            writer.mark_update(page)
        writer.mark_update(first.get_object().raw_get("/Parent"))

    octets = stamped(tmp_path, revised(paper(words("Partagé"), words("Autre")), share))
    for rank in (0, 1):
        viewer = Viewer(octets, rank)
        assert len(viewer.stamps) == 1
        assert viewer.text.count("Partag") == 1


@in_this_process
def test_a_page_without_any_drawing_is_stamped(tmp_path: Path) -> None:
    def empty(writer: IncrementalPdfFileWriter) -> None:
        reference, _ = writer.find_page_for_modification(0)
        for name in ("/Contents", "/Resources"):
            del reference.get_object()[name]
        writer.mark_update(reference)

    assert LINES[0] in Viewer(stamped(tmp_path, revised(paper(), empty))).text


@in_this_process
def test_a_stamped_copy_can_be_stamped_again(tmp_path: Path) -> None:
    again = stamped(tmp_path, stamped(tmp_path, paper(), StampPlace(0, 0)), StampPlace(50, 50))
    assert len(Viewer(again).stamps) == 2


@in_this_process
def test_the_fonts_are_in_the_copy_and_its_text_reads_with_its_accents(tmp_path: Path) -> None:
    page = PdfFileReader(BytesIO(stamped(tmp_path, paper()))).root["/Pages"]["/Kids"][0]
    (name,) = page["/Resources"]["/XObject"]
    fonts = page["/Resources"]["/XObject"][name]["/Resources"]["/Font"]
    used = [fonts[key] for key in fonts if "Vera" in str(fonts[key]["/BaseFont"])]
    assert len(used) == 2
    assert all("/FontFile2" in font["/FontDescriptor"] and "/ToUnicode" in font for font in used)


@in_this_process
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_poppler_reads_the_stamp_where_it_was_asked_for(tmp_path: Path, rotation: int) -> None:
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not installed")
    path = tmp_path / "copy.pdf"
    path.write_bytes(stamped(tmp_path, page_with(Rotate=rotation, MediaBox=(-10, 20, 585, 862))))
    told = subprocess.run([program, "-bbox", path, "-"], capture_output=True, check=True, text=True).stdout
    sizes = re.search(r'<page width="([\d.]+)" height="([\d.]+)"', told)
    title = re.search(r'xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="[\d.]+">Préfecture<', told)
    assert sizes is not None
    assert title is not None
    across, down, right = (float(one) for one in title.groups())
    wide, high = (
        float(one) for one in sizes.groups()[:: -1 if rotation in {90, 270} else 1]
    )  # it tells those of the page as stored
    left, top = wide * 0.25, high * 0.5
    assert left < across < right < left + 100
    assert top - 2 < down < top + 12


@in_this_process
@pytest.mark.parametrize(
    "changed", [paper, lambda: paper().rstrip(), lambda: paper(form, words("Fin"))], ids=["plain", "no-end", "form"]
)
def test_the_document_stays_to_the_octet_and_the_same_input_gives_the_same_copy(
    tmp_path: Path, changed: Callable[[], bytes]
) -> None:
    octets = changed()
    copy = stamped(tmp_path, octets)
    assert copy.startswith(octets)
    assert len(copy) < len(octets) + 60_000
    assert stamped(tmp_path, octets) == copy
    assert stamped(tmp_path, octets, StampPlace(26, 50)) != copy


def test_a_signature_stays_intact_over_its_revision_and_the_copy_says_that_more_is_shown(
    signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path
) -> None:
    source, signed, copy, cut = (tmp_path / f"{name}.pdf" for name in ("source", "signed", "copy", "cut"))
    source.write_bytes(paper())
    sign(Pades(role="Maire"), source, signed, signer)
    stamp(signed, copy, TEXT, StampPlace())
    verdict = verify(copy, trust=trust)
    (signature,) = verdict.signatures
    assert signature.intact
    assert verdict.verdict is Belief.INVALID
    assert any("modifié après signature" in reason for reason in signature.reasons)
    (was,) = verify(signed, trust=trust).signatures
    assert (signature.signer, signature.signing_time, signature.trust) == (was.signer, was.signing_time, was.trust)
    cut.write_bytes(copy.read_bytes()[: signed.stat().st_size])
    assert verify(cut, trust=trust).verdict is Belief.VALID


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (encrypted(paper(), "secret"), "chiffré"),
        (encrypted(paper(), ""), "chiffré"),
        (b"PK\x03\x04 nothing of a PDF", "lisible"),
        (paper()[:700], "lisible"),
        (b"", "lisible"),
        (paper().replace(b"/Kids", b"/Dkis"), "lisible"),
    ],
    ids=["password", "restrictions", "other", "cut", "empty", "no-pages"],
)
def test_what_cannot_be_stamped_is_refused_with_words_and_nothing_is_left(tmp_path: Path, octets: bytes, said: str) -> None:
    with pytest.raises(NotStampable, match=said):
        stamped(tmp_path, octets)
    assert [path.name for path in tmp_path.iterdir()] == ["source.pdf"]


@in_this_process
def test_a_document_that_is_written_sloppily_is_stamped_all_the_same(tmp_path: Path) -> None:
    few = re.sub(rb"/Size \d+", b"/Size 3", paper())
    for octets in (sloppy(paper()), few):
        viewer = Viewer(stamped(tmp_path, octets))
        assert "Délibération" in viewer.text
        assert LINES[0] in viewer.text


@in_this_process
def test_too_many_pages_and_too_many_octets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamping, "_MOST_PAGES", 1)
    stamped(tmp_path, paper())
    with pytest.raises(NotStampable, match="plus de 1\xa0pages"):
        stamped(tmp_path, paper(words("Un"), words("Deux")))
    monkeypatch.setattr(stamping, "LARGEST", 100)
    with pytest.raises(NotStampable, match="dépasse"):
        stamped(tmp_path, paper())


@pytest.mark.parametrize("left", ["another", "link", "nothing", "answer"])
def test_what_a_child_that_was_taken_over_leaves_is_not_taken_for_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    def taken_over(*_: object, folder: Path, **__: object) -> Any:
        result = folder / "stamped.pdf"
        if left == "another":
            result.write_bytes(b"x" * 100_000)
        if left == "link":
            result.symlink_to(folder / "source.pdf")
        return ["pages"] if left == "answer" else {"pages": 1}

    monkeypatch.setattr(stamping.sandbox, "call", taken_over)
    with pytest.raises(NotStampable):
        stamped(tmp_path, paper())


@in_this_process
def test_a_document_of_many_pages_grows_by_little_for_each(tmp_path: Path) -> None:
    def many(canvas: Canvas) -> None:
        for _ in range(199):
            canvas.drawString(100, 100, "Page")
            canvas.showPage()

    octets = paper(many)
    copy = stamped(tmp_path, octets)
    assert len(pypdfium2.PdfDocument(copy)) == 200
    assert Viewer(copy, 199).stamps
    assert len(copy) - len(octets) < 50_000 + 200 * 900
