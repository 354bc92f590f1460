"""What a delivery says of itself: the invoice in few members, its files with their digests, and what is held against them.

It comes last into a folder: whoever waits for it finds every file that it names, and knows of those that are dangerous before
opening any. The same delivery always says the same, to the octet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file of the invoice.

    Attributes:
        role: ``pivot``, ``original``, ``readable``, ``piece``.
        name: as it was written.
        delivered_as: its name in the delivery; None when it is not delivered and can be fetched only.
        media_type: told by whoever sent it.
        size: in octets.
        sha256: in hexadecimal.
        mark: the rule by which it is held to be dangerous; None for the others.
        href: where it can be fetched.
    """

    role: str
    name: str
    delivered_as: str | None
    media_type: str
    size: int
    sha256: str
    mark: str | None
    href: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A delivery.

    Attributes:
        delivery: its name.
        dossier: identifier of the dossier.
        cycle: 2 and more once the supplier completed the invoice.
        offered: moment, RFC 3339.
        invoice: what is told of it; JSON without floats.
        warnings: numbers of the rules that the invoice breaks; none of them stops it.
        files: of the invoice.
        href: where the invoice can be read, and acknowledged.
    """

    delivery: str
    dossier: str
    cycle: int
    offered: str
    invoice: Mapping[str, Any]
    warnings: tuple[str, ...]
    files: tuple[ManifestFile, ...]
    href: str

    def octets(self) -> bytes:
        """Return it as JSON, in UTF-8."""
        told = {"version": VERSION} | asdict(self)
        return json.dumps(told, ensure_ascii=False, indent=1).encode()


def read(octets: bytes) -> Manifest:
    """Return a manifest that was written here."""
    told = json.loads(octets)
    told.pop("version")
    files = tuple(ManifestFile(**file) for file in told.pop("files"))
    return Manifest(files=files, warnings=tuple(told.pop("warnings")), **told)
