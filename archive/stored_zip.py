"""ZIP files whose every byte follows from their contents: entries stored uncompressed, one date, no optional field.

Why not `zipfile`: a package built twice must have the same digest, whatever the versions of Python and zlib, and an evidence
file must not hold a byte that was not verified. The writer here leaves no freedom, so that the reader can refuse whatever the
writer would not have written: hidden bytes between entries, a second directory, headers that contradict one another. Any ZIP
program opens the result (APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16; no ZIP64).

What does not live here: reading the ZIP files of others (`archive.package`).
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from core.clock import as_utc
from core.errors import UnreadableInput, UsageError
from core.messages import Catalogue

LARGEST_FILE = 0xFFFF_FFFE
LARGEST_COUNT = 0xFFFE

_messages = Catalogue("archive")
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*(/[A-Za-z0-9][A-Za-z0-9._@-]*)*")
_LONGEST_NAME = 240
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = 0x04034B50, 0x02014B50, 0x06054B50
_MADE_BY, _NEEDED = 0x0314, 20  # Unix, APPNOTE 2.0: the least that knows folders
_REGULAR_FILE = 0o100644 << 16


class NotStoredZip(UnreadableInput):
    """The file is not what this module writes: truncated, altered, or packed again by another program."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry as it was written: its name, the SHA-256 of its content in hexadecimal, its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the directory: where its header begins, the checksum and size of its content."""

    name: str
    crc: int
    size: int
    offset: int
    time: int
    date: int

    @property
    def start(self) -> int:
        """Where the content begins, in bytes from the start of the file."""
        return self.offset + _LOCAL.size + len(self.name)

    @property
    def local(self) -> bytes:
        """The header before the content."""
        sizes = (self.crc, self.size, self.size, len(self.name), 0)
        return _LOCAL.pack(_LOCAL_SIGNATURE, _NEEDED, 0, 0, self.time, self.date, *sizes) + self.name.encode("ascii")

    @property
    def central(self) -> bytes:
        """The record in the directory at the end of the file."""
        sizes = (self.crc, self.size, self.size, len(self.name))
        fields = (_CENTRAL_SIGNATURE, _MADE_BY, _NEEDED, 0, 0, self.time, self.date, *sizes, 0, 0, 0, 0, _REGULAR_FILE)
        return _CENTRAL.pack(*fields, self.offset) + self.name.encode("ascii")


class StoredZip:
    """A ZIP being written, entry after entry; see `stored_zip`."""

    def __init__(self, stream: IO[bytes], at: datetime) -> None:
        self._stream = stream
        self._entries: list[Entry] = []
        self._names: set[str] = set()
        self._date, self._time = _dos(at)

    def add(self, name: str, content: Path | bytes) -> Stored:
        """Write an entry and return its digest, computed on the very bytes written.

        Raises:
            UsageError: a name that is not plain ASCII or is there already, or a file beyond what ZIP holds without ZIP64.
        """
        if not is_plain_name(name) or name.casefold() in self._names:
            raise UsageError(_messages("zip.name", name=name[:200]))
        offset = self._stream.tell()
        draft = Entry(name, 0, 0, offset, self._time, self._date)
        self._stream.write(draft.local)
        digest, crc, size = hashlib.sha256(), 0, 0
        with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
                size += len(chunk)
                if draft.start + size > LARGEST_FILE:
                    raise UsageError(_messages("zip.large"))
                self._stream.write(chunk)
        entry = Entry(name, crc, size, offset, self._time, self._date)
        self._stream.seek(offset)
        self._stream.write(entry.local)
        self._stream.seek(entry.start + size)
        self._entries.append(entry)
        self._names.add(name.casefold())
        return Stored(name, digest.hexdigest(), size)

    def finish(self) -> None:
        """Write the directory."""
        start = self._stream.tell()
        directory = _directory(self._entries, start)
        if start + len(directory) > LARGEST_FILE or len(self._entries) > LARGEST_COUNT:
            raise UsageError(_messages("zip.large"))
        self._stream.write(directory)


@contextmanager
def stored_zip(target: Path, at: datetime) -> Iterator[StoredZip]:
    """Write a ZIP at a path; when the block raises, nothing is left there.

    Args:
        target: where; an existing file is replaced.
        at: the date of every entry, in UTC to two seconds; between 1980 and 2107.
    """
    try:
        with target.open("w+b") as stream:
            zipped = StoredZip(stream, at)
            yield zipped
            zipped.finish()
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def read_stored_zip(stream: IO[bytes], *, largest_count: int = LARGEST_COUNT) -> list[Entry]:
    """Return the entries of a ZIP, having compared every byte outside of the contents with what the writer writes.

    Raises:
        NotStoredZip: anything differs, or there are too many entries.
    """
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END.size))
    tail = stream.read(_END.size)
    if len(tail) < _END.size or size > LARGEST_FILE:
        raise NotStoredZip("too short or too long")
    _, _, _, _, count, length, start, _ = _END.unpack(tail)
    if count > largest_count or start + length + _END.size != size or length > count * (_CENTRAL.size + _LONGEST_NAME):
        raise NotStoredZip("no directory where it should be")
    stream.seek(start)
    entries = _parse(stream.read(length), count)
    if _directory(entries, start) != _reread(stream, start, size - start):
        raise NotStoredZip("the directory is not as it is written here")
    expected = 0
    for entry in entries:
        if entry.offset != expected or _reread(stream, expected, len(entry.local)) != entry.local:
            raise NotStoredZip(f"the header of {entry.name} is not as it is written here")
        expected = entry.start + entry.size
    if expected != start or len({entry.name.casefold() for entry in entries}) != len(entries):
        raise NotStoredZip("bytes that belong to no entry, or a name twice")
    if len({(entry.date, entry.time) for entry in entries}) > 1:
        raise NotStoredZip("the entries bear several dates")
    return entries


def content(stream: IO[bytes], entry: Entry) -> Iterator[bytes]:
    """Yield the content of an entry in pieces of at most 1 MiB, and compare its checksum at the end.

    Raises:
        NotStoredZip: the checksum differs.
    """
    crc, position, end = 0, entry.start, entry.start + entry.size
    while position < end:
        chunk = _reread(stream, position, min(_CHUNK, end - position))
        if not chunk:
            raise NotStoredZip(f"{entry.name} ends too early")
        crc = zlib.crc32(chunk, crc)
        position += len(chunk)
        yield chunk
    if crc != entry.crc:
        raise NotStoredZip(f"the checksum of {entry.name} differs")


def is_plain_name(name: str) -> bool:
    """Tell whether a name may be that of an entry: relative, ASCII, no part that begins with a dot."""
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def _parse(directory: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    position = 0
    for _ in range(count):
        fields = directory[position : position + _CENTRAL.size]
        if len(fields) < _CENTRAL.size:
            raise NotStoredZip("the directory is cut short")
        _, _, _, _, _, time, date, crc, _, size, length, _, _, _, _, _, offset = _CENTRAL.unpack(fields)
        position += _CENTRAL.size
        name = directory[position : position + length].decode("ascii", errors="replace")
        position += length
        if not is_plain_name(name):
            raise NotStoredZip("the name of an entry is not plain")
        entries.append(Entry(name, crc, size, offset, time, date))
    return entries


def _directory(entries: list[Entry], start: int) -> bytes:
    central = b"".join(entry.central for entry in entries)
    end = _END.pack(_END_SIGNATURE, 0, 0, len(entries), len(entries), len(central), start, 0)
    return central + end


def _reread(stream: IO[bytes], start: int, length: int) -> bytes:
    stream.seek(start)
    return stream.read(length)


def _dos(at: datetime) -> tuple[int, int]:
    """Return the date and time of MS-DOS (APPNOTE 4.4.6)."""
    moment = as_utc(at)
    if not 1980 <= moment.year <= 2107:
        raise UsageError(_messages("zip.date", year=moment.year))
    date = (moment.year - 1980) << 9 | moment.month << 5 | moment.day
    return date, moment.hour << 11 | moment.minute << 5 | moment.second // 2
