"""Signed documents, broken in every way that comes to mind: none is valid unless what is signed is as it was.

What is signed is read here by other means than those of the verifiers, from the definition of each format:

- CMS, CAdES, timestamps: the content inside, the signed attributes, the value, the certificate that the signature names;
- ASiC: the same, with every data file by name and content, and the manifest;
- PAdES: the octets that the byte range covers, the message in its gap as above, and whatever follows the range;
- XAdES: the canonical form of the document without its signature (detached: of SignedInfo), the signed properties, value and
  certificate;
- PES: the canonical form of each signed element without its signature, its signed properties, value and certificate. What stands
  outside the bordereaux is not signed there, hence may change.

Whatever else was changed (white space of a PEM, unsigned attributes, the order of a zip) is then known to be harmless.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms, tsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    Reference,
    StreamObject,
    TextStringObject,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from reportlab.pdfgen.canvas import Canvas

from core.errors import TabellionError
from schemas.pes.sample import Sample, write_sample
from signing.asic.seal import AsicE
from signing.cades.seal import Cades
from signing.keys import Pkcs12Signer
from signing.legs import sign
from signing.pades.seal import Pades
from signing.pes.envelope import SealContext
from signing.pes.seal import seal
from signing.timestamp.client import request
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from signing.verdicts import Belief
from signing.verification import verify
from signing.xades.seal import Xades, XadesDetached

DS = "http://www.w3.org/2000/09/xmldsig#"
READ = ("PES_DepenseAller", "PES_RecetteAller")
"""Where a bordereau is read: anywhere else it is none, and no PES (the schema refuses it)."""
DATA, OTHER_DATA = b"D\xc3\xa9lib\xc3\xa9ration no 12. " * 20, b"Arr\xc3\xaat\xc3\xa9 no 7. " * 20
EXAMPLES = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
Essence = Callable[[bytes], set[Any]]
"""Everything that is signed, each signature with what it covers."""


@dataclass(frozen=True, repr=False)
class Signed:
    """A document that we signed, and another by the same key to splice it with.

    Attributes:
        octets: what is broken.
        other: the other one.
        detached: the data, when they are elsewhere.
        essence: reads what is signed.
    """

    octets: bytes
    other: bytes
    detached: Path | None
    essence: Essence

    def __repr__(self) -> str:
        return f"Signed({len(self.octets)} octets)"


# ---- what is signed, read independently ----


def of_message(octets: bytes) -> set[Any]:
    if not octets.startswith(b"\x30"):
        octets = b"".join(map(_der, re.findall(rb"-----BEGIN PKCS7-----\s([A-Za-z0-9+/=\s]+)-----END PKCS7-----", octets)))
    signed = cms.ContentInfo.load(octets)["content"]
    return {_of_signer(signed, info) for info in signed["signer_infos"]}


def _der(text: bytes) -> bytes:
    return base64.b64decode(b"".join(text.split()))


def _of_signer(signed: cms.SignedData, info: cms.SignerInfo) -> tuple[Any, ...]:
    named = info["sid"].chosen.native
    certificates = [choice.chosen.dump() for choice in signed["certificates"] if _is_named(choice.chosen, named)]
    content = signed["encap_content_info"]["content"]
    return content.dump(), info["signed_attrs"].untag().dump(), info["signature"].native, frozenset(certificates)


def _is_named(certificate: cms.Certificate, named: Any) -> bool:
    try:
        return bool((certificate.issuer.native, certificate.serial_number) == (named["issuer"], named["serial_number"]))
    except ValueError:  # one that cannot be read is not the signer's
        return False


def of_reply(octets: bytes) -> set[Any]:
    return of_message(tsp.TimeStampResp.load(octets)["time_stamp_token"].dump())


def of_container(octets: bytes) -> set[Any]:
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    data = tuple(sorted((name, data) for name, data in files.items() if name != "mimetype" and not name.startswith("META-INF/")))
    manifests = frozenset(data for name, data in files.items() if "Manifest" in name)
    messages = frozenset(entry for name, data in files.items() if name.endswith(".p7s") for entry in of_message(data))
    return {(data, manifests, messages)}


def of_pdf(octets: bytes) -> set[Any]:
    found = set()
    for place in re.finditer(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]", octets):
        begin, length, after, rest = map(int, place.groups())
        covered = octets[begin : begin + length] + octets[after : after + rest]
        message = bytes.fromhex(octets[begin + length : after].strip().strip(b"<>").decode())
        found.add((covered, frozenset(of_message(message)), octets[after + rest :]))
    return found


def shown(octets: bytes) -> dict[Any, Any]:
    """Every object that the last revision of a PDF can show: all that its catalogue leads to, but for the version of PDF that it
    names. The document information (title, author) is not part of it: it stands beside the catalogue."""
    reader = PdfFileReader(io.BytesIO(octets))
    found: dict[Any, Any] = {}

    def read(held: Any) -> Any:
        if isinstance(held, IndirectObject):
            if held.idnum not in found:
                found[held.idnum] = None
                found[held.idnum] = read(held.get_object())
            return ("object", held.idnum)
        if isinstance(held, DictionaryObject):
            entries = {name: read(held.raw_get(name)) for name in held}
            return (entries, held.data) if isinstance(held, StreamObject) else entries
        return [read(held.raw_get(rank)) for rank in range(len(held))] if isinstance(held, ArrayObject) else str(held)

    catalogue = reader.root
    for name in set(catalogue) - {"/Version", "/Extensions"}:
        found[name] = read(catalogue.raw_get(name))
    return found


def of_pes(octets: bytes) -> set[Any]:
    root = etree.fromstring(octets, etree.XMLParser(resolve_entities=False, huge_tree=True))
    signed = {_of_element(signature) for signature in root.iter(f"{{{DS}}}Signature")}
    if root.find(f"{{{DS}}}Signature") is not None:
        return signed
    read = [bordereau for place in READ for bordereau in root.iterfind(f"{{*}}{place}/{{*}}Bordereau")]
    return signed | {canonical(bare) for bare in read if bare.find(f"{{{DS}}}Signature") is None}


def of_xml(octets: bytes) -> set[Any]:
    root = etree.fromstring(octets)
    signatures = [root] if root.tag == f"{{{DS}}}Signature" else list(root.iter(f"{{{DS}}}Signature"))
    return {_of_element(signature) for signature in signatures}


def _of_element(signature: etree._Element) -> tuple[Any, ...]:
    value = "".join(signature.findtext(f"{{{DS}}}SignatureValue", "").split())
    certificate = "".join(signature.findtext(f".//{{{DS}}}X509Certificate", "").split())
    properties = signature.find(".//{*}SignedProperties")
    signed_properties = b"" if properties is None else canonical(properties)
    parent = signature.getparent()
    if parent is None:  # a detached signature: what it is over is named by the digests
        info = signature.find(f"{{{DS}}}SignedInfo")
        assert info is not None
        return canonical(info), signed_properties, base64.b64decode(value), base64.b64decode(certificate)
    bare = copy.deepcopy(parent)
    for own in bare.findall(f"{{{DS}}}Signature"):
        cut(own)
    return canonical(bare), signed_properties, base64.b64decode(value), base64.b64decode(certificate)


def canonical(element: etree._Element) -> bytes:
    octets: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    return octets


def cut(element: etree._Element) -> None:
    """Take an element out and leave the text that follows it."""
    parent, before, tail = element.getparent(), element.getprevious(), element.tail or ""
    assert parent is not None
    if before is None:
        parent.text = (parent.text or "") + tail
    else:
        before.tail = (before.tail or "") + tail
    element.tail = None
    parent.remove(element)


# ---- ways of breaking ----


@st.composite
def broken_octets(draw: st.DrawFn, octets: bytes, other: bytes) -> bytes:
    """Octets flipped, put in, taken out, doubled, cut off, or joined with those of another file."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(octets) - 1, 0)))
        end = at + draw(st.one_of(st.integers(0, 8), st.integers(0, 600)))
        match draw(st.sampled_from(["flip", "replace", "insert", "delete", "double", "truncate", "splice", "armour"])):
            case "flip":
                octets = octets[:at] + bytes([octets[at] ^ 1 << draw(st.integers(0, 7))]) + octets[at + 1 :] if octets else b""
            case "replace":
                octets = octets[:at] + draw(st.binary(min_size=1, max_size=8)) + octets[end:]
            case "insert":
                octets = octets[:at] + draw(st.binary(min_size=1, max_size=40)) + octets[at:]
            case "delete":
                octets = octets[:at] + octets[end:]
            case "double":
                octets = octets[:end] + octets[at:]
            case "truncate":
                octets = octets[:at]
            case "splice":
                octets = octets[:at] + other[draw(st.integers(0, len(other))) :]
            case "armour":
                octets = draw(broken_base64(octets))
    return octets


@st.composite
def broken_base64(draw: st.DrawFn, octets: bytes) -> bytes:
    """A sign of a base64 text changed, dropped, or set aside by a space; its padding changed."""
    runs = [found.span() for found in re.finditer(rb"[A-Za-z0-9+/]{40,}={0,2}", octets)]
    if not runs:
        return octets
    begin, end = draw(st.sampled_from(runs))
    at = draw(st.one_of(st.integers(begin, end - 1), st.integers(max(begin, end - 4), end - 1)))
    put = draw(st.sampled_from([b"", b"=", b" ", b"\n", b"A", b"B", b"/", b"==", b"&#32;", b"\xe9", b"-"]))
    return octets[:at] + put + octets[at + draw(st.integers(0, 1)) :]


@st.composite
def broken_tree(draw: st.DrawFn, octets: bytes) -> bytes:
    """Elements moved, copied, taken out, renamed; attributes and texts changed; comments put in."""
    root = etree.fromstring(octets)
    for _ in range(draw(st.integers(1, 3))):
        elements = list(root.iter("*"))
        one, place = elements[draw(st.integers(0, len(elements) - 1))], elements[draw(st.integers(0, len(elements) - 1))]
        inside = one is place or one in place.iterancestors()
        match draw(st.sampled_from(["move", "copy", "swap", "delete", "attribute", "identifier", "text", "comment", "rename"])):
            case "move" if one is not root and not inside:
                cut(one)
                place.insert(draw(st.integers(0, len(place))), one)
            case "copy":
                place.insert(draw(st.integers(0, len(place))), copy.deepcopy(one))
            case "swap" if one is not root and not inside and place is not root and place not in one.iterancestors():
                mark = copy.deepcopy(one)
                place.getparent().replace(place, mark)  # type: ignore[union-attr]
                one.getparent().replace(one, place)  # type: ignore[union-attr]
            case "delete" if one is not root:
                cut(one)
            case "attribute":
                name = draw(st.sampled_from([*one.attrib, "V", "Id", "URI", "Algorithm"]))
                one.set(
                    name, draw(st.sampled_from(["", "x", "999999.00", "#BRD101", "#BRD102", "BRD102", "http://example.org/"]))
                )
            case "identifier" if "Id" in one.attrib:
                place.set("Id", one.attrib["Id"])
            case "text":
                one.text = draw(st.sampled_from(["", " ", "9", "Maire", f"{one.text or ''} ", f"0{one.text or ''}"]))
            case "comment":
                one.insert(
                    draw(st.integers(0, len(one))), draw(st.sampled_from([etree.Comment("x"), etree.ProcessingInstruction("x")]))
                )
            case "rename":
                one.tag = place.tag
    return etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True)


@st.composite
def broken_entries(draw: st.DrawFn, octets: bytes, other: bytes) -> bytes:
    """Files of a container changed, renamed, dropped, added, exchanged with those of another, written twice."""
    entries, others = _entries(octets), _entries(other)
    for _ in range(draw(st.integers(1, 3))):
        if not entries:
            break
        at, to = draw(st.integers(0, len(entries) - 1)), draw(st.integers(0, len(others) - 1))
        name, data = entries[at]
        names = [name for name, _ in entries] + ["a.txt", "META-INF/signature002.p7s", "META-INF/ASiCManifest2.xml", "../a.txt"]
        match draw(st.sampled_from(["octets", "rename", "drop", "add", "exchange", "append", "order"])):
            case "octets":
                entries[at] = name, draw(broken_octets(data, others[to][1]))
            case "rename":
                entries[at] = draw(st.sampled_from(names)), data
            case "drop":
                del entries[at]
            case "add":
                entries.insert(at, (draw(st.sampled_from(names)), draw(st.binary(max_size=20))))
            case "exchange":
                entries[at] = name, others[to][1]
            case "append":
                entries.append(others[to])
            case "order":
                entries.reverse()
    return _zipped(entries)


def _entries(octets: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(octets)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def _zipped(entries: list[tuple[str, bytes]]) -> bytes:
    octets = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(octets, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, data in entries:
            archive.writestr(name, data)
    return octets.getvalue()


@st.composite
def revised(draw: st.DrawFn, octets: bytes) -> bytes:
    """A PDF with one more revision, in which objects are written anew, changed."""
    document = IncrementalPdfFileWriter(io.BytesIO(octets))
    xrefs = document.prev.xrefs
    written = [xrefs.explicit_refs_in_revision(revision) for revision in range(xrefs.total_revisions)]
    numbers = sorted({reference.idnum for references in written for reference in references})
    for _ in range(draw(st.integers(1, 2))):
        reference = Reference(draw(st.sampled_from(numbers)), 0, document)
        held = document.get_object(reference)
        if isinstance(held, StreamObject):
            held._data = held.data + draw(st.sampled_from([b" ", b"\nBT ET", b"0 0 200 200 re f"]))
            held._encoded_data = None
        elif isinstance(held, DictionaryObject):
            name = draw(st.sampled_from([*held, "/Rotate", "/AA", "/Annots", "/MediaBox", "/OCProperties"]))
            held[NameObject(name)] = draw(
                st.sampled_from([NumberObject(90), ArrayObject(), TextStringObject("x"), DictionaryObject()])
            )
        document.mark_update(reference)
    output = io.BytesIO()
    document.write(output)
    return output.getvalue()


# ---- what is broken ----


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, signer: Pkcs12Signer, tsa: TsaSimulator) -> dict[str, Signed]:
    """One of each kind that we sign."""
    folder = tmp_path_factory.mktemp("signed")
    data, other = folder / "data", folder / "other"
    data.write_bytes(DATA)
    other.write_bytes(OTHER_DATA)

    def message(how: Cades, source: Path) -> bytes:
        sign(how, source, folder / "message", signer)
        return (folder / "message").read_bytes()

    def container(*contents: bytes) -> bytes:
        entries = [(f"pièce {rank}.txt", content) for rank, content in enumerate(contents)]
        (folder / "files.zip").write_bytes(_zipped(entries))
        sign(AsicE(), folder / "files.zip", folder / "container.asice", signer)
        return (folder / "container.asice").read_bytes()

    def flow(name: str, *, whole: bool) -> bytes:
        source, target = folder / f"{name}.xml", folder / f"{name}.signed.xml"
        write_sample(Sample(name, bordereaux=2, pieces=1, first_bordereau=101 if name == "ONE" else 201), source)
        seal(source, target, signer, SealContext(role="Maire", city="Saint-Exemple", postal_code="99000", whole=whole))
        return target.read_bytes()

    def tree(how: Xades | XadesDetached, source: Path) -> bytes:
        sign(how, source, folder / "signed.xml", signer)
        return (folder / "signed.xml").read_bytes()

    letters = [folder / "one.letter.xml", folder / "two.letter.xml"]
    for letter, text in zip(letters, ("Un <b>acte</b>", "Un <b>autre</b>"), strict=True):
        letter.write_text(f"<lettre Id='BRD101'><p V='1'>{text}</p><p V='2'/></lettre>", encoding="utf-8")

    def document(text: str) -> bytes:
        canvas = Canvas(str(folder / "document.pdf"), invariant=True)
        canvas.drawString(100, 700, text)
        canvas.save()
        sign(Pades(), folder / "document.pdf", folder / "signed.pdf", signer)
        return (folder / "signed.pdf").read_bytes()

    replies = [tsa.answer(request(hashlib.sha256(octets).digest(), nonce=7)) for octets in (DATA, OTHER_DATA)]
    tokens = [tsp.TimeStampResp.load(reply)["time_stamp_token"].dump() for reply in replies]
    return {
        "CAdES": Signed(message(Cades(), data), message(Cades(), other), data, of_message),
        "CAdES in PEM": Signed(message(Cades(pem=True), data), message(Cades(pem=True), other), data, of_message),
        "PAdES": Signed(document("Un texte"), document("Un autre"), None, of_pdf),
        "XAdES": Signed(tree(Xades(), letters[0]), tree(Xades(), letters[1]), None, of_xml),
        "detached XAdES": Signed(tree(XadesDetached(), data), tree(XadesDetached(), other), data, of_xml),
        "ASiC": Signed(container(DATA, b"annexe"), container(OTHER_DATA, b"annexe"), None, of_container),
        "PES": Signed(flow("ONE", whole=False), flow("TWO", whole=False), None, of_pes),
        "whole PES": Signed(flow("ONE", whole=True), flow("TWO", whole=True), None, of_pes),
        "token": Signed(tokens[0], tokens[1], data, of_message),
        "response": Signed(replies[0], replies[1], data, of_reply),
    }


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TsaSimulator]:
    simulator = TsaSimulator(tmp_path_factory.mktemp("tsa"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="module")
def believed(trust: TrustStore, tsa: TsaSimulator) -> TrustStore:
    return TrustStore.of([*trust.anchors, tsa.anchor])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


TREES = ("PES", "whole PES", "XAdES", "detached XAdES")
DETACHED = ("detached XAdES", "CAdES", "CAdES in PEM", "token", "response")
REFUSED = {"UnreadableInput", "MessageUnreadable", "TokenUnreadable", "ContainerUnreadable", "PdfUnreadable"}
KINDS = (*DETACHED, "PAdES", "ASiC", "PES", "whole PES", "XAdES")


def hold(one: Signed, octets: bytes, place: Path, believed: TrustStore) -> None:
    """Verify what was broken: refused, or else what is signed in it is what we signed."""
    path = place / "broken"
    path.write_bytes(octets)
    try:
        verdict = verify(path, detached=one.detached, trust=believed)
    except TabellionError:
        return
    if verdict.verdict is Belief.VALID:
        found = one.essence(octets)
        ours = one.essence(one.octets) | (set() if one.detached else one.essence(one.other))
        assert found
        assert found <= ours, found - ours


@pytest.mark.parametrize("kind", KINDS)
def test_as_it_was_signed_it_is_valid(signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str) -> None:
    one = signed[kind]
    (place / "broken").write_bytes(one.octets)
    assert verify(place / "broken", detached=one.detached, trust=believed).verdict is Belief.VALID
    assert one.essence(one.octets) != one.essence(one.other)


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(drawn=st.data())
def test_broken_octets_are_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    one = signed[kind]
    hold(one, drawn.draw(broken_octets(one.octets, one.other)), place, believed)


@pytest.mark.parametrize("kind", ["CAdES in PEM", *TREES])
@EXAMPLES
@given(drawn=st.data())
def test_broken_base64_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    hold(signed[kind], drawn.draw(broken_base64(signed[kind].octets)), place, believed)


@pytest.mark.parametrize("kind", TREES)
@EXAMPLES
@given(drawn=st.data())
def test_a_broken_tree_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    hold(signed[kind], drawn.draw(broken_tree(signed[kind].octets)), place, believed)


@EXAMPLES
@given(drawn=st.data())
def test_a_container_with_broken_entries_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, drawn: st.DataObject
) -> None:
    one = signed["ASiC"]
    hold(one, drawn.draw(broken_entries(one.octets, one.other)), place, believed)


@EXAMPLES
@given(drawn=st.data())
def test_a_document_revised_after_its_signature_is_never_valid(
    signed: dict[str, Signed], place: Path, believed: TrustStore, drawn: st.DataObject
) -> None:
    octets = drawn.draw(revised(signed["PAdES"].octets))
    (place / "revised").write_bytes(octets)
    try:
        verdict = verify(place / "revised", trust=believed)
    except TabellionError:
        return
    assert verdict.verdict is not Belief.VALID or shown(octets) == shown(signed["PAdES"].octets)


@pytest.mark.parametrize("kind", DETACHED)
@EXAMPLES
@given(drawn=st.data())
def test_a_signature_is_never_valid_over_broken_data(
    signed: dict[str, Signed], place: Path, believed: TrustStore, kind: str, drawn: st.DataObject
) -> None:
    data = place / "data"
    data.write_bytes(drawn.draw(broken_octets(DATA, OTHER_DATA)))
    (place / "signature").write_bytes(signed[kind].octets)
    verdict = verify(place / "signature", detached=data, trust=believed)
    assert (verdict.verdict is Belief.VALID) == (data.read_bytes() == DATA)


# ---- what is too much ----

LIMIT = 1_500 << 20
CHILD = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from core.errors import TabellionError
from signing.verification import verify
data, *paths = map(Path, sys.argv[2:])
for path in paths:
    detached = data if path.suffix in (".p7s", ".tsr") else None
    try:
        told = verify(path, detached=detached, trust=None).verdict.value
    except TabellionError as error:
        told = type(error).__name__
    print(json.dumps([path.name, told]), flush=True)
"""


def der(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + length + content


def hostile(signed: dict[str, Signed]) -> dict[str, bytes]:
    """Files that ask for much more than they hold."""
    message = cms.ContentInfo.load(signed["CAdES"].octets)
    inner = message["content"]
    signer, certificate = (inner[name][0].dump() for name in ("signer_infos", "certificates"))
    head = der(0x30, b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")[2:]

    def crowd(signers: int, certificates: int) -> bytes:
        start = [der(2, b"\x01"), inner["digest_algorithms"].dump(), inner["encap_content_info"].dump()]
        return der(0x30, head, der(0xA0, der(0x30, *start, der(0xA0, certificate * certificates), der(0x31, signer * signers))))

    pes = signed["PES"].octets
    signature = re.search(rb"<ds:Signature .*?</ds:Signature>", pes, re.DOTALL)
    assert signature is not None
    pdf = signed["PAdES"].octets
    bomb = zlib.compress(bytes(300 << 20), 9)
    return {
        "deep.xml": b"<a>" * 300_000 + b"</a>" * 300_000,
        "attributes.xml": b"<a " + b" ".join(b'a%d="x"' % rank for rank in range(200_000)) + b"/>",
        "signatures.xml": pes.replace(signature[0], signature[0] * 400),
        "spaces.xml": pes.replace(b"</n:PES_Aller>", b"</n:PES_Aller>" + b" " * (40 << 20)),
        "nested.p7s": b"\x30\x80" * 500_000,
        "nested_content.p7s": der(0x30, head, der(0xA0, der(0x30, der(2, b"\x01"), b"\x31\x80" * 200_000))),
        "length.p7s": b"\x30\x84\xff\xff\xff\xff" + signed["CAdES"].octets[4:],
        "signers.p7s": crowd(3_000, 1),
        "certificates.p7s": crowd(1, 3_000),
        "armour.p7s": signed["CAdES in PEM"].octets.replace(b"\n-----END", b"A" * (40 << 20) + b"\n-----END"),
        "hyphens.p7s": b"-----BEGIN PKCS7-----\n" * 200_000,
        "stamp.tsr": signed["response"].octets + bytes(40 << 20),
        "zeros.asice": _deflated({"mimetype": b"application/vnd.etsi.asic-e+zip", "META-INF/signature001.p7s": bytes(300 << 20)}),
        "manifest.asice": _deflated({"a": b"a", "META-INF/ASiCManifest.xml": b"<a>" + b"<b/>" * (10 << 20) + b"</a>"}),
        "directory.asice": _directory(700_000),
        "stream.pdf": b"%%PDF-1.7\n1 0 obj\n<</Type/XRef/W[1 2 1]/Size 9/Root 2 0 R/Filter/FlateDecode/Length %d>>stream\n"
        % len(bomb)
        + bomb
        + b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n",
        "arrays.pdf": b"%PDF-1.7\n1 0 obj\n" + b"[" * 500_000 + b"]" * 500_000 + b"\nendobj\nstartxref\n9\n%%EOF",
        "loop.pdf": re.sub(rb"startxref\s+\d+", b"startxref\n9", pdf),
        "range.pdf": re.sub(rb"/ByteRange \[[^\]]*\]", b"/ByteRange [0 9 99999999999 9]", pdf),
    }


def _deflated(files: dict[str, bytes]) -> bytes:
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return octets.getvalue()


def _directory(count: int) -> bytes:
    """A zip whose directory names one empty file many times over."""
    octets = _zipped([("a.txt", b"")])
    begin, end = octets.index(b"PK\x01\x02"), octets.index(b"PK\x05\x06")
    size = (end - begin) * count
    tail = b"PK\x05\x06\0\0\0\0" + struct.pack("<HHIIH", count & 0xFFFF, count & 0xFFFF, size, begin, 0)
    return octets[:begin] + octets[begin:end] * count + tail


def test_hostile_files_are_refused_in_bounded_memory(signed: dict[str, Signed], tmp_path: Path) -> None:
    files = hostile(signed)
    (tmp_path / "data").write_bytes(DATA)
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    command = [sys.executable, "-c", CHILD, str(LIMIT), str(tmp_path / "data"), *(str(tmp_path / name) for name in files)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    told = dict(json.loads(line) for line in ran.stdout.splitlines())
    assert ran.returncode == 0, f"{[name for name in files if name not in told][:1]}: {ran.stderr[-3000:]}"
    assert told.keys() == files.keys()
    assert set(told.values()) <= {"invalid", "indeterminate", "unsigned"} | REFUSED, told
