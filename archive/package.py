"""Packages: a record as a file that stands by itself, a SEDA manifest and the objects that it names, in a ZIP.

What lives here: building one of ours; the same input gives the same bytes. What does not: opening and checking one
(`archive.ingest.inspection`), what the manifest says of a given kind of record (`archive.kinds.pes`), where packages are kept.

Layout: ``manifest.xml`` at the root, objects in ``content/`` under plain ASCII names; the original name of each stands in
the manifest (Vitam, « Structuration des SIP », v16).
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive.stored_zip import Stored, stored_zip
from schemas.seda.model import DataObject, Transfer, Version
from schemas.seda.writer import write_transfer

MANIFEST = "manifest.xml"
_LONGEST_NAME = 120
_PUIDS = {"application/xml": "fmt/101", "application/json": "fmt/817"}
"""PRONOM identifiers of media types that have one version only; the others are left to the archive's own identification."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file to put into a package.

    Attributes:
        role: what the file is in the record; its words belong to the kind of record.
        path: where its bytes are.
        media_type: of its content.
        name: the name its owner gave it, accents kept.
    """

    role: str
    path: Path
    media_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it was built.

    Attributes:
        sha256: of the whole file, hexadecimal.
        size: in bytes.
        files: name in the package, SHA-256 and size of each object, in the order given; the manifest is not among them.
    """

    path: Path
    sha256: str
    size: int
    manifest_sha256: str
    files: tuple[Stored, ...]


Described = tuple[PackageFile, DataObject]
"""A file, and the object that the manifest has to name it by."""


def build_package(
    target: Path,
    files: Sequence[PackageFile],
    describe: Callable[[Sequence[Described]], Transfer],
    *,
    at: datetime,
    version: Version = Version.V2_2,
) -> Package:
    """Build a package; files are streamed, and digested as they are written.

    Args:
        target: the package to write; an existing file is replaced, nothing is left there after a failure.
        files: in the order in which they stand in the package.
        describe: gives the transfer, once digests and sizes are known.
        at: the date of every entry: a moment of the record, so that a second try gives the same bytes.
        version: of SEDA.

    Raises:
        UnwritableTransfer: the transfer cannot be written as a manifest.
        UsageError: a package beyond 4 GiB.
    """
    described: list[Described] = []
    stored: list[Stored] = []
    taken: set[str] = set()
    with stored_zip(target, at) as zipped, tempfile.TemporaryDirectory() as folder:
        for rank, file in enumerate(files, start=1):
            entry = zipped.add(f"content/{plain_name(file.name, taken)}", file.path)
            stored.append(entry)
            described.append((file, _object(rank, file, entry)))
        manifest = Path(folder) / MANIFEST
        write_transfer(describe(described), manifest, version)
        manifest_sha256 = zipped.add(MANIFEST, manifest).sha256
    with target.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Package(target, digest, target.stat().st_size, manifest_sha256, tuple(stored))


def group_of(item: DataObject) -> str:
    """Return the identifier of the group that holds an object alone."""
    return item.identifier.replace("BDO", "GO", 1)


def _object(rank: int, file: PackageFile, entry: Stored) -> DataObject:
    return DataObject(
        identifier=f"BDO{rank}",
        uri=entry.name,
        digest=entry.sha256,
        size=entry.size,
        filename=file.name,
        media_type=file.media_type,
        puid=_PUIDS.get(file.media_type),
    )


def plain_name(name: str, taken: set[str]) -> str:
    """Return a name in plain ASCII that is not among those taken, whatever the case, and add it to them."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_only).lstrip("._-") or "fichier"
    stem, dot, suffix = safe.rpartition(".")
    stem, suffix = (stem, f".{suffix[:10]}") if dot and stem else (safe, "")
    stem = stem[: _LONGEST_NAME - len(suffix)]
    candidate, rank = f"{stem}{suffix}", 2
    while candidate.casefold() in taken:
        candidate, rank = f"{stem}-{rank}{suffix}", rank + 1
    taken.add(candidate.casefold())
    return candidate
