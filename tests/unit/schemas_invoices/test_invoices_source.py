"""Reading XML of strangers: the same tree as another parser, attachments beside, and nothing out of proportion."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from schemas.invoices.cii_writing import cii_of
from schemas.invoices.opening import opened
from schemas.invoices.sample import sample
from schemas.invoices.source import BOUNDS, PLACEHOLDER, Excessive, Source, path_of, read
from schemas.xml import DoctypeRefused, Malformed
from tests.unit.schemas_invoices.documents import PDF, UBL, facts, piece, pivot, zipped


def read_octets(octets: bytes, folder: Path, **bounds: int) -> Source:
    path = folder / "invoice.xml"
    path.write_bytes(octets)
    pieces = folder / "pieces"
    pieces.mkdir()
    return read(path, pieces, replace(BOUNDS, **bounds))


@pytest.mark.parametrize("octets", [cii_of(sample()), UBL.encode()], ids=["cii", "ubl"])
def test_the_tree_is_that_of_another_parser_but_for_attachments(octets: bytes, tmp_path: Path) -> None:
    theirs = etree.fromstring(octets, etree.XMLParser(remove_comments=True, remove_pis=True))
    for content in theirs.iter("{*}EmbeddedDocumentBinaryObject"):
        content.text = PLACEHOLDER
    ours = read_octets(octets, tmp_path).tree
    assert etree.tostring(ours, method="c14n") == etree.tostring(theirs, method="c14n")
    assert [element.sourceline for element in ours.iter()][1:] == [element.sourceline for element in theirs.iter()][1:]


def test_mixed_text_comments_and_sections_stay_in_their_place(tmp_path: Path) -> None:
    octets = b"<a>one<!-- two --><b>three</b><![CDATA[<four>]]>&amp;<c/>five<?six?></a>"
    assert etree.tostring(read_octets(octets, tmp_path).tree) == b"<a>one<b>three</b>&lt;four&gt;&amp;<c/>five</a>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-15", "windows-1252"])
def test_encodings_that_suppliers_use_are_read(encoding: str, tmp_path: Path) -> None:
    declared = encoding.removesuffix("-sig")
    octets = f'<?xml version="1.0" encoding="{declared}"?><a>Éœ€</a>'.encode(encoding)
    assert read_octets(octets, tmp_path).tree.getroot().text == "Éœ€"


def test_an_attachment_is_a_file_beside_and_its_element_knows_it(tmp_path: Path) -> None:
    source = read_octets(UBL.encode(), tmp_path)
    (found,) = source.pieces
    assert found.path is not None
    assert found.path.read_bytes() == b"%PDF-1.7"
    assert (found.size, found.media_type, found.zipped, found.flaw, found.line) == (8, "application/pdf", False, None, 21)
    (element,) = source.tree.iter("{*}EmbeddedDocumentBinaryObject")
    assert (element.text, source.rank(element)) == (PLACEHOLDER, 0)
    assert source.rank(source.tree.getroot()) is None


def test_an_attachment_of_many_megabytes_takes_no_room_in_the_tree(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000
    source = read_octets(pivot(facts() + piece(base64.encodebytes(content).decode())), tmp_path, text=2_000)
    (found,) = source.pieces
    assert found.path is not None
    assert found.path.read_bytes() == content


def test_a_zip_of_one_file_is_taken_out_and_a_zip_of_two_is_the_document(tmp_path: Path) -> None:
    several = zipped(a=b"1", b=b"2")
    units = facts() + piece(zipped(**{"F.pdf": PDF})) + piece(several)
    alone, together = read_octets(pivot(units), tmp_path).pieces
    assert alone.path is not None and together.path is not None
    assert (alone.path.read_bytes(), alone.zipped, alone.media_type) == (PDF, True, "application/pdf")
    assert (together.path.read_bytes(), together.zipped, together.media_type) == (several, False, "application/zip")


LAUGHS = (
    '<!DOCTYPE a [<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12)) + "]><a>&l11;</a>"
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'
REMOTE = '<!DOCTYPE a PUBLIC "-//X" "http://192.0.2.1/a.dtd"><a/>'


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, REMOTE, "\n\n<!DOCTYPE a><a/>"], ids=["laughs", "external", "remote", "bare"])
def test_a_doctype_is_refused_before_anything_is_expanded(text: str, tmp_path: Path) -> None:
    with pytest.raises(DoctypeRefused) as refused:
        read_octets(text.encode(), tmp_path)
    assert refused.value.line == text.count("\n") + 1


@pytest.mark.parametrize(
    ("what", "octets", "bounds"),
    [
        ("token", b'<a b="' + b"x" * (3 << 20) + b'"/>', {}),
        ("token", b"<a><!--" + b"x" * (3 << 20) + b"--></a>", {}),
        ("text", b'<a b="' + b"x" * 500 + b'"/>', {"text": 400}),
        ("text", b"<a>" + b"x" * 500 + b"</a>", {"text": 400}),
        ("elements", b"<a>" + b"<b/>" * 500 + b"</a>", {"elements": 400}),
        ("depth", b"<a>" * 100 + b"</a>" * 100, {}),
        ("pieces", b"<a>" + b"<Contenu/>" * 20 + b"</a>", {"pieces": 10}),
    ],
    ids=["attribute", "comment", "attributes", "text", "elements", "depth", "pieces"],
)
def test_what_is_out_of_proportion_is_refused(what: str, octets: bytes, bounds: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(Excessive) as refused:
        read_octets(octets, tmp_path, **bounds)
    assert refused.value.what == what


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<a>",
        b"<a></b>",
        b"words",
        b"<a>\x01</a>",
        b"<p:a/>",
        b'<?xml version="1.0" encoding="klingon"?><a/>',
        b"<a>\xe9</a>",
    ],
    ids=["empty", "cut", "crossed", "words", "control", "prefix", "encoding", "octets"],
)
def test_what_is_not_well_formed_says_where(octets: bytes, tmp_path: Path) -> None:
    with pytest.raises(Malformed) as refused:
        read_octets(octets, tmp_path)
    assert refused.value.line == 1


def test_a_file_cut_in_an_attachment_leaves_no_open_file(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        read_octets(b"<a><Contenu>QUFB", tmp_path)
    held = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not [name for name in held if name.startswith(str(tmp_path))]


def test_a_place_is_told_with_the_names_of_the_document(tmp_path: Path) -> None:
    tree = read_octets(b'<a xmlns="urn:x" xmlns:p="urn:y"><p:b/><c/><c><d/></c></a>', tmp_path).tree
    assert [path_of(element) for element in tree.iter()] == ["/a", "/a/p:b", "/a/c[1]", "/a/c[2]", "/a/c[2]/d"]


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        pytest.param('<?xml version="1.0"?>\n<a>é</a>'.encode("latin-1"), "UTF-8", id="latin_said_to_be_utf_8"),
        pytest.param('<?xml version="1.0" encoding="US-ASCII"?>\n<a>é</a>'.encode(), "US-ASCII", id="more_than_ascii"),
        pytest.param("<?xml version='1.0' encoding='UTF-16'?>\n<a>&</a>".encode("utf-16"), "un caractère qui", id="utf_16"),
        pytest.param(b"<a>\nA & B</a>", "un caractère qui", id="a_bare_ampersand"),
        pytest.param(b"<a>\n<b></c></a>", "une balise qui ferme", id="tags_that_cross"),
        pytest.param(b"<a>\n<b>", "la fin du fichier", id="cut"),
        pytest.param(b"<a/>\n<b/>", "après la fin de la facture", id="more_than_one_root"),
        pytest.param(b"\n<?xml version='1.0'?><a/>", "une déclaration XML", id="a_line_before_the_declaration"),
        pytest.param(b"<a>\n&eacute;</a>", "une entité", id="an_entity_of_html"),
        pytest.param(b"<a>\n<x:b/></a>", "un préfixe", id="a_prefix_of_nothing"),
        pytest.param(b"<a>\n<b c='1' c='2'/></a>", "deux fois", id="an_attribute_twice"),
    ],
)
def test_why_a_file_is_not_well_formed_is_said_in_words(octets: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "invoice.xml"
    path.write_bytes(octets)
    source, (told,) = opened(path, tmp_path, 1000)
    assert source is None
    assert told.rule == "XML"
    assert found in (told.found or "")
    assert told.line == 2
    assert told.mend
