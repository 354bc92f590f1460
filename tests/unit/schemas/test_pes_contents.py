"""A PES read as a stream: what is told of it, what is counted, and what is said of a file that cannot be read to its end."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from schemas.pes import parts
from schemas.pes.attachments import AttachmentUnreadable, agree, extract, recognised, sniffed
from schemas.pes.contents import read_contents
from schemas.pes.header import Header
from schemas.pes.parts import Event, Flaw
from schemas.pes.sample import Sample, write_sample
from schemas.xml import LONGEST_TOKEN

Kind = TypeVar("Kind")
_ROOT = (
    '<n:PES_Aller xmlns:n="http://www.minefi.gouv.fr/cp/helios/pes_v2/Rev0/aller" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
)
_TITRE = """<PES_RecetteAller><EnTeteRecette><IdVer V="2"/></EnTeteRecette><Bordereau Id="B7">
<BlocBordereau>
<Exer V="2026"/><IdBord V="7"/><TypBord V="02"/><NbrPce V="2"/><MtBordHt V="80.10"/><MtBordTVA V="1.00"/></BlocBordereau>
<Piece><BlocPiece><IdPce V="501"/><TypPce V="01"/><NatPce V="06"/><Edition V="01"/><ObjPce V="Cantine de février"/>
<PJRef><Support V="01"/><IdUnique V="PJ1"/><NomPJ V="avis.pdf"/></PJRef></BlocPiece>
<LigneDePiece><BlocLignePiece><InfoLignePiece>
<IdLigne V="1"/><Nature V="7067"/><TvaIntraCom V="1"/><MtHT V="80.10"/><MtTVA V="1.05"/>
<PJRef><Support V="02"/><IdUnique V="PJ2"/></PJRef></InfoLignePiece></BlocLignePiece>
<Tiers><InfoTiers><TypTiers V="01"/><Nom V="AUBRAC"/></InfoTiers><Adresse><Ville V="VALMORIN"/></Adresse></Tiers>
<Tiers><InfoTiers><TypTiers V="03"/><Nom V="LOZÈRE"/></InfoTiers>
<CpteBancaire><IBAN V="FR76"/></CpteBancaire></Tiers></LigneDePiece>
</Piece><ds:Signature><ds:SignedInfo/></ds:Signature></Bordereau></PES_RecetteAller>"""


def flow(body: str, *, encoding: str = "ISO-8859-1") -> bytes:
    header = (
        '<Enveloppe><Parametres><Version V="2"/><TypFic V="PESALR1"/><NomFic V="F1"/></Parametres>'
        '<Emetteur><Sigle V="ÉDITEUR"/><Adresse V="Logiciel 1"/></Emetteur><Recepteur><Sigle V="HELIOS"/></Recepteur></Enveloppe>'
        '<EnTetePES><DteStr V="2026-03-02"/><IdPost V="099012"/><IdColl V="21990001600011"/><CodCol V="123"/></EnTetePES>'
    )
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{_ROOT}{header}{body}</n:PES_Aller>'.encode(encoding)


def told(document: bytes, size: int = 97) -> list[Event]:
    return list(read_contents(document[at : at + size] for at in range(0, len(document), size)))


def of(kind: type[Kind], events: list[Event]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def pj(text: str, rest: str = '<IdUnique V="PJ1"/><NomPJ V="avis.pdf"/>') -> str:
    return f'<PES_PJ><PJ><Contenu><Fichier MIMEType="application/pdf">{text}</Fichier></Contenu>{rest}</PJ></PES_PJ>'


def packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, mtime=0)).decode("ascii")


def test_the_header_is_told_first_with_both_addresses_apart() -> None:
    events = told(flow(_TITRE))
    assert events[0] == Header(
        kind="pes-aller",
        version="2",
        typ_fic="PESALR1",
        nom_fic="F1",
        emetteur="ÉDITEUR",
        emetteur_adresse="Logiciel 1",
        recepteur="HELIOS",
        dte_str="2026-03-02",
        id_post="099012",
        id_coll="21990001600011",
        cod_col="123",
    )
    assert of(parts.Body, events) == [parts.Body("recette")]


def test_a_titre_is_told_before_its_lines_and_counted_after_them() -> None:
    events = told(flow(_TITRE))
    names = [type(event).__name__ for event in events[2:]]
    assert names == ["Bordereau", "Reference", "Piece", "Reference", "Line", "PieceEnd", "BordereauEnd", "FlowEnd"]
    (bordereau,) = of(parts.Bordereau, events)
    assert (bordereau.domain, bordereau.xml_id, bordereau.number, bordereau.kind, bordereau.nbr_pce) == (
        "recette",
        "B7",
        "7",
        "02",
        2,
    )
    assert (bordereau.ht, bordereau.tva, bordereau.cumul) == (Decimal("80.10"), Decimal("1.00"), None)
    (end,) = of(parts.BordereauEnd, events)
    assert end == parts.BordereauEnd(1, signed=True, sums=parts.Sums(1, 1, Decimal("80.10"), Decimal("1.05")))
    (piece,) = of(parts.Piece, events)
    assert (piece.number, piece.subject, piece.more) == ("501", "Cantine de février", {"Edition": "01"})


def test_a_line_keeps_its_people_apart_and_takes_no_yes_or_no_for_a_tax() -> None:
    (line,) = of(parts.Line, told(flow(_TITRE)))
    assert (line.piece, line.ht, line.tva) == (1, Decimal("80.10"), Decimal("1.05"))
    assert [one.values["Nom"] for one in line.third_parties] == ["AUBRAC", "LOZÈRE"]
    assert line.third_parties[1].accounts == ({"IBAN": "FR76"},)
    assert "Nom" not in line.values


def test_references_of_a_piece_and_of_a_line_say_which_is_which() -> None:
    first, second = of(parts.Reference, told(flow(_TITRE)))
    assert (first.piece, first.line, first.unique_id, first.name) == (1, 0, "PJ1", "avis.pdf")
    assert (second.piece, second.line, second.unique_id, second.support) == (1, 1, "PJ2", "02")


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_an_attachment_is_placed_and_recognised_whatever_the_pieces_of_the_file(size: int) -> None:
    text = packed(b"%PDF-1.4 " + bytes(range(256)) * 20)
    document = flow(pj("\n".join(text[at : at + 76] for at in range(0, len(text), 76))))
    (found,) = of(parts.Attachment, told(document, size))
    assert (found.unique_id, found.name, found.declared) == ("PJ1", "avis.pdf", "application/pdf")
    assert (found.found.packing, found.found.media_type) == ("gzip", "application/pdf")
    assert document[found.start : found.end].split() == [text[at : at + 76].encode() for at in range(0, len(text), 76)]


@pytest.mark.parametrize(
    ("text", "packing", "media_type"),
    [
        ("", "empty", None),
        (" \n ", "empty", None),
        (base64.b64encode(b"%PDF-1.7").decode(), "bare", "application/pdf"),
        ("@@@@", "broken", None),
        (packed(b"\x89PNG\r\n\x1a\n..."), "gzip", "image/png"),
    ],
)
def test_an_attachment_that_is_not_as_the_protocol_wants_is_told_so(text: str, packing: str, media_type: str | None) -> None:
    (found,) = of(parts.Attachment, told(flow(pj(text))))
    assert (found.found.packing, found.found.media_type) == (packing, media_type)


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_the_text_of_an_attachment_is_found_however_it_is_written(size: int, tmp_path: Path) -> None:
    content = b"%PDF-1.4 " + bytes(range(256)) * 20
    text = packed(content)
    for written in (f"<![CDATA[{text}]]>", f"<!-- x --> \n<![CDATA[{text[:9]}]]>{text[9:]}", f"&#{ord(text[0])};{text[1:]}<?y?>"):
        document = flow(pj(written))
        (found,) = of(parts.Attachment, told(document, size))
        assert (found.found.packing, found.found.media_type) == ("gzip", "application/pdf")
        extract(pieces(document[found.start : found.end]), tmp_path / "pj", 1 << 20)
        assert (tmp_path / "pj").read_bytes() == content


def test_an_attachment_outside_its_block_is_found_and_is_a_flaw() -> None:
    body = f"<PES_PJ/>{pj(packed(b'a')).removeprefix('<PES_PJ>').removesuffix('</PES_PJ>')}"
    events = told(flow(body))
    assert [flaw.code for flaw in of(Flaw, events)] == ["stray"]
    assert len(of(parts.Attachment, events)) == 1


def test_a_file_cut_short_gives_what_stands_before_the_cut() -> None:
    document = flow(_TITRE)
    events = told(document[: document.index(b"</Piece>")])
    assert len(of(parts.Line, events)) == 1
    assert isinstance(events[-1], Flaw)
    assert events[-1].code == "malformed"
    assert not of(parts.FlowEnd, events)


def test_nothing_of_a_file_with_a_doctype_is_read() -> None:
    document = flow(_TITRE).replace(b"?>\n", b'?>\n<!DOCTYPE x [<!ENTITY a "b">]>\n', 1)
    assert [(type(event), getattr(event, "code", "")) for event in told(document)] == [(Flaw, "doctype")]


def test_a_document_is_read_no_further_than_a_tag_or_comment_out_of_all_proportion() -> None:
    document = flow(f"<PES_DepenseAller><Bordereau/><!--{'x' * 2 * LONGEST_TOKEN}--><Bordereau/></PES_DepenseAller>")
    events = told(document, 1 << 16)
    (flaw,) = of(parts.Flaw, events)
    assert (flaw.code, flaw.line, len(of(parts.Bordereau, events))) == ("malformed", 2, 1)


def test_an_old_version_an_unknown_root_and_an_unknown_encoding_are_flaws() -> None:
    assert [flaw.code for flaw in of(Flaw, told(flow(_TITRE.replace('IdVer V="2"', 'IdVer V="1"'))))] == ["version"]
    assert [flaw.code for flaw in of(Flaw, told(b"<autre/>"))] == ["root"]
    assert [flaw.code for flaw in of(Flaw, told(b'<?xml version="1.0" encoding="x-martien"?><a/>'))] == ["malformed"]
    assert [flaw.code for flaw in of(Flaw, told(b""))] == ["malformed"]


def test_an_element_with_too_many_values_or_levels_is_cut_and_told() -> None:
    many = "".join(f'<V{rank} V="1"/>' for rank in range(500))
    events = told(flow(_TITRE.replace("<BlocLignePiece>", f"<BlocLignePiece>{many}", 1)))
    assert [flaw.code for flaw in of(Flaw, events)] == ["shortened"]
    deep = told(flow("<a>" * 300 + "</a>" * 300))
    assert [flaw.code for flaw in of(Flaw, deep)] == ["malformed"]


def test_a_flow_of_any_size_is_read_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "pes.xml"
    write_sample(Sample("GRAND", pieces=300, lines=10, attachment_size=4_000_000), path)

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 16):
                yield chunk

    tracemalloc.start()
    counted = sum(isinstance(event, parts.Line) for event in read_contents(chunks()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted == 3_000
    assert peak < 1_500_000


def pieces(text: bytes, size: int = 997) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


@pytest.mark.parametrize(("content", "size"), [(b"%PDF-1.4 du texte", 1), (b"x" * 200_000, 5), (bytes(range(256)) * 300, 997)])
def test_an_attachment_is_taken_out_as_it_was_put_in(tmp_path: Path, content: bytes, size: int) -> None:
    target = tmp_path / "pj"
    for text in (packed(content), base64.b64encode(content).decode()):
        spaced = "\r\n".join(text[at : at + 60] for at in range(0, len(text), 60)).encode()
        for written in (spaced, b"<![CDATA[" + spaced + b"]]>", b"&#%d;<!-- x -->" % spaced[0] + spaced[1:]):
            found = extract(pieces(written, size), target, 1 << 20)
            assert (target.read_bytes(), found.size, found.media_type) == (content, len(content), sniffed(content[:2048]))


@pytest.mark.parametrize("size", [1, 5, 997])
def test_all_members_of_a_gzip_are_taken_out_and_what_is_none_is_passed_over(tmp_path: Path, size: int) -> None:
    lengths = set()
    for first in (b"%PDF-1.4 un", b"%PDF-1.4 une", b"%PDF-1.4 unes"):
        members = gzip.compress(first, mtime=0) + gzip.compress(b" et deux", mtime=0)
        lengths.add(len(gzip.compress(first, mtime=0)) % 3)
        for after in (b"", b"\x00" * 16, b"\x1f", b"reste"):
            text = base64.b64encode(members + after)
            extract(pieces(text, size), tmp_path / "pj", 1 << 20)
            assert (tmp_path / "pj").read_bytes() == first + b" et deux"
    assert lengths == {0, 1, 2}  # the next member begins anywhere in what four characters hold


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"   ",
        b"A",
        b"AAA<",
        b"&amp;",
        b"AAAA<x/>",
        b"AAAA]]>",
        packed(b"entier")[:-8].encode(),
        base64.b64encode(b"\x1f\x8b" + b"\x00" * 40),
        packed(bytes(3 << 20)).encode(),
    ],
)
def test_an_attachment_that_is_empty_broken_or_a_bomb_is_refused_in_words_and_leaves_no_file(tmp_path: Path, text: bytes) -> None:
    target = tmp_path / "pj"
    with pytest.raises(AttachmentUnreadable, match="pièce justificative"):
        extract(pieces(text), target, 1 << 20)
    assert not target.exists()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7", "application/pdf"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"II*\x00", "image/tiff"),
        (b"PK\x03\x04", "application/zip"),
        (b"\xef\xbb\xbf <?xml", "application/xml"),
        (b"<html><script>", "application/xml"),
        (b"bonjour\r\n", "text/plain"),
        (b"\r\n%PDF-1.7", "application/pdf"),
        (b"\x1f\x8b\x08", "application/gzip"),
        (b"MZ\x90\x00", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_what_a_document_is_comes_from_its_octets(head: bytes, kind: str) -> None:
    assert sniffed(head) == kind


def test_the_declared_type_may_be_that_of_what_a_container_holds() -> None:
    assert agree("application/vnd.oasis.opendocument.text", "application/zip")
    assert agree("text/xml; charset=UTF-8", "application/xml")
    assert agree(None, "application/pdf")
    assert agree("application/octet-stream", "application/pdf")
    assert agree("image/pjpeg", "image/jpeg")
    assert agree("image/svg+xml", "application/xml")
    assert not agree("image/svg+xml", "image/png")
    assert not agree("application/pdf", "image/png")
    assert not agree("application/pdf", "text/plain")
    assert not agree("image/png; x=1", "application/octet-stream")
    assert agree("application/vnd.ms-excel", "application/octet-stream")


def test_a_head_is_recognised_from_its_first_characters_alone() -> None:
    text = packed(b"%PDF-1.4" + bytes(range(256)) * 400)
    assert recognised(text[:200]).media_type == "application/pdf"
