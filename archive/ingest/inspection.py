"""Looking into a package that anybody built: is it safe to open, and are its files those of its manifest?

What lives here: bounds and names before anything is read, then both ways between files and manifest, digests and sizes. What
does not: what the manifest must satisfy by itself (`schemas.seda.rules`), agreements, viruses, formats.

Covered: ZIP packages, stored or deflated, without ZIP64. Problems bear the reply codes of an archive service: ``101``
malformed, ``207`` digest, ``211`` file absent.
"""

from __future__ import annotations

import hashlib
import re
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import UnreadableInput
from core.messages import Catalogue
from core.problems import Problem, Severity
from schemas.seda.reader import Manifest, ManifestObject
from schemas.seda.rules import DIGEST_HEX_LENGTHS, check_manifest_file, is_plain_path

_messages = Catalogue("archive")
_MANIFEST = re.compile(r"([A-Za-z0-9_-]{0,56}[_-])?manifest\.xml")
_MALFORMED, _DIGEST, _ABSENT = "SEDA-101", "SEDA-207", "SEDA-211"
_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_CHUNK = 1 << 20
_END, _ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
_END_LENGTH, _LONGEST_COMMENT, _LOCATOR_LENGTH = 22, 0xFFFF, 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a package may cost to read.

    Attributes:
        entries: how many.
        directory: bytes of the directory, which is read whole.
        total: bytes of all contents, unpacked.
        manifest: bytes of the manifest, whose tree is held in memory.
        ratio: unpacked to packed, for an entry beyond ``ratio_from`` bytes.
    """

    entries: int = 60_000
    directory: int = 16 << 20
    total: int = 4 << 30
    manifest: int = 64 << 20
    ratio: int = 200
    ratio_from: int = 10 << 20


class UnsafePackage(UnreadableInput):
    """The file is no ZIP, or must not be opened.

    Attributes:
        key: of the message that says why.
        found: what stands there.
    """

    def __init__(self, key: str, found: str | None = None) -> None:
        super().__init__(f"{key}: {found}" if found else key)
        self.key = key
        self.found = found


class OpenPackage:
    """A package whose names and sizes were found safe; see `open_package`."""

    def __init__(self, zipped: zipfile.ZipFile, limits: Limits) -> None:
        self._zipped = zipped
        self._limits = limits
        self.sizes = {entry.filename: entry.file_size for entry in zipped.infolist() if not entry.is_dir()}

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file in pieces.

        Raises:
            UnsafePackage: the content is damaged, or is not of the size announced.
        """
        try:
            with self._zipped.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UnsafePackage("damaged", name) from error

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


@contextmanager
def open_package(path: Path, limits: Limits = Limits()) -> Iterator[OpenPackage]:
    """Open a package for reading, once its directory was found safe.

    Raises:
        UnsafePackage: no ZIP, a damaged one, an entry with a dangerous name, a link, an encrypted entry, a name twice, or
            more entries, bytes or compression than the limits allow.
    """
    _bound_directory(path, limits)
    try:
        zipped = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise UnsafePackage("not_zip") from error
    with zipped:
        _check_entries(zipped.infolist(), limits)
        yield OpenPackage(zipped, limits)


def check_package(path: Path, *, schemas: Path | None = None, limits: Limits = Limits()) -> list[Problem]:
    """Return everything that is wrong with a package; nothing when it may be taken.

    Args:
        path: the package; read in streams, nothing is unpacked but the manifest.
        schemas: folder of the official schemas; without it the manifest is checked for everything but the schema.
        limits: what the package may cost to read.
    """
    try:
        with open_package(path, limits) as package, tempfile.TemporaryDirectory() as folder:
            name = package.manifest_name()
            target = Path(folder) / "manifest.xml"
            with target.open("wb") as stream:
                stream.writelines(package.chunks(name))
            manifest, problems = check_manifest_file(target, schemas=schemas)
            if manifest is not None:
                problems += _compare(package, manifest, name)
            return problems
    except UnsafePackage as error:
        return [_problem(_MALFORMED, error.key, found=error.found)]


def _bound_directory(path: Path, limits: Limits) -> None:
    """Refuse a directory too large before `zipfile` reads it whole; ZIP64, which could hide its size, is refused too."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_LENGTH - _LONGEST_COMMENT - _LOCATOR_LENGTH))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_LENGTH:
        raise UnsafePackage("not_zip")
    if tail[max(0, at - _LOCATOR_LENGTH) : at].startswith(_ZIP64_LOCATOR):
        raise UnsafePackage("bounds", "ZIP64")
    count = int.from_bytes(tail[at + 10 : at + 12], "little")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    if count > limits.entries or length > limits.directory:
        raise UnsafePackage("bounds", str(count))


def _check_entries(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(entries) > limits.entries or sum(entry.file_size for entry in entries) > limits.total:
        raise UnsafePackage("bounds", str(len(entries)))
    for entry in entries:
        # `zipfile` cuts a name at a NUL and turns the backslashes of Windows: what was written is what is judged.
        name = entry.orig_filename
        if name != entry.filename or not is_plain_path(name.removesuffix("/")):
            raise UnsafePackage("name", name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise UnsafePackage("link", name)
        if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise UnsafePackage("damaged", name)
        if entry.flag_bits & 0x1:
            raise UnsafePackage("encrypted", name)
        if entry.file_size > limits.ratio_from and entry.file_size > limits.ratio * entry.compress_size:
            raise UnsafePackage("bounds", name)
    repeated = [name for name, count in Counter(entry.filename for entry in entries).items() if count > 1]
    if repeated:
        raise UnsafePackage("name_twice", repeated[0])


def _compare(package: OpenPackage, manifest: Manifest, manifest_name: str) -> Iterator[Problem]:
    """Compare the files with the manifest, both ways.

    The objects of SEDA 1.0 and 0.2 are not read, so their packages are not compared.
    """
    if manifest.version in {"0.2", "1.0"}:
        return
    declared = {item.uri: item for item in manifest.objects if item.uri is not None}
    close = {_folded(name): name for name in package.sizes}
    for uri, item in declared.items():
        if uri in package.sizes:
            yield from _compare_file(package, uri, item)
        else:
            key = "absent_close" if _folded(uri) in close else "absent"
            yield _problem(_ABSENT, key, line=item.line, path=uri, found=close.get(_folded(uri)))
    for name in sorted(package.sizes.keys() - declared.keys() - {manifest_name}):
        yield _problem(_MALFORMED, "undeclared", path=name)


def _compare_file(package: OpenPackage, name: str, item: ManifestObject) -> Iterator[Problem]:
    size = package.sizes[name]
    if item.size is not None and item.size.removeprefix("+").isdecimal() and int(item.size[:20]) != size:
        yield _problem(_DIGEST, "size", line=item.line, path=name, found=str(size), expected=item.size)
    if item.digest is None or item.algorithm not in DIGEST_HEX_LENGTHS:
        return
    digest = hashlib.new(_HASHES[item.algorithm])
    for chunk in package.chunks(name):
        digest.update(chunk)
    if digest.hexdigest() != item.digest:
        yield _problem(_DIGEST, "digest", line=item.line, path=name, found=digest.hexdigest(), expected=item.digest)


def _folded(name: str) -> str:
    """Return what stays of a name when case and the form of its accents are set aside."""
    return unicodedata.normalize("NFC", name).casefold()


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
