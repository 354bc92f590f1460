"""What a SEDA 1.0 or 0.2 transfer says of its files and its units: nested objects, each with its documents.

What lives here: reading their objects, leniently, into the nouns of `schemas.seda.reader`. What does not: their schema (only the
official one, where an operator installed it), writing them (`schemas.seda.writer_1_0`).

A document names its file by ``Attachment@filename``; its digest stands beside it (1.0: ``Integrity``), or at the head of the
transfer with the name of the file (0.2: ``Integrity/Contains`` and ``UnitIdentifier``). Algorithms are named by the URI of XML
signatures, digests are hexadecimal or base64: both are turned into what SEDA 2.x writes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from lxml import etree

from schemas.seda.elements import child, name_of, octets_of, text_of, value_of
from schemas.seda.nouns import ManifestObject, ManifestUnit

LEGACY = frozenset({"0.2", "1.0"})
"""The versions read here."""

_UNITS = frozenset({"Archive", "ArchiveObject", "Contains"})
_ALGORITHMS = {
    "http://www.w3.org/2000/09/xmldsig#sha1": "SHA-1",
    "http://www.w3.org/2001/04/xmlenc#sha256": "SHA-256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "SHA-384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "SHA-512",
}
_LENGTHS = {"MD5": 16, "SHA-1": 20, "SHA-256": 32, "SHA-384": 48, "SHA-512": 64}
_BYTE = "AD"  # UN/ECE recommendation 20


def legacy_objects(root: etree._Element) -> Iterator[ManifestObject]:
    """Yield the files that a transfer names; one whose bytes stand in the manifest itself has no path."""
    beside = {text_of(one, "UnitIdentifier"): child(one, "Contains") for one in root if _is(one, "Integrity")}
    for rank, document in enumerate(_all(root, "Document"), start=1):
        attachment = child(document, "Attachment")
        if attachment is None:
            continue
        filename = attachment.get("filename")
        inline = bool(value_of(attachment))
        integrity = child(document, "Integrity")
        integrity = beside.get(filename) if integrity is None else integrity
        algorithm, digest = _digest(integrity)
        size = child(document, "Size")
        yield ManifestObject(
            identifier=document.get("Id") or f"Document {rank}",
            line=document.sourceline,
            uri=None if inline else filename,
            algorithm=algorithm,
            digest=digest,
            size=text_of(size) if size is not None and size.get("unitCode") == _BYTE else None,
            filename=filename,
            media_type=attachment.get("mimeCode"),
            puid=attachment.get("format"),
            content=octets_of(attachment) if inline else None,
        )


def legacy_units(root: etree._Element) -> Iterator[ManifestUnit]:
    """Yield the archives and the objects in them; those without an identifier are given their rank as one."""
    names: dict[etree._Element, str] = {}
    for rank, element in enumerate((one for one in root.iter(etree.Element) if _is_unit(one)), start=1):
        names[element] = element.get("Id") or f"{name_of(element)} {rank}"
        parent = element.getparent()
        yield ManifestUnit(
            identifier=names[element],
            line=element.sourceline,
            title=text_of(element, "Name"),
            level=text_of(element, "ContentDescription", "DescriptionLevel") or text_of(element, "DescriptionLevel"),
            parent=names.get(parent) if parent is not None else None,
            references=(),
        )


def legacy_archive(root: etree._Element) -> etree._Element | None:
    """Return the first archive of a transfer: it bears the agreement and the producer."""
    return next((one for one in root.iter(etree.Element) if _is_unit(one)), None)


def _is_unit(element: etree._Element) -> bool:
    return name_of(element) in _UNITS and child(element, "Name") is not None


def _is(element: etree._Element, name: str) -> bool:
    return isinstance(element.tag, str) and name_of(element) == name


def _all(root: etree._Element, name: str) -> Iterator[etree._Element]:
    return (element for element in root.iter(etree.Element) if name_of(element) == name)


def _digest(element: etree._Element | None) -> tuple[str | None, str | None]:
    if element is None:
        return None, None
    named = (element.get("algorithme") or "").strip()
    algorithm = _ALGORITHMS.get(named) or next((one for one in _LENGTHS if _bare(one) == _bare(named)), named or None)
    value = "".join(value_of(element).split())
    if re.fullmatch(r"[0-9A-Fa-f]+", value) and len(value) == 2 * _LENGTHS.get(algorithm or "", 0):
        return algorithm, value.lower()
    try:
        octets = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return algorithm, value or None
    return algorithm, octets.hex() if len(octets) == _LENGTHS.get(algorithm or "") else value or None


def _bare(algorithm: str) -> str:
    return algorithm.replace("-", "").lower()
