"""What a signature covers, looked at before the key touches it.

Two shapes are known: the signed attributes of CMS (RFC 5652, 5.4: a SET in DER) and the canonical SignedInfo of XMLDSig. Nothing
else is signed, above all no bare digest: 32 bytes are neither.

What this proves, and what not: that the octets are a signature's, of the announced shape, and, in CMS, that they name this
certificate; in CAdES and in detached XAdES, that they hold the digest of the very document shown. In the others the digest is of
what the platform makes of the document: only a verification of the whole, once complete, tells more.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from tabellion_agent.errors import NotWhatWasShown
from tabellion_agent.protocol import Item

_XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
_METHODS = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
}
_CMS, _XML = {"cades", "pades", "asic-e"}, {"xades", "xades-detached", "pes"}
_OF_DOCUMENT = {"cades", "xades-detached"}
_SET, _SEQUENCE, _OID, _OCTET_STRING = 0x31, 0x30, 0x06, 0x04
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_LONG_FORM = 0x80
_SHA256_LENGTH = 32
_LARGEST = 4 << 20


def check(octets: bytes, item: Item, certificate: bytes) -> None:
    """Refuse octets that are not those of a signature over the document by this certificate.

    Args:
        octets: what the key would sign.
        item: the document as it was announced, and verified since.
        certificate: of the key, in DER.

    Raises:
        NotWhatWasShown: see the module.
    """
    is_cms = octets[:1] == bytes([_SET])
    try:
        right = len(octets) <= _LARGEST and item.format not in (_XML if is_cms else _CMS)
        right = right and (_attributes(octets, item, certificate) if is_cms else _signed_info(octets, item))
    except (ValueError, IndexError, ET.ParseError) as error:
        raise _refusal(item) from error
    if not right:
        raise _refusal(item)


def _attributes(octets: bytes, item: Item, certificate: bytes) -> bool:
    [(tag, content)] = _elements(octets)
    digests = [value for kind, value in map(_attribute, _elements(content)) if kind == _MESSAGE_DIGEST]
    if tag != _SET or len(digests) != 1 or len(digests[0]) != _SHA256_LENGTH:
        return False
    names_us = hashlib.sha256(certificate).digest() in octets
    return names_us and (item.format not in _OF_DOCUMENT or digests[0].hex() == item.sha256)


def _attribute(element: tuple[int, bytes]) -> tuple[bytes, bytes]:
    """Return the type of an attribute and its value when that is an octet string, else nothing."""
    (kind_tag, kind), (values_tag, values) = _elements(element[1])
    if (element[0], kind_tag, values_tag) != (_SEQUENCE, _OID, _SET):
        raise ValueError("not an attribute")
    held = list(_elements(values))
    return kind, held[0][1] if len(held) == 1 and held[0][0] == _OCTET_STRING else b""


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and content of each DER element (X.690, 8.1 and 10.1): one-byte tags, definite lengths."""
    place = 0
    while place < len(data):
        tag, length = data[place], data[place + 1]
        place += 2
        if length & _LONG_FORM:
            width = length - _LONG_FORM
            if not width:
                raise ValueError("DER has no indefinite length")
            length = int.from_bytes(data[place : place + width], "big")
            place += width
        if place + length > len(data):
            raise ValueError("cut short")
        yield tag, data[place : place + length]
        place += length


def _signed_info(octets: bytes, item: Item) -> bool:
    if b"<!" in octets or b"<?" in octets:  # canonical XML has neither a document type nor, here, an instruction
        return False
    root = ET.fromstring(octets)  # noqa: S314 - no document type, hence no entity
    method = root.find(f"{{{_XMLDSIG}}}SignatureMethod")
    digests = [base64.b64decode(one.text or "", validate=True) for one in root.iter(f"{{{_XMLDSIG}}}DigestValue")]
    known = method is not None and method.get("Algorithm") in _METHODS
    named = item.format not in _OF_DOCUMENT or bytes.fromhex(item.sha256) in digests
    return root.tag == f"{{{_XMLDSIG}}}SignedInfo" and known and bool(digests) and all(digests) and named


def _refusal(item: Item) -> NotWhatWasShown:
    return NotWhatWasShown(
        f"Ce que la plateforme demande de signer pour « {item.title} » n’est pas une signature de ce document."
    )
