"""Archives of ACTES: a flat tar, compressed with gzip, built so that the same files give the same octets, opened as a stranger's.

Both ways are streams: an archive of 150 MB takes no more memory than one of 1 kB. What the files say is judged in ``rules.py``.
"""

from __future__ import annotations

import gzip
import math
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from babel.numbers import format_decimal

from core.errors import UsageError
from core.messages import current_locale
from core.problems import Problem
from schemas.actes.names import ArchiveName
from schemas.actes.tar import BrokenTar, Entry, entries
from schemas.actes.wording import messages, problem

_PIECE = 1 << 16
_LONGEST_NAME = 100  # what a ustar header holds without a folder
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_MEGABYTE = 1 << 20


class UnwritableArchive(UsageError):
    """The archive cannot be built from these files."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an archive may be (rule R05); sizes in bytes.

    Attributes:
        archive: the compressed file.
        documents: act and annexes together, uncompressed: 150 MB unless the operator says otherwise.
        messages: envelope and messages together, uncompressed, on top of the documents.
        files: how many.
        ratio: how many times larger than the compressed file the content may be, once it is larger than ``harmless``.
        harmless: content that is looked at whatever its ratio.
    """

    archive: int = 170 * _MEGABYTE
    documents: int = 150 * _MEGABYTE
    messages: int = 32 * _MEGABYTE
    files: int = 1000
    ratio: int = 100
    harmless: int = 16 * _MEGABYTE


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class Unpacked:
    """What came out of an archive.

    Attributes:
        files: by name, in the order of the archive; none at all when reading had to stop.
        sizes: of the same, in bytes.
        problems: rules R03 to R05; entries that break R04 are left out and the others read.
        whole: whether the archive was read to its end.
    """

    files: dict[str, Path] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    whole: bool = False


def build(folder: Path, name: ArchiveName, files: Mapping[str, Path]) -> Path:
    """Build an archive: a flat ustar under gzip, in the order given, without dates or owners.

    Args:
        folder: where it appears, whole or not at all.
        name: its name.
        files: by the name that each bears in the archive: envelope, messages, documents.

    Returns:
        The file.

    Raises:
        UnwritableArchive: no file, a name that is no plain one, or something that is no regular file.
    """
    if not files:
        raise UnwritableArchive(messages("archive.empty"))
    for called, path in files.items():
        if not _PLAIN_NAME.fullmatch(called) or len(called) > _LONGEST_NAME:
            raise UnwritableArchive(messages("archive.name", found=called[:_LONGEST_NAME]))
        if path.is_symlink() or not path.is_file():
            raise UnwritableArchive(messages("archive.file", found=called))
    target = folder / str(name)
    partial = folder / f"{name}.partial"
    try:
        with partial.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as compressed:
            _fill(compressed, files)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _fill(compressed: gzip.GzipFile, files: Mapping[str, Path]) -> None:
    with tarfile.open(fileobj=compressed, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for called, path in files.items():
            with path.open("rb") as content:
                entry = tarfile.TarInfo(called)
                entry.size = os.fstat(content.fileno()).st_size
                archive.addfile(entry, content)


def unpack(path: Path, folder: Path, limits: Limits = DEFAULT_LIMITS) -> Unpacked:
    """Take an archive apart into a folder, which must exist and hold none of its names.

    Nothing but regular files is ever written, and nothing outside the folder. A name that is harmless is taken though the norm
    has no such: R19 and R21 say so. When reading must stop (R03, R05), the files that were written are removed.
    """
    unpacked = Unpacked()
    size = path.stat().st_size
    if size > limits.archive:
        unpacked.problems.append(_too_large("archive", size, limits.archive))
        return unpacked
    try:
        with path.open("rb") as raw:
            _take_apart(_Inflating(raw, limits), folder, limits, unpacked)
        unpacked.whole = True
    except _TooMuch as error:
        unpacked.problems.append(error.problem)
    except BrokenTar as error:
        unpacked.problems.append(problem("R03", error.variant))
    except EOFError:
        unpacked.problems.append(problem("R03", "truncated"))
    except (gzip.BadGzipFile, zlib.error):
        unpacked.problems.append(problem("R03", "gzip"))
    if not unpacked.whole:
        for written in unpacked.files.values():
            written.unlink(missing_ok=True)
        unpacked.files.clear()
        unpacked.sizes.clear()
    return unpacked


class _TooMuch(Exception):
    """A limit is passed."""

    def __init__(self, told: Problem) -> None:
        super().__init__(told.rule)
        self.problem = told


class _Inflating:
    """The content of a gzip, counted against what it was compressed to."""

    def __init__(self, raw: IO[bytes], limits: Limits) -> None:
        self._raw = raw
        self._gzip = gzip.GzipFile(fileobj=raw, mode="rb")
        self._limits = limits
        self._most = limits.documents + limits.messages
        self._read = 0

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end only.

        Raises:
            _TooMuch: too much content, or too much for what is compressed.
            EOFError, BadGzipFile, zlib.error: as gzip.
        """
        content = self._gzip.read(size) if size else b""
        self._read += len(content)
        if self._read > self._most:
            raise _TooMuch(_too_large("content", self._read, self._most))
        compressed = self._raw.tell()
        if self._read > self._limits.harmless and self._read > compressed * self._limits.ratio:
            raise _TooMuch(problem("R05", "bomb", found=f"{self._read // max(compressed, 1)}", limit=self._limits.ratio))
        return content


def _take_apart(stream: _Inflating, folder: Path, limits: Limits, unpacked: Unpacked) -> None:
    seen: set[str] = set()
    for rank, entry in enumerate(entries(stream.read), start=1):
        if rank > limits.files:
            raise _TooMuch(problem("R05", "files", found=f"{limits.files + 1}", limit=limits.files))
        variant = entry.illegal or _illegal_name(entry.name, seen)
        seen.add(entry.name.casefold())
        if variant:
            unpacked.problems.append(problem("R04", variant, path=_shown(entry.name), found=_shown(entry.name)))
        else:
            _write(entry, folder, unpacked)


def _illegal_name(name: str, seen: set[str]) -> str | None:
    if "/" in name or "\\" in name:
        return "path"
    if name.casefold() in seen:
        return "twice"
    harmless = name not in ("", ".", "..") and name.isprintable() and len(name.encode()) <= _LONGEST_NAME
    return None if harmless else "name"


def _write(entry: Entry, folder: Path, unpacked: Unpacked) -> None:
    target = folder / entry.name
    # Created by us or not at all: neither over a file nor through a link that somebody put there.
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    unpacked.files[entry.name] = target
    unpacked.sizes[entry.name] = entry.size
    with os.fdopen(handle, "wb") as written:
        for piece in entry.pieces:
            written.write(piece)


def _shown(name: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in name)


def _too_large(variant: str, size: int, limit: int) -> Problem:
    return problem("R05", variant, found=megabytes(size), limit=megabytes(limit))


def megabytes(size: int) -> str:
    """Return a size in words, in megabytes of 1 048 576 bytes; upwards, so that what passes a limit never reads like it."""
    return messages("megabytes", number=format_decimal(math.ceil(size * 10 / _MEGABYTE) / 10, locale=current_locale()))
