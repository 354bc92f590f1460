"""Where the stamp of a signature goes, and what it shows."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pypdfium2
import pytest
from pyhanko.pdf_utils.generic import ArrayObject, NumberObject, pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from core.errors import UsageError
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.drawing import lines_of, placed
from signing.pades.seal import Pades
from signing.pades.stamp import Place, Stamp
from signing.pades.tags import Spot, find
from signing.pades.verifier import verify
from signing.trust import TrustStore
from signing.verdicts import Belief
from tests.pades_documents import Drawing, paper, revised, words

NOON = datetime(2026, 1, 1, 11, tzinfo=UTC)


def both(first: Drawing, second: Drawing) -> Drawing:
    return lambda canvas: (first(canvas), second(canvas), None)[-1]


TAGGED = paper(words("Rien ici"), both(words("Lu : #signature#", 100, 400), words("#signature2#", 300, 200)))


def test_a_tag_is_found_where_it_stands() -> None:
    spot = find(TAGGED, "#signature2#")
    assert spot is not None
    assert (spot.page, round(spot.x), round(spot.y)) == (2, 335, 204)
    assert find(TAGGED, "#cachet#") is None


@pytest.mark.parametrize(
    ("stamp", "page", "corner"),
    [
        (Stamp(place=Place(1, 200, 700), rank=2), 0, (200, 700)),
        (Stamp(rank=2), 1, (235, 169)),
        (Stamp(rank=1), 1, (55, 369)),
        (Stamp(), 1, (55, 369)),
        (Stamp(tag="#cachet%n#"), 0, (0, 0)),
        (Stamp(tag="#signature_%n#", rank=2), 0, (0, 0)),
    ],
)
def test_the_place_given_comes_before_the_tags_and_those_before_the_default(
    stamp: Stamp, page: int, corner: tuple[int, int]
) -> None:
    box = placed(stamp, TAGGED)
    left, bottom, right, top = box.corners
    assert (box.page, right - left, top - bottom) == (page, 200, 70)
    assert (left, bottom) == pytest.approx(corner, abs=2)


def test_the_stamp_is_centred_on_its_tag() -> None:
    spot = find(TAGGED, "#signature#")
    left, bottom, right, top = placed(Stamp(size=(100, 40)), TAGGED).corners
    assert isinstance(spot, Spot)
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx((spot.x, spot.y), abs=1)
    assert (right - left, top - bottom) == (100, 40)


@pytest.mark.parametrize("place", [Place(3), Place(0), Place(1, 0, 0, 5, 70)])
def test_a_place_that_is_none_is_refused(place: Place) -> None:
    with pytest.raises(UsageError):
        placed(Stamp(place=place), TAGGED)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_stamp_is_upright_on_its_tag_however_the_page_is_turned(
    signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path, rotation: int
) -> None:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(paper(words("#signature#", 300, 400, rotation=rotation)))
    sign(Pades(stamp=Stamp(lines=("|||||",))), source, target, signer)
    assert verify(target, trust=trust).verdict is Belief.VALID
    left, bottom, right, top = placed(Stamp(), source.read_bytes()).corners
    assert (right - left, top - bottom) == ((70, 200) if rotation in {90, 270} else (200, 70))
    upright, page = shown(target)
    assert "|||||" in page
    assert upright


@pytest.mark.parametrize("name", ["Camille Exemple", "Un nom " * 20, "Œuvre d’été — nº 5"])
def test_a_stamp_shows_who_in_what_capacity_and_when(signer: Pkcs12Signer, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(paper())
    lines = lines_of(name, "Maire déléguée", NOON)
    assert lines[-1] == "Signé le 1 janvier 2026"
    sign(Pades(stamp=Stamp(lines=lines)), source, target, signer)
    _, text = shown(target)
    assert all(line.strip() in text for line in lines)


@pytest.mark.parametrize("stamp", [None, Stamp(lines=("Camille Exemple", "Maire"))])
def test_a_field_of_the_document_shows_the_stamp_in_its_own_place(
    signer: Pkcs12Signer, trust: TrustStore, tmp_path: Path, stamp: Stamp | None
) -> None:
    spec = SigFieldSpec("Maire", box=(10, 20, 210, 90))
    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(revised(paper(), lambda writer: append_signature_field(writer, spec)))
    sign(Pades(field="Maire", role="Maire", stamp=stamp), source, target, signer)
    assert verify(target, trust=trust).verdict is Belief.VALID
    _, text = shown(target)
    assert ("Camille Exemple" if stamp else "DEMONSTRATION Cachet serveur") in text
    assert "Maire" in text


def shown(path: Path) -> tuple[bool, str]:
    """Return whether the first line of the stamp is wider than high as the page is shown, and the text of the page."""
    document = pypdfium2.PdfDocument(path.read_bytes())
    document.init_forms()
    page = document[0]
    turned = page.get_rotation() in (90, 270)
    page.flatten()
    page = document[0]
    words_of = page.get_textpage()
    found = words_of.search("||", match_case=True).get_next()
    if found is None:
        return True, words_of.get_text_bounded()
    boxes = [words_of.get_charbox(found[0] + rank) for rank in range(2)]
    along_x, along_y = abs(boxes[0][0] - boxes[1][0]), abs(boxes[0][1] - boxes[1][1])
    return (along_y > along_x) if turned else (along_x > along_y), words_of.get_text_bounded()


def drawn(document: Path) -> list[tuple[int, ...]]:
    """Where the signatures of a document are drawn, in the order in which they were made."""
    fields = (one.sig_field for one in PdfFileReader(BytesIO(document.read_bytes())).embedded_signatures)
    return [tuple(int(one) for one in field["/Rect"]) for field in fields]


@pytest.mark.parametrize(
    ("stamp", "corners"),
    [
        (Stamp(), [(0, 0), (200, 0), (0, 70), (200, 70)]),
        (Stamp(otherwise=Place(1, 380, 20)), [(380, 20), (180, 20), (380, 90), (180, 90)]),
        (Stamp(place=Place(1, 30, 40)), [(30, 40)] * 4),
    ],
    ids=["in the corner", "where its kind says", "where its author says"],
)
def test_a_stamp_that_no_author_has_put_somewhere_covers_none_that_is_there(
    signer: Pkcs12Signer, tmp_path: Path, stamp: Stamp, corners: list[tuple[int, int]]
) -> None:
    path = tmp_path / "0.pdf"
    path.write_bytes(paper(words("Rien ici"), words("Ni là")))
    for rank in range(1, 5):
        signed = tmp_path / f"{rank}.pdf"
        sign(Pades(stamp=stamp), path, signed, signer)
        path = signed
    assert drawn(path) == [(left, bottom, left + 200, bottom + 70) for left, bottom in corners]


def test_a_stamp_stays_where_it_goes_on_a_page_that_has_no_other_place(signer: Pkcs12Signer, tmp_path: Path) -> None:
    path, stamp = tmp_path / "0.pdf", Stamp(size=(500, 600))
    path.write_bytes(paper(words("Rien ici")))
    for rank in (1, 2):
        signed = tmp_path / f"{rank}.pdf"
        sign(Pades(stamp=stamp), path, signed, signer)
        path = signed
    assert drawn(path) == [(0, 0, 500, 600)] * 2


def test_two_who_share_a_tag_stand_side_by_side_and_on_another_page_nothing_is_moved(
    signer: Pkcs12Signer, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / f"{rank}.pdf" for rank in range(3))
    tmp_path.joinpath("source.pdf").write_bytes(paper(words("Rien ici"), words("#signature#", 150, 400)))
    sign(Pades(stamp=Stamp(rank=1)), tmp_path / "source.pdf", first, signer)
    sign(Pades(stamp=Stamp(rank=2)), first, second, signer)
    sign(Pades(stamp=Stamp(tag="#cachet#")), second, third, signer)
    (left, bottom, right, _), beside, corner = drawn(third)
    assert (beside[1], min(abs(beside[0] - right), abs(beside[2] - left))) == (bottom, 0)
    assert corner == (0, 0, 200, 70)


@pytest.mark.parametrize("side", [99_999_999, 10**9, 10**60])
def test_a_page_without_end_is_not_searched_to_its_end(signer: Pkcs12Signer, tmp_path: Path, side: int) -> None:
    def grows(writer: IncrementalPdfFileWriter) -> None:
        page = writer.root["/Pages"]["/Kids"][0]
        page[pdf_name("/MediaBox")] = ArrayObject(map(NumberObject, (0, 0, side, side)))
        writer.update_container(page)

    source, target = tmp_path / "source.pdf", tmp_path / "target.pdf"
    source.write_bytes(revised(paper(), grows))
    sign(Pades(stamp=Stamp()), source, target, signer)
    octets = target.read_bytes()
    assert placed(Stamp(), octets, PdfFileReader(BytesIO(octets))).page == 0
