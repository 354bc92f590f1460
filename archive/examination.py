"""Everything that a transfer is checked for, on a file, without a platform: a SEDA manifest alone, or a package with its files.

What lives here: recognising one by its octets, and the report on it. What does not: what an archive service alone knows
(agreements, its rules, viruses, formats: `archive.ingest`), other kinds of document (`signing.examination`).
"""

from __future__ import annotations

import gzip
import zlib
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from archive.ingest.business import Business
from archive.ingest.containers import LIMITS, Limits
from archive.ingest.inspection import examine_package, open_package
from archive.ingest.sense import check_sense
from core import clock
from core.errors import UnreadableInput
from core.messages import Catalogue
from core.problems import Problem, Report, Severity
from schemas.actes.tar import BrokenTar, Read, entries
from schemas.seda import schema
from schemas.seda.nouns import FAMILY, namespace_of
from schemas.seda.reader import Manifest, is_seda
from schemas.seda.rules import check_manifest_file
from schemas.xml import DoctypeRefused, root_of_file

SIP = "sip"
"""The kind of such a file, in reports."""

_ZIPS, _GZIP, _BZIP2 = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b", b"BZh"
_TAR, _TAR_AT = b"ustar", 257
_LOOKED_AT = 64 << 20
_HEAD = 1 << 16
_NAMESPACES = (FAMILY.encode(), namespace_of("0.2").encode())
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
    except DoctypeRefused:  # whoever examines it says so; what it would have been, its first octets tell
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        return any(namespace in head for namespace in _NAMESPACES)
    return is_seda((root or "").lstrip("{").rpartition("}")[0])


def examine(path: Path, *, schemas: Path | None = None, limits: Limits = LIMITS, day: date | None = None) -> Report:
    """Examine a manifest or a package.

    Args:
        path: the file; what it is is told by its content.
        day: on which it would be handed over; today by default.
        schemas: folder of official schemas; ours are applied for the versions that it does not hold.
        limits: what it may cost to read.

    Raises:
        Misconfigured: an official schema does not compile.
    """
    with path.open("rb") as stream:
        head = stream.read(_TAR_AT + len(_TAR))
    if head.startswith(_GZIP) or _is_container(head):
        found = examine_package(path, schemas=schemas, limits=limits)
        if found.manifest is not None:
            found.problems += [*_sense(found.manifest, found.problems, day), *_business(path, found.manifest, limits)]
        contents = sum(size for name, size in found.sizes.items() if name != found.manifest_name)
        return Report(SIP, found.problems, {} if found.manifest is None else _facts(found.manifest, contents, schemas))
    if path.stat().st_size > limits.manifest:
        return Report(SIP, [_too_large(limits)])
    manifest, problems = check_manifest_file(path, schemas=schemas)
    if manifest is None:
        return Report(SIP, problems)
    return Report(SIP, [*problems, *_sense(manifest, problems, day)], _facts(manifest, _declared(manifest), schemas))


def _sense(manifest: Manifest, problems: list[Problem], day: date | None) -> list[Problem]:
    """Judge the rules that a manifest names; a value that the schema refused is not told again."""
    told = {problem.found for problem in problems if problem.found}
    return [one for one in check_sense(manifest, day or clock.in_paris(clock.now()).date()) if one.found not in told]


def _business(path: Path, manifest: Manifest, limits: Limits) -> list[Problem]:
    """Judge what the files have to do with each other; only those that are XML are read for it."""
    business = Business()
    try:
        with open_package(path, limits) as package, TemporaryDirectory(prefix="tabellion-") as folder:
            target = Path(folder) / "file"
            for item in manifest.objects:
                if item.uri is not None and item.uri in package.sizes:
                    head = next(package.chunks(item.uri), b"")[:64]
                    if business.concerns(head):
                        package.extract(item.uri, target)
                    else:
                        target.write_bytes(head)
                    business.look(item.uri, item.filename or item.uri, target)
    except UnreadableInput:  # told by the inspection; such a package is not read any further
        return []
    return business.problems(manifest)


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
