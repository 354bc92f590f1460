"""ASiCManifest (ETSI EN 319 162-1, A.4): which signature, over which files, by their digests."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import quote

from lxml import etree

from core.errors import UnreadableInput
from core.messages import Catalogue
from schemas import xml
from signing.algorithms import DIGESTS, SHA256

_messages = Catalogue("signing")
_ASIC = "http://uri.etsi.org/02918/v1.2.1#"
_DS = "http://www.w3.org/2000/09/xmldsig#"
_CMS_TYPE = "application/pkcs7-signature"


class ManifestUnreadable(UnreadableInput):
    """What was handed over is no ASiCManifest."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One file that a manifest names.

    Attributes:
        uri: as written.
        hash_name: ``sha256`` …; None for a method that is not in our list.
        digest: expected.
    """

    uri: str
    hash_name: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, read.

    Attributes:
        signature: URI of the signature or of the timestamp over it.
        references: the files.
    """

    signature: str
    references: tuple[Reference, ...]

    @classmethod
    def read(cls, octets: bytes) -> Self:
        """Read a manifest.

        Raises:
            ManifestUnreadable: it is none.
            UnreadableInput: a DOCTYPE, or not well-formed.
        """
        root = parsed(octets).getroot()
        pointer = root.find(f"{{{_ASIC}}}SigReference")
        if root.tag != f"{{{_ASIC}}}ASiCManifest" or pointer is None:
            raise ManifestUnreadable(_messages("asic.manifest_unreadable"))
        references = tuple(_reference(element) for element in root.iterfind(f"{{{_ASIC}}}DataObjectReference"))
        return cls(pointer.get("URI") or "", references)


def write_manifest(signature: str, digests: Mapping[str, bytes]) -> bytes:
    """Return a manifest over files.

    Args:
        signature: name of the signature in the container.
        digests: SHA-256 of each file, by name.
    """
    root = etree.Element(f"{{{_ASIC}}}ASiCManifest", nsmap={"asic": _ASIC, "ds": _DS})
    etree.SubElement(root, f"{{{_ASIC}}}SigReference", URI=quote(signature), MimeType=_CMS_TYPE)
    for name, digest in digests.items():
        reference = etree.SubElement(root, f"{{{_ASIC}}}DataObjectReference", URI=quote(name))
        etree.SubElement(reference, f"{{{_DS}}}DigestMethod", Algorithm=SHA256)
        etree.SubElement(reference, f"{{{_DS}}}DigestValue").text = base64.b64encode(digest).decode()
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return octets


def parsed(octets: bytes) -> etree._ElementTree:
    """Return the tree of a small document that stands in a container.

    Raises:
        UnreadableInput: a DOCTYPE, or not well-formed.
    """
    with tempfile.NamedTemporaryFile() as file:  # what reads what strangers send reads files
        file.write(octets)
        file.flush()
        return xml.parse(Path(file.name))


def _reference(element: etree._Element) -> Reference:
    method, value = element.find(f"{{{_DS}}}DigestMethod"), element.find(f"{{{_DS}}}DigestValue")
    uri = element.get("URI")
    if method is None or value is None or not uri:
        raise ManifestUnreadable(_messages("asic.manifest_unreadable"))
    try:
        digest = base64.b64decode("".join((value.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ManifestUnreadable(_messages("asic.manifest_unreadable")) from error
    return Reference(uri, DIGESTS.get(method.get("Algorithm") or ""), digest)
