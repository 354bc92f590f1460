"""What a manifest that anybody wrote says of its files and units, as it was read."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

FAMILY = "fr:gouv:culture:archivesdefrance:seda:v"
"""What the namespace of every version but the first begins with."""
_NAMESPACES = {"0.2": "fr:gouv:ae:archive:draft:standard_echange_v0.2"}


def namespace_of(version: str) -> str:
    """Return the XML namespace of a version (``2.2``)."""
    return _NAMESPACES.get(version, f"{FAMILY}{version}")


@dataclass(frozen=True, slots=True)
class ManifestObject:
    """A file as the manifest declares it; a value is None when absent, and is kept as written when strange.

    Attributes:
        digest: lower case when it is hexadecimal.
        size: as written, in bytes.
        content: the octets, where they stand in the manifest itself.
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
    content: bytes | None = None


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
        profile: the archival profile that it says it follows.
        identifiers: every XML identifier, with its line, in the order of the document, repeated ones too.
        references: every reference to one, with its line.
        tree: the document itself, for the schema.
    """

    version: str
    identifier: str | None
    date: str | None
    agreement: str | None
    profile: str | None
    archival_agency: str | None
    transferring_agency: str | None
    originating_agency: str | None
    objects: tuple[ManifestObject, ...]
    units: tuple[ManifestUnit, ...]
    identifiers: tuple[tuple[str, int], ...]
    references: tuple[tuple[str, int], ...]
    tree: etree._ElementTree
