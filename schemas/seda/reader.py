"""Reading a SEDA manifest that anybody wrote: what a verification needs, and nothing more.

Lenient on purpose: Vitam, as@lae and others write manifests that the official schema refuses, and what they say is still
worth checking. What is strange is kept as it stands and judged by `schemas.seda.rules`; only what is no manifest at all is
refused here.

Covered: ``ArchiveTransfer`` of SEDA 2.0 to 2.3, objects in groups or directly in the package (2.1). A SEDA 1.0 or 0.2
transfer is recognised and its identifier read; its objects are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from schemas.xml import parse

_NAMESPACE = re.compile(r"fr:gouv:culture:archivesdefrance:seda:v(1\.0|2\.0|2\.1|2\.2|2\.3)")
_NAMESPACE_0_2 = "fr:gouv:ae:archive:draft:standard_echange_v0.2"
_REFERENCES = frozenset({"ArchiveUnitRefId", "DataObjectGroupReferenceId", "DataObjectReferenceId"})
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


class UnsupportedVersion(UnreadableInput):
    """The document is no transfer of a SEDA version that exists.

    Attributes:
        root: the root element, as ``{namespace}name``.
    """

    def __init__(self, root: str) -> None:
        super().__init__(f"{root[:200]} is no ArchiveTransfer of a known SEDA version")
        self.root = root


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """A file as the manifest declares it; a value is None when absent, and is kept as written when strange.

    Attributes:
        digest: lower case when it is hexadecimal.
        size: as written.
        line: of the element, from 1.
    """

    identifier: str
    line: int
    uri: str | None
    algorithm: str | None
    digest: str | None
    size: str | None
    filename: str | None
    media_type: str | None
    puid: str | None


@dataclass(frozen=True, slots=True)
class ManifestUnit:
    """A unit of the description: its place in the tree is told by ``parent``, its other ties by ``references``."""

    identifier: str
    line: int
    title: str | None
    level: str | None
    parent: str | None
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was read of a transfer.

    Attributes:
        version: ``2.2``.
        identifiers: every XML identifier, with its line, in the order of the document, repeated ones too.
        references: every reference to one, with its line.
        tree: the document itself, for the schema.
    """

    version: str
    identifier: str | None
    date: str | None
    agreement: str | None
    archival_agency: str | None
    transferring_agency: str | None
    originating_agency: str | None
    objects: tuple[ManifestObject, ...]
    units: tuple[ManifestUnit, ...]
    identifiers: tuple[tuple[str, int], ...]
    references: tuple[tuple[str, int], ...]
    tree: etree._ElementTree


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a transfer; the caller bounds the size of the file.

    Raises:
        DoctypeRefused: a document type declaration.
        Malformed: not well-formed.
        UnsupportedVersion: well-formed, and something else than a transfer of a known version.
    """
    tree = parse(path)
    root = tree.getroot()
    name = etree.QName(root)
    known = _NAMESPACE.fullmatch(name.namespace or "")
    version = known.group(1) if known else "0.2" if name.namespace == _NAMESPACE_0_2 else None
    if version is None or name.localname != "ArchiveTransfer":
        raise UnsupportedVersion(str(root.tag))
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    return Manifest(
        version=version,
        identifier=_text(root, "MessageIdentifier") or _text(root, "TransferIdentifier"),
        date=_text(root, "Date"),
        agreement=_text(root, "ArchivalAgreement"),
        archival_agency=_text(root, "ArchivalAgency", "Identifier"),
        transferring_agency=_text(root, "TransferringAgency", "Identifier"),
        originating_agency=_text(root, "DataObjectPackage", "ManagementMetadata", "OriginatingAgencyIdentifier"),
        objects=tuple(_object(element) for element in elements if _name(element) == "BinaryDataObject"),
        units=tuple(_unit(element) for element in elements if _name(element) == "ArchiveUnit"),
        identifiers=tuple(_identifiers(elements)),
        references=tuple(_references(elements)),
        tree=tree,
    )


def _object(element: etree._Element) -> ManifestObject:
    digest = _child(element, "MessageDigest")
    value = None if digest is None else (digest.text or "").strip()
    return ManifestObject(
        identifier=element.get("id", ""),
        line=element.sourceline,
        uri=_text(element, "Uri"),
        algorithm=None if digest is None else digest.get("algorithm"),
        digest=value.lower() if value and re.fullmatch(r"[0-9A-Fa-f]+", value) else value,
        size=_text(element, "Size"),
        filename=_text(element, "FileInfo", "Filename"),
        media_type=_text(element, "FormatIdentification", "MimeType"),
        puid=_text(element, "FormatIdentification", "FormatId"),
    )


def _unit(element: etree._Element) -> ManifestUnit:
    parent = element.getparent()
    own = [
        reference
        for child in element
        if isinstance(child.tag, str) and _name(child) in {"ArchiveUnitRefId", "DataObjectReference"}
        for reference, _ in _references(list(child.iter()))
    ]
    return ManifestUnit(
        identifier=element.get("id", ""),
        line=element.sourceline,
        title=_text(element, "Content", "Title"),
        level=_text(element, "Content", "DescriptionLevel"),
        parent=parent.get("id") if parent is not None and _name(parent) == "ArchiveUnit" else None,
        references=tuple(own),
    )


def _identifiers(elements: list[etree._Element]) -> Iterator[tuple[str, int]]:
    for element in elements:
        identifier = element.get("id") or element.get(_XML_ID)
        if identifier:
            yield identifier, element.sourceline
        if _name(element) == "DataObjectGroupId" and (element.text or "").strip():  # 2.1: an identifier held as text
            yield (element.text or "").strip(), element.sourceline


def _references(elements: list[etree._Element]) -> Iterator[tuple[str, int]]:
    for element in elements:
        if isinstance(element.tag, str) and _name(element) in _REFERENCES and (element.text or "").strip():
            yield (element.text or "").strip(), element.sourceline
        if isinstance(element.tag, str) and _name(element) == "Relationship" and element.get("target"):
            yield element.get("target", ""), element.sourceline


def _name(element: etree._Element) -> str:
    return str(etree.QName(element).localname)


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in element if isinstance(child.tag, str) and _name(child) == name), None)


def _text(element: etree._Element, *names: str) -> str | None:
    """Return the stripped text at the end of a path of element names, None when there is none or it is empty."""
    found: etree._Element | None = element
    for name in names:
        found = None if found is None else _child(found, name)
    return None if found is None else (found.text or "").strip() or None
