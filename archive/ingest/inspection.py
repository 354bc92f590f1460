"""Looking into a package that anybody built: is it safe to open, and are its files those of its manifest?

What lives here: finding the manifest, then both ways between files and manifest, digests and sizes. What does not: the file that
holds it all (`archive.ingest.containers`), what the manifest must satisfy by itself (`schemas.seda.rules`), and what only an
archive service knows: agreements, rules, viruses, formats.

Problems bear the reply codes of an archive service: ``101`` malformed, ``207`` digest, ``211`` file absent.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from archive.ingest.containers import LIMITS, Container, Limits, UnsafePackage, folded
from archive.ingest.disk import ours
from archive.ingest.tars import Tarred
from archive.ingest.zips import Zipped
from core.errors import UnreadableInput
from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.seda.reader import Manifest, ManifestObject, read_manifest
from schemas.seda.rules import DIGEST_HEX_LENGTHS, check_manifest_file

__all__ = [
    "Examined",
    "Limits",
    "OpenPackage",
    "UnsafePackage",
    "check_package",
    "compare_package",
    "examine_package",
    "manifest_of",
    "open_package",
    "suffix_of",
]

_messages = Catalogue("archive.ingest")
_MANIFEST = re.compile(r"([A-Za-z0-9_-]{0,56}[_-])?manifest\.xml")
_MALFORMED, _DIGEST, _ABSENT = "SEDA-101", "SEDA-207", "SEDA-211"
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_FAULTS_TOLD = 50
_ZIPS, _GZIP, _BZIP2 = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b", b"BZh"


class OpenPackage:
    """A package whose names and sizes were found safe; see `open_package`."""

    def __init__(self, container: Container, limits: Limits) -> None:
        self._container = container
        self._limits = limits
        self.sizes = container.sizes

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces.

        Raises:
            UnsafePackage: the content is damaged, or is not of the size announced.
        """
        return self._container.chunks(name)

    def extract(self, name: str, target: Path) -> None:
        """Write a file of the package to a path that the caller names.

        Raises:
            UnsafePackage: see ``chunks``.
            Unavailable: our disk does not take it.
        """
        with ours(), target.open("wb") as stream:
            stream.writelines(self.chunks(name))

    def manifest_name(self) -> str:
        """Return the name of the manifest.

        Raises:
            UnsafePackage: none, several, or one too large to be read.
        """
        names = [name for name in self.sizes if _MANIFEST.fullmatch(name)]
        if not names:
            raise UnsafePackage("no_manifest")
        if len(names) > 1:
            raise UnsafePackage("manifests", ", ".join(sorted(names)))
        if self.sizes[names[0]] > self._limits.manifest:
            raise UnsafePackage("bounds", names[0])
        return names[0]


@dataclass(slots=True)
class Examined:
    """What was found in a package.

    Attributes:
        problems: everything that is wrong with it, in the order of the checks.
        manifest: what was read of it; None when nothing could be.
        manifest_name: its name in the package.
        sizes: bytes of each file that can be read, by its name.
    """

    problems: list[Problem] = field(default_factory=list)
    manifest: Manifest | None = None
    manifest_name: str | None = None
    sizes: dict[str, int] = field(default_factory=dict)


@contextmanager
def open_package(path: Path, limits: Limits = LIMITS) -> Iterator[OpenPackage]:
    """Open a package for reading, once all of its entries were found safe.

    Raises:
        UnsafePackage: neither ZIP nor TAR, a damaged one, an entry with a dangerous name, a link, an encrypted entry, a name
            twice, or more entries, bytes or compression than the limits allow.
        Unavailable: our disk fails.
    """
    with _contained(path, limits) as container:
        if container.faults:
            raise UnsafePackage(container.faults[0].key, container.faults[0].found)
        yield OpenPackage(container, limits)


def check_package(path: Path, *, schemas: Path | None = None, limits: Limits = LIMITS) -> list[Problem]:
    """Return everything that is wrong with a package; nothing when it may be taken.

    Args:
        path: the package; read in streams, nothing is unpacked but the manifest.
        schemas: folder of the official schemas; without it the manifest is checked as well as can be done without them.
        limits: what the package may cost to read.

    Raises:
        Unavailable: our disk fails: nothing is said of the package then.
        Misconfigured: an official schema does not compile.
    """
    return examine_package(path, schemas=schemas, limits=limits).problems


@ours()
def examine_package(path: Path, *, schemas: Path | None = None, limits: Limits = LIMITS) -> Examined:
    """Return what was found in a package, everything that is wrong with it included; see ``check_package``."""
    found = Examined()
    try:
        with _contained(path, limits) as container, tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            found.problems += [_problem(_MALFORMED, fault.key, found=fault.found) for fault in container.faults[:_FAULTS_TOLD]]
            package = OpenPackage(container, limits)
            found.sizes = package.sizes
            found.manifest_name = package.manifest_name()
            target = Path(folder) / "manifest.xml"
            package.extract(found.manifest_name, target)
            found.manifest, problems = check_manifest_file(target, schemas=schemas)
            found.problems += problems
            if found.manifest is not None:
                refused = {fault.found for fault in container.faults}
                found.problems += _compare(package, found.manifest, found.manifest_name, refused)
    except UnsafePackage as error:
        told = error.key == "no_manifest" and any(_MANIFEST.fullmatch(problem.found or "") for problem in found.problems)
        if not told:  # it is there, and was refused for what it is
            found.problems.append(_problem(_MALFORMED, error.key, found=error.found))
    return found


@ours()
def compare_package(path: Path, limits: Limits = LIMITS) -> list[Problem]:
    """Return where the files of a package are not those of its manifest, whatever else is asked of a manifest today.

    What was sealed years ago is held against itself: neither against a schema nor against the digests that are strong enough now.

    Raises:
        UnreadableInput: what stands for a manifest is none.
        Unavailable: our disk fails.
    """
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "manifest.xml"
        try:
            with open_package(path, limits) as package:
                name = package.manifest_name()
                package.extract(name, target)
                manifest = read_manifest(target)
                return [*_without_digest(manifest), *_compare(package, manifest, name, set())]
        except UnsafePackage as error:
            return [_problem(_MALFORMED, error.key, found=error.found)]


@ours()
def manifest_of(path: Path, target: Path, limits: Limits = LIMITS) -> Manifest | None:
    """Write the manifest of a package to a file and read it, whatever else is wrong; None when it cannot be.

    Raises:
        Unavailable: our disk fails.
    """
    try:
        with _contained(path, limits) as container:
            package = OpenPackage(container, limits)
            package.extract(package.manifest_name(), target)
        return read_manifest(target)
    except UnreadableInput:
        return None


def suffix_of(path: Path) -> str:
    """Return how the name of a package is to end, by its content: ``.zip``, ``.tar``, ``.tar.gz`` or ``.tar.bz2``."""
    with path.open("rb") as stream:
        head = stream.read(4)
    suffixes = {**dict.fromkeys(_ZIPS, ".zip"), _GZIP: ".tar.gz", _BZIP2: ".tar.bz2"}
    return next((suffix for begins, suffix in suffixes.items() if head.startswith(begins)), ".tar")


@contextmanager
def _contained(path: Path, limits: Limits) -> Iterator[Container]:
    """Open a file as what its content says that it is; its name says nothing."""
    container = _recognised(path, limits)
    try:
        yield container
    finally:
        container.close()


@ours()
def _recognised(path: Path, limits: Limits) -> Container:
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith(_ZIPS):
        return Zipped(path, limits)
    if head.startswith(_GZIP):
        return Tarred(path, limits, lambda packed: cast("IO[bytes]", gzip.GzipFile(fileobj=packed)))
    if head.startswith(_BZIP2):
        return Tarred(path, limits, lambda packed: cast("IO[bytes]", bz2.BZ2File(packed)))
    return Tarred(path, limits)


def _compare(package: OpenPackage, manifest: Manifest, manifest_name: str, refused: set[str | None]) -> Iterator[Problem]:
    """Compare the files with the manifest, both ways; those that were refused by themselves are not told again."""
    declared = {item.uri: item for item in manifest.objects if item.uri is not None}
    close = {folded(name): name for name in package.sizes}
    for uri, item in declared.items():
        if uri in package.sizes:
            yield from _compare_file(package, uri, item)
        elif uri not in refused:
            key = "absent_close" if folded(uri) in close else "absent"
            yield _problem(_ABSENT, key, line=item.line, path=uri, found=close.get(folded(uri)))
    for name in sorted(package.sizes.keys() - declared.keys() - {manifest_name}):
        yield _problem(_MALFORMED, "undeclared", path=name)


def _without_digest(manifest: Manifest) -> Iterator[Problem]:
    for item in manifest.objects:
        if item.uri is not None and (item.digest is None or item.algorithm not in DIGEST_HEX_LENGTHS):
            yield _problem(_DIGEST, "no_digest", line=item.line, path=item.uri, found=item.algorithm)


def _compare_file(package: OpenPackage, name: str, item: ManifestObject) -> Iterator[Problem]:
    size = package.sizes[name]
    if item.size is not None and item.size.removeprefix("+").isdecimal() and int(item.size[:20]) != size:
        yield _problem(_DIGEST, "size", line=item.line, path=name, found=str(size), expected=item.size)
    if item.digest is None or item.algorithm not in DIGEST_HEX_LENGTHS:
        return
    digest = hashlib.new(_HASHES[item.algorithm])
    try:
        for chunk in package.chunks(name):
            digest.update(chunk)
    except UnsafePackage as error:
        yield _problem(_MALFORMED, error.key, line=item.line, path=name)
        return
    if digest.hexdigest() != item.digest:
        yield _problem(_DIGEST, "digest", line=item.line, path=name, found=digest.hexdigest(), expected=item.digest)


def _problem(
    rule: str,
    key: str,
    *,
    line: int | None = None,
    path: str | None = None,
    found: str | None = None,
    expected: str | None = None,
) -> Problem:
    return Problem(
        rule=rule,
        severity=Severity.ERROR,
        message=_messages(f"package.{key}.message"),
        line=line,
        path=path,
        found=found,
        expected=expected,
        mend=_messages(f"package.{key}.mend"),
    )
