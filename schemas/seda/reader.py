"""Reading a SEDA manifest that anybody wrote: what a verification needs, and nothing more.

Lenient on purpose: Vitam, as@lae and others write manifests that the official schema refuses, and what they say is still
worth checking. What is strange is kept as it stands and judged by `schemas.seda.rules`; only what is no manifest at all is
refused here.

Covered: ``ArchiveTransfer`` of SEDA 2.0 to 2.3, objects in groups or directly in the package (2.1), and of SEDA 1.0 and 0.2
(`schemas.seda.legacy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from core.errors import UnreadableInput
from schemas.seda.elements import child, name_of, octets_of, text_of, value_of
from schemas.seda.legacy import LEGACY, legacy_archive, legacy_objects, legacy_units
from schemas.seda.nouns import FAMILY, Manifest, ManifestObject, ManifestUnit, namespace_of
from schemas.xml import parse

__all__ = ["Manifest", "ManifestObject", "ManifestUnit", "UnsupportedVersion", "is_seda", "read_manifest", "version_of"]

_VERSIONS = {namespace_of(version): version for version in ("0.2", "1.0", "2.0", "2.1", "2.2", "2.3")}
_REFERENCES = frozenset(
    {
        *("ArchiveUnitRefId", "DataObjectGroupReferenceId", "DataObjectReferenceId"),
        *("SignedObjectId", "SignedDocumentReferenceId"),  # until 2.2, since 2.3
    }
)
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


class UnsupportedVersion(UnreadableInput):
    """The document is no transfer of a SEDA version that exists.

    Attributes:
        root: the root element, as ``{namespace}name``.
    """

    def __init__(self, root: str) -> None:
        super().__init__(f"{root[:200]} is no ArchiveTransfer of a known SEDA version")
        self.root = root


def is_seda(namespace: str) -> bool:
    """Tell whether a namespace is one of SEDA, of a version that exists or not."""
    return namespace in _VERSIONS or namespace.startswith(FAMILY)


def version_of(namespace: str) -> str | None:
    """Return the version that a namespace belongs to; None when there is no such version."""
    return _VERSIONS.get(namespace)


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of a transfer; the caller bounds the size of the file.

    Raises:
        DoctypeRefused: a document type declaration.
        Malformed: not well-formed.
        UnsupportedVersion: well-formed, and something else than a transfer of a known version.
    """
    tree = parse(path)
    root = tree.getroot()
    version = version_of(etree.QName(root).namespace or "")
    if version is None or name_of(root) != "ArchiveTransfer":
        raise UnsupportedVersion(str(root.tag))
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    return _legacy(version, tree, elements) if version in LEGACY else _current(version, tree, elements)


def _current(version: str, tree: etree._ElementTree, elements: list[etree._Element]) -> Manifest:
    root = tree.getroot()
    return Manifest(
        version=version,
        identifier=text_of(root, "MessageIdentifier"),
        date=text_of(root, "Date"),
        agreement=text_of(root, "ArchivalAgreement"),
        profile=text_of(root, "DataObjectPackage", "ManagementMetadata", "ArchivalProfile"),
        archival_agency=text_of(root, "ArchivalAgency", "Identifier"),
        transferring_agency=text_of(root, "TransferringAgency", "Identifier"),
        originating_agency=text_of(root, "DataObjectPackage", "ManagementMetadata", "OriginatingAgencyIdentifier"),
        objects=tuple(_object(element) for element in elements if name_of(element) == "BinaryDataObject"),
        units=tuple(_unit(element) for element in elements if name_of(element) == "ArchiveUnit"),
        identifiers=tuple(_identifiers(elements)),
        references=tuple(_references(elements)),
        tree=tree,
    )


def _legacy(version: str, tree: etree._ElementTree, elements: list[etree._Element]) -> Manifest:
    root = tree.getroot()
    archive = legacy_archive(root)
    return Manifest(
        version=version,
        identifier=text_of(root, "TransferIdentifier"),
        date=text_of(root, "Date"),
        agreement=None if archive is None else text_of(archive, "ArchivalAgreement"),
        profile=None if archive is None else text_of(archive, "ArchivalProfile"),
        archival_agency=text_of(root, "ArchivalAgency", "Identification"),
        transferring_agency=text_of(root, "TransferringAgency", "Identification"),
        originating_agency=(
            None if archive is None else text_of(archive, "ContentDescription", "OriginatingAgency", "Identification")
        ),
        objects=tuple(legacy_objects(root)),
        units=tuple(legacy_units(root)),
        identifiers=tuple((element.get("Id", ""), element.sourceline) for element in elements if element.get("Id")),
        references=(),
        tree=tree,
    )


def _object(element: etree._Element) -> ManifestObject:
    digest, attachment = child(element, "MessageDigest"), child(element, "Attachment")
    value = None if digest is None else value_of(digest)
    return ManifestObject(
        identifier=element.get("id", ""),
        line=element.sourceline,
        uri=text_of(element, "Uri"),
        algorithm=None if digest is None else digest.get("algorithm", "").strip() or None,
        digest=value.lower() if value and re.fullmatch(r"[0-9A-Fa-f]+", value) else value,
        size=text_of(element, "Size"),
        filename=text_of(element, "FileInfo", "Filename"),
        media_type=text_of(element, "FormatIdentification", "MimeType"),
        puid=text_of(element, "FormatIdentification", "FormatId"),
        content=None if attachment is None else octets_of(attachment),
    )


def _unit(element: etree._Element) -> ManifestUnit:
    parent = element.getparent()
    own = [
        reference
        for child in element
        if isinstance(child.tag, str) and name_of(child) in {"ArchiveUnitRefId", "DataObjectReference"}
        for reference, _ in _references(list(child.iter()))
    ]
    return ManifestUnit(
        identifier=element.get("id", ""),
        line=element.sourceline,
        title=text_of(element, "Content", "Title"),
        level=text_of(element, "Content", "DescriptionLevel"),
        parent=parent.get("id") if parent is not None and name_of(parent) == "ArchiveUnit" else None,
        references=tuple(own),
    )


def _identifiers(elements: list[etree._Element]) -> Iterator[tuple[str, int]]:
    for element in elements:
        identifier = element.get("id") or element.get(_XML_ID)
        if identifier:
            yield identifier, element.sourceline
        if name_of(element) == "DataObjectGroupId" and (identifier := value_of(element)):  # 2.1: an identifier held as text
            yield identifier, element.sourceline


def _references(elements: list[etree._Element]) -> Iterator[tuple[str, int]]:
    for element in elements:
        if isinstance(element.tag, str) and name_of(element) in _REFERENCES and (reference := value_of(element)):
            yield reference, element.sourceline
        if isinstance(element.tag, str) and name_of(element) == "Relationship" and element.get("target"):
            yield element.get("target", ""), element.sourceline
