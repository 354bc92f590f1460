"""The seal: whatever changes what is read is found, whatever changes the layout alone is not, and our own seals hold."""

from __future__ import annotations

import hashlib
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from core.errors import Conflict, UsageError
from schemas.budget.canonical import Canonical, Fingerprints
from schemas.budget.events import Excessive, Name, walk
from schemas.budget.seal import Form, SealStatus, check_seal, seal
from schemas.xml import DoctypeRefused, Malformed
from tests.unit.schemas_budget.samples import octets, unsealed

AT = datetime(2026, 4, 1, 8, 0, tzinfo=UTC)


def status(folder: Path, content: bytes) -> SealStatus:
    path = folder / "checked.xml"
    path.write_bytes(content)
    return check_seal(path)


def meaning(content: bytes) -> list[tuple[str, object]]:
    """What another parser reads: elements, attributes and text that is more than layout, the date of the seal aside."""
    told: list[tuple[str, object]] = []
    for event, element in ET.iterparse(io.BytesIO(content), ["start", "end"]):
        if event == "start":
            attributes = dict(element.attrib)
            if element.tag.endswith("}Scellement"):
                attributes = {name: attributes.get(name, "").upper() for name in ("md5", "sha1")}
            told.append((element.tag, attributes))
        else:
            texts = (element.text or "", *((child.tail or "") for child in element))
            leaf = len(element) == 0
            told.append(("end", [text if leaf else text.strip(" \t\r\n") and text for text in texts]))
    return told


def test_the_sample_is_sealed_in_both_forms(tmp_path: Path) -> None:
    found = status(tmp_path, octets(tmp_path))
    assert found.form is Form.AS_IS
    assert found.indented == found.as_is
    assert found.rematerialised
    assert found.seal is not None
    assert found.seal.sealed_at == AT


def test_a_flipped_bit_in_any_octet_of_a_sealed_file_is_found_unless_nothing_of_what_is_read_changed(tmp_path: Path) -> None:
    content = octets(tmp_path)
    original, unseen = meaning(content), []
    for at in range(len(content)):
        flipped = content[:at] + bytes([content[at] ^ 1 << (at * 5) % 8]) + content[at + 1 :]
        try:
            found = status(tmp_path, flipped)
        except (Malformed, DoctypeRefused, Excessive):
            continue
        if found.form is not None:
            unseen.append(at)
            assert meaning(flipped) == original, content[at - 10 : at + 10]
    seal = re.search(rb"<Scellement[^>]*>", content)
    assert seal is not None  # its date is not protected, and the case of its digits does not matter
    declaration = range(content.index(b"?>"))
    assert [at for at in unseen if at not in declaration and not seal.start() <= at < seal.end()] == []


def test_what_hides_inside_a_seal_is_refused_since_no_fingerprint_covers_it(tmp_path: Path) -> None:
    content = octets(tmp_path)
    for hidden in (b"text", b"<Budget/>", b'<x xmlns="urn:x"/>'):
        found = status(tmp_path, re.sub(rb"(<Scellement[^>]*)/>", rb"\1>" + hidden + b"</Scellement>", content))
        assert found.seal is not None
        assert not found.seal.is_empty
        assert found.form is None
    assert status(tmp_path, re.sub(rb"(<Scellement[^>]*)/>", rb"\1>\n</Scellement>", content)).form is Form.AS_IS


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'V="01"', b'V="02"'),
        (b"<Budget>", b"<Budget> x"),
        (b'<MtPrev V="1000.00"/>', b""),
        (b'<MtPrev V="1000.00"/>', b'<MtPrev V="1000.00" a="b"/>'),
        (b"</DocumentBudgetaire>", b"<?added here?></DocumentBudgetaire>"),
        (b"</DocumentBudgetaire>", b"</DocumentBudgetaire><?added here?>"),
        (b'xmlns="http', b'xmlns:x="urn:x" xmlns="http'),
    ],
    ids=["code", "text", "element", "attribute", "instruction", "instruction-after", "namespace"],
)
def test_a_change_of_content_breaks_the_seal(tmp_path: Path, was: bytes, becomes: bytes) -> None:
    content = octets(tmp_path)
    changed = content.replace(was, becomes, 1)
    assert changed != content
    found = status(tmp_path, changed)
    assert found.form is None
    assert not found.seal_damaged


def test_text_slipped_in_right_after_the_seal_breaks_it(tmp_path: Path) -> None:
    content = octets(tmp_path)
    assert status(tmp_path, re.sub(rb"(<Scellement[^>]*>)\n", rb"\1 x\n", content)).form is None
    assert status(tmp_path, re.sub(rb"(<Scellement[^>]*>)", rb"\1&#160;", content)).form is None


def test_a_minified_but_intact_file_is_accepted_by_its_reindented_form_alone(tmp_path: Path) -> None:
    found = status(tmp_path, re.sub(rb">\s+<", b"><", octets(tmp_path)))
    assert found.form is Form.INDENTED
    assert found.as_is != found.indented


@pytest.mark.parametrize("indentation", [b"\t", b" ", b"       "], ids=["tabs", "one", "seven"])
def test_another_indentation_is_accepted(tmp_path: Path, indentation: bytes) -> None:
    content = octets(tmp_path).replace(b"   ", indentation)
    assert status(tmp_path, content).form is Form.INDENTED


def test_line_ends_of_another_system_are_the_same_document(tmp_path: Path) -> None:
    content = octets(tmp_path)
    assert status(tmp_path, content.replace(b"\n", b"\r\n")).form is Form.AS_IS
    assert status(tmp_path, content.replace(b"\n", b"\r")).form is Form.AS_IS


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8-SIG", "UTF-16", "windows-1252", "ISO-8859-15"])
def test_another_encoding_is_the_same_document(tmp_path: Path, encoding: str) -> None:
    text = octets(tmp_path).decode("iso-8859-1").replace("ISO-8859-1", encoding.removesuffix("-SIG"))
    assert "LÈS-BAINS" in text
    assert status(tmp_path, text.encode(encoding)).form is Form.AS_IS


def test_octets_of_one_encoding_under_the_label_of_another_are_found(tmp_path: Path) -> None:
    text = octets(tmp_path).decode("iso-8859-1")
    assert status(tmp_path, text.encode("utf-8")).form is None
    with pytest.raises(Malformed):
        status(tmp_path, text.replace("ISO-8859-1", "UTF-8").encode("iso-8859-1"))


def test_a_seal_of_lower_case_is_right(tmp_path: Path) -> None:
    content = re.sub(rb'(md5|sha1)="([0-9A-F]+)"', lambda match: match[1] + b'="' + match[2].lower() + b'"', octets(tmp_path))
    assert status(tmp_path, content).form is Form.AS_IS


@pytest.mark.parametrize("fingerprint", [b"md5", b"sha1"])
def test_both_fingerprints_count_and_one_that_holds_tells_that_the_seal_was_damaged(tmp_path: Path, fingerprint: bytes) -> None:
    content = re.sub(rb"(" + fingerprint + rb'=")....', rb"\1AAAA", octets(tmp_path))
    found = status(tmp_path, content)
    assert found.form is None
    assert found.seal_damaged
    absent = re.sub(rb" " + fingerprint + rb'="[^"]*"', b"", octets(tmp_path))
    assert status(tmp_path, absent).form is None


def test_a_prefix_for_the_namespace_is_sealed_and_checked_alike(tmp_path: Path) -> None:
    content = unsealed(tmp_path).replace(b"xmlns=", b"xmlns:d=")
    prefixed = re.sub(rb"<(/?)(\w)", rb"<\1d:\2", content)
    source, target = tmp_path / "prefixed.xml", tmp_path / "sealed.xml"
    source.write_bytes(prefixed)
    seal(source, target, at=AT)
    assert b"<d:Scellement " in target.read_bytes()
    assert check_seal(target).form is Form.AS_IS
    assert status(tmp_path, target.read_bytes().replace(b'V="01"', b'V="02"')).form is None


def test_a_seal_is_found_anywhere_and_covers_the_whole_document(tmp_path: Path) -> None:
    inner = unsealed(tmp_path).partition(b"\n")[2]
    cfu = b'<c:CompteFinancierUnique xmlns:c="http://www.minefi.gouv.fr/cp/demat/doccfu">\n <c:Note> n </c:Note> \n' + inner
    source, target = tmp_path / "cfu.xml", tmp_path / "sealed.xml"
    source.write_bytes(b'<?xml version="1.0" encoding="ISO-8859-1"?>' + cfu + b"</c:CompteFinancierUnique>")
    seal(source, target, at=AT)
    assert check_seal(target).form is Form.INDENTED
    assert status(tmp_path, target.read_bytes().replace(b"> n <", b"> m <")).form is None


def test_a_seal_of_the_document_as_it_stands_is_right_though_its_layout_is_odd(tmp_path: Path) -> None:
    odd = unsealed(tmp_path).replace(b"<Budget>", b"<Budget> ")
    prints = status(tmp_path, odd).as_is
    tag = f'<Scellement md5="{prints.md5}" sha1="{prints.sha1}" date="2026-04-01T10:00:00"/>\n   <EnTeteDocBudgetaire>'
    found = status(tmp_path, odd.replace(b"<EnTeteDocBudgetaire>", tag.encode()))
    assert found.form is Form.AS_IS
    assert found.as_is != found.indented


def test_an_element_of_that_name_in_another_namespace_is_no_seal(tmp_path: Path) -> None:
    content = unsealed(tmp_path).replace(b"<Budget>", b'<Budget><Scellement xmlns="urn:other" md5="" sha1="" date=""/>')
    assert status(tmp_path, content).seals == ()


def test_what_is_sealed_is_not_sealed_again_and_what_is_not_ready_is_not_sealed(tmp_path: Path) -> None:
    source, target = tmp_path / "source.xml", tmp_path / "target.xml"
    source.write_bytes(octets(tmp_path))
    with pytest.raises(Conflict, match="déjà scellé"):
        seal(source, target, at=AT)
    source.write_bytes(unsealed(tmp_path, rematerialised=False))
    with pytest.raises(UsageError, match="DSC_COMMON"):
        seal(source, target, at=AT)
    source.write_bytes(re.sub(rb"<EnTeteDoc.*</EnTeteDocBudgetaire>", b"", unsealed(tmp_path), flags=re.DOTALL))
    with pytest.raises(UsageError, match="en-tête"):
        seal(source, target, at=AT)
    text = unsealed(tmp_path).decode("iso-8859-1").replace("ISO-8859-1", "UTF-16")
    source.write_text(text, encoding="utf-16")
    with pytest.raises(UsageError, match="encodage"):
        seal(source, target, at=AT)
    assert not target.exists()


def test_sealing_adds_the_seal_and_changes_nothing_else(tmp_path: Path) -> None:
    source, target = tmp_path / "source.xml", tmp_path / "target.xml"
    for content in (unsealed(tmp_path), re.sub(rb">\s+<", b"><", unsealed(tmp_path))):
        source.write_bytes(content)
        prints = seal(source, target, at=AT)
        assert re.sub(rb"<Scellement[^>]*>\s*", b"", target.read_bytes()) == content
        found = check_seal(target)
        assert found.seal is not None
        assert found.seal.fingerprints == prints
        assert found.form is not None


NAMES = st.sampled_from(["a", "b", "p:a", "p:b", "d"])
BLANKS = st.text(" \t\n", max_size=3)
TEXTS = st.text("aé <&>\"'\t\n\r\u00a0", max_size=6)


def _written(text: str) -> str:
    return "".join({"<": "&lt;", "&": "&amp;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}.get(sign, sign) for sign in text)


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(NAMES)
    declared = "".join(
        f' xmlns{which}="{uri}"'
        for which, uri in draw(
            st.dictionaries(st.sampled_from(["", ":p", ":q"]), st.sampled_from(["urn:1", "urn:2"]), max_size=2)
        ).items()
    )
    attributes = "".join(
        f' {key}="{_written(value)}"'
        for key, value in draw(st.dictionaries(st.sampled_from(["x", "V", "p:x", "xml:lang"]), TEXTS, max_size=3)).items()
    )
    children = draw(st.lists(elements(depth - 1), max_size=3)) if depth else []
    inner = "".join(draw(BLANKS) + child for child in children) + draw(st.one_of(BLANKS, TEXTS.map(_written)))
    extra = draw(st.sampled_from(["", "", "<?pi some data?>", "<?pi?>", "<![CDATA[ <x> ]]>", "<!-- said -->"]))
    return f"<{name}{declared}{attributes}>{inner}{extra}</{name}>" if inner or extra else f"<{name}{declared}{attributes}/>"


@settings(max_examples=150, deadline=None)
@given(body=elements())
def test_the_canonical_form_is_that_of_libxml2(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    content = f'<?before it?><!-- c --><r xmlns:p="urn:p">{body}</r><?after it?>'.encode()
    path = tmp_path_factory.getbasetemp() / "canonical.xml"
    path.write_bytes(content)
    canonical = Canonical(removed=Name("urn:none", "none", "none"))
    walk(path, [canonical])
    tree = etree.ElementTree(etree.fromstring(content))
    theirs = etree.tostring(tree, method="c14n", with_comments=False)
    assert canonical.as_is == Fingerprints(hashlib.md5(theirs).hexdigest().upper(), hashlib.sha1(theirs).hexdigest().upper())


@settings(max_examples=150, deadline=None)
@given(body=elements())
def test_the_indented_form_is_that_of_libxml2(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    """But for two habits of libxml2: a no-break space alone counts as blank there, and blanks before a CDATA section go."""
    content = f'<r xmlns:p="urn:p">{body}</r>'.replace("\u00a0", "_").replace("<![CDATA[ <x> ]]>", "").encode()
    path = tmp_path_factory.getbasetemp() / "indented.xml"
    path.write_bytes(content)
    canonical = Canonical(removed=Name("urn:none", "none", "none"))
    walk(path, [canonical])
    tree = etree.ElementTree(etree.fromstring(content, etree.XMLParser(remove_blank_text=True)))
    etree.indent(tree, "   ")
    theirs = etree.tostring(tree, method="c14n", with_comments=False)
    assert canonical.indented.sha1 == hashlib.sha1(theirs).hexdigest().upper()
