"""What is signed in a document, read by other means than those of the verifiers.

From the definition of each format:

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
import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asn1crypto import cms, tsp
from lxml import etree
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    StreamObject,
)
from pyhanko.pdf_utils.reader import PdfFileReader

DS = "http://www.w3.org/2000/09/xmldsig#"
READ = ("PES_DepenseAller", "PES_RecetteAller")
"""Where a bordereau is read: anywhere else it is none, and no PES (the schema refuses it)."""
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
