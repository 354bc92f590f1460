"""Everything that a transfer is checked for, on a file, without a platform: a SEDA manifest alone, or a package with its files.

What lives here: recognising one by its octets, and the report on it. What does not: what an archive service alone knows
(agreements, rules, viruses, formats: `archive.ingest`), other kinds of document (`signing.examination`).
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

from archive.ingest.containers import LIMITS, Limits
from archive.ingest.inspection import examine_package
from core.messages import Catalogue
from core.problems import Problem, Report, Severity
from schemas.actes.tar import BrokenTar, Read, entries
from schemas.seda import schema
from schemas.seda.reader import Manifest, is_seda
from schemas.seda.rules import check_manifest_file
from schemas.xml import DoctypeRefused, root_of_file

SIP = "sip"
"""The kind of such a file, in reports."""

_ZIPS, _GZIP, _BZIP2 = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b", b"BZh"
_TAR, _TAR_AT = b"ustar", 257
_LOOKED_AT = 64 << 20
_messages = Catalogue("schemas.seda")


def is_transfer(path: Path) -> bool:
    """Tell whether a file is a SEDA message or a package: ZIP, TAR, TAR.BZ2, or TAR.GZ with a manifest or a folder ``content``.

    An archive of ACTES is a TAR.GZ too, of other files.
    """
    with path.open("rb") as stream:
        head = stream.read(_TAR_AT + len(_TAR))
    if head.startswith(_GZIP):
        return _holds_a_manifest(path)
    if _is_container(head):
        return True
    try:
        root = root_of_file(path)
    except DoctypeRefused:  # whoever examines it says so
        return False
    return is_seda((root or "").lstrip("{").rpartition("}")[0])


def examine(path: Path, *, schemas: Path | None = None, limits: Limits = LIMITS) -> Report:
    """Examine a manifest or a package.

    Args:
        path: the file; what it is is told by its content.
        schemas: folder of official schemas; ours are applied for the versions that it does not hold.
        limits: what it may cost to read.

    Raises:
        Misconfigured: an official schema does not compile.
    """
    with path.open("rb") as stream:
        head = stream.read(_TAR_AT + len(_TAR))
    if head.startswith(_GZIP) or _is_container(head):
        found = examine_package(path, schemas=schemas, limits=limits)
        contents = sum(size for name, size in found.sizes.items() if name != found.manifest_name)
        return Report(SIP, found.problems, {} if found.manifest is None else _facts(found.manifest, contents, schemas))
    if path.stat().st_size > limits.manifest:
        return Report(SIP, [_too_large(limits)])
    manifest, problems = check_manifest_file(path, schemas=schemas)
    return Report(SIP, problems, {} if manifest is None else _facts(manifest, _declared(manifest), schemas))


def _is_container(head: bytes) -> bool:
    return head.startswith((*_ZIPS, _BZIP2)) or head[_TAR_AT:] == _TAR


def _holds_a_manifest(path: Path) -> bool:
    """Look at the names of a TAR.GZ, as far as its first 64 MiB go."""
    try:
        with gzip.open(path) as unpacked:
            return any(map(_is_of_a_package, (entry.name for entry in entries(_beginning(unpacked)))))
    except (BrokenTar, OSError, EOFError, zlib.error):
        return False


def _is_of_a_package(name: str) -> bool:
    bare = name.removeprefix("./").casefold()
    return bare.startswith("content/") or bare.endswith("manifest.xml")


def _beginning(stream: gzip.GzipFile) -> Read:
    """Return a reader of the first octets of a stream, as if nothing followed them."""
    left = _LOOKED_AT

    def read(size: int) -> bytes:
        nonlocal left
        data = stream.read(min(size, left))
        left -= len(data)
        return data

    return read


def _facts(manifest: Manifest, contents: int, schemas: Path | None) -> dict[str, Any]:
    official = schema.installed(schemas, manifest.version)
    return {
        "version": manifest.version,
        "identifier": manifest.identifier,
        "date": manifest.date,
        "agreement": manifest.agreement,
        "profile": manifest.profile,
        "archival_agency": manifest.archival_agency,
        "transferring_agency": manifest.transferring_agency,
        "originating_agency": manifest.originating_agency,
        "units": len(manifest.units),
        "objects": len(manifest.objects),
        "bytes": contents,
        "schema": "official" if official else "tabellion" if manifest.version in schema.OWN_VERSIONS else None,
    }


def _declared(manifest: Manifest) -> int:
    return sum(int(item.size) for item in manifest.objects if item.size is not None and item.size.isdecimal())


def _too_large(limits: Limits) -> Problem:
    return Problem(
        rule="SEDA-101",
        severity=Severity.ERROR,
        message=_messages("large.message", limit=limits.manifest),
        mend=_messages("large.mend"),
    )
