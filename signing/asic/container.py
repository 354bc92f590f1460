"""Reading a zip that a stranger made, as a container: bounded, every name safe and unique, nothing written to disk."""

from __future__ import annotations

import functools
import hashlib
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote

from core.errors import UnreadableInput
from core.messages import Catalogue

_messages = Catalogue("signing")

ASIC_E = "application/vnd.etsi.asic-e+zip"
ASIC_S = "application/vnd.etsi.asic-s+zip"
MIMETYPE = "mimetype"
META = "META-INF/"
_MOST_ENTRIES = 10_000
_LARGEST_DIRECTORY = 4 << 20
_END_RECORD = (1 << 16) + 42  # its longest comment, and what stands before it for the large form
_END_FIELDS = 18
_LOCAL_HEADER = struct.Struct("<6x2H8x2I2H")  # APPNOTE 4.3.7; what may follow a file, its descriptor (4.3.9), is shorter
_STREAMED = 1 << 3  # APPNOTE 4.4.4: the sizes were not known yet when the header was written
_LARGE, _LARGE_SIZES = 0xFFFFFFFF, 1  # APPNOTE 4.5.3
_PIECE = 1 << 16
_LARGEST_TOTAL = 4 << 30
_LARGEST_META = 16 << 20
_LARGEST_MIMETYPE = 256
_RATIO, _RATIO_FROM = 200, 64 << 20
_UNSAFE = re.compile(r"[\x00-\x1f\\]|^[A-Za-z]:")
# the ways in which zipfile says that something cannot be read: damaged, encrypted, of an unknown compression
_UNZIPPED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, struct.error, zlib.error)


class ContainerUnreadable(UnreadableInput):
    """What was handed over is no zip, or one that is not safe to read."""


class EntryUnreadable(UnreadableInput):
    """One entry is absent, too large or damaged."""


class Container:
    """A zip opened for reading, its directory held against the limits.

    Attributes:
        names: of the files, in the order of the directory.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        entries = archive.infolist()
        _refuse_flood(entries, size)
        _refuse_names(entries)
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self.names = tuple(self._entries)
        self.digest = functools.cache(self._digest)

    @property
    def data(self) -> tuple[str, ...]:
        """The files that are signed: all but the type and what stands in META-INF."""
        return tuple(name for name in self.names if name != MIMETYPE and not name.startswith(META))

    @property
    def first_is_plain_type(self) -> bool:
        """Whether the type stands first and uncompressed, where tools look for it (ETSI EN 319 162-1, A.1)."""
        entry = self._entries.get(MIMETYPE)
        return entry is not None and entry.header_offset == 0 and entry.compress_type == zipfile.ZIP_STORED

    @property
    def type(self) -> str | None:
        """The type that the container gives itself."""
        if MIMETYPE not in self._entries:
            return None
        return self.read(MIMETYPE, _LARGEST_MIMETYPE).decode("ascii", "replace").strip()

    def named(self, reference: str) -> str | None:
        """Return the name of the file that a URI reference leads to, or None."""
        return next((name for name in (reference, unquote(reference)) if name in self._entries), None)

    def entry(self, name: str) -> zipfile.ZipInfo:
        """Return what the directory says of a file."""
        return self._entries[name]

    def read(self, name: str, limit: int = _LARGEST_META) -> bytes:
        """Return a small file.

        Raises:
            EntryUnreadable: absent, damaged, or larger than the limit (octets).
        """
        with self.opened(name) as stream:
            octets = stream.read(limit + 1)
        if len(octets) > limit:
            raise EntryUnreadable(_messages("asic.entry", name=name))
        return octets

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """Give a file as a stream.

        Raises:
            EntryUnreadable: absent, or damaged, be it found while it is read within the block.
        """
        if name not in self._entries:
            raise EntryUnreadable(_messages("asic.entry", name=name))
        try:
            with self._archive.open(self._entries[name]) as stream:
                yield stream
        except _UNZIPPED as error:
            raise EntryUnreadable(_messages("asic.entry", name=name)) from error

    def _digest(self, name: str, hash_name: str) -> bytes:
        with self.opened(name) as stream:
            return hashlib.file_digest(stream, hash_name).digest()  # type: ignore[arg-type]  # it has readinto


@contextmanager
def opened(path: Path) -> Iterator[Container]:
    """Open a container; the size of the file itself is bounded by the caller.

    Raises:
        ContainerUnreadable: no zip; more than 10,000 entries or 4 GiB; more than 200 times its size, above 64 MiB; a name twice,
            or one that leads elsewhere; octets that the directory does not account for.
    """
    try:
        _refuse_large_directory(path)
        archive = zipfile.ZipFile(path)
    except _UNZIPPED as error:
        raise ContainerUnreadable(_messages("asic.unreadable", file=path.name)) from error
    with archive:
        container = Container(archive, path.stat().st_size)
        try:
            with path.open("rb") as stream:
                _refuse_hidden(archive, stream)
        except _UNZIPPED as error:
            raise ContainerUnreadable(_messages("asic.unreadable", file=path.name)) from error
        yield container


def _refuse_large_directory(path: Path) -> None:
    """Refuse a directory that takes long to read, before it is read (APPNOTE 4.3.16; 4.3.15, for sizes that we do not take)."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END_RECORD))
        end = stream.read()
    before, mark, record = end.rpartition(b"PK\x05\x06")
    if not mark or len(record) < _END_FIELDS:
        raise zipfile.BadZipFile("no end record")
    entries, size = struct.unpack_from("<HI", record, 6)
    if entries > _MOST_ENTRIES or size > _LARGEST_DIRECTORY or before[-20:].startswith(b"PK\x06\x07"):
        raise ContainerUnreadable(_messages("asic.flood", entries=entries, size=path.stat().st_size >> 20))


def _refuse_flood(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse what would unpack to too much; an entry never gives more octets than it declares."""
    total = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_ENTRIES or total > _LARGEST_TOTAL or total > max(_RATIO * size, _RATIO_FROM):
        raise ContainerUnreadable(_messages("asic.flood", entries=len(entries), size=total >> 20))


def _refuse_hidden(archive: zipfile.ZipFile, stream: IO[bytes]) -> None:
    """Refuse octets between the files that could be another file: programs that read from the front on would find that one."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda one: one.header_offset):
        stream.seek(entry.header_offset)
        if not _is_gap(entry.header_offset - position) or not _fills_its_place(entry, stream):
            raise ContainerUnreadable(_messages("asic.hidden"))
        position = stream.tell()
    if not _is_gap(archive.start_dir - position):
        raise ContainerUnreadable(_messages("asic.hidden"))


def _is_gap(length: int) -> bool:
    return 0 <= length < _LOCAL_HEADER.size


def _fills_its_place(entry: zipfile.ZipInfo, stream: IO[bytes]) -> bool:
    """Tell whether a file ends where the directory says for those too who read its own header, and leave the stream there."""
    flags, method, packed, size, name, extra = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    fields = stream.read(name + extra)[name:]
    start = stream.tell()
    if _LARGE in {packed, size}:
        size, packed = _large_sizes(fields) or (size, packed)
    unknown = {0} if flags & _STREAMED else set()
    sizes = packed in {entry.compress_size, *unknown} and size in {entry.file_size, *unknown}
    if entry.compress_type == zipfile.ZIP_DEFLATED:
        ends = _is_deflated_whole(entry, stream)
    else:  # nothing but its size tells the end of what is stored
        bare = entry.compress_type != zipfile.ZIP_STORED or entry.compress_size == entry.file_size
        ends = bare and not (flags & _STREAMED and entry.compress_size)
    stream.seek(start + entry.compress_size)
    return method == entry.compress_type and sizes and ends


def _large_sizes(fields: bytes) -> tuple[int, int] | None:
    """Return the sizes, unpacked and packed, of the large form among the extra fields of a local header."""
    while len(fields) >= 4:
        kind, length = struct.unpack_from("<HH", fields)
        if kind == _LARGE_SIZES:
            size, packed = struct.unpack_from("<QQ", fields, 4)
            return size, packed
        fields = fields[4 + length :]
    return None


def _is_deflated_whole(entry: zipfile.ZipInfo, stream: IO[bytes]) -> bool:
    """Tell whether nothing stands behind the end of what is deflated; damage is left to be told by who reads the file."""
    unpacker, left, size, piece = zlib.decompressobj(-zlib.MAX_WBITS), entry.compress_size, 0, b""
    try:
        while not unpacker.eof and size <= entry.file_size:
            if not piece:
                piece = stream.read(min(left, _PIECE))
                left -= len(piece)
            octets = unpacker.decompress(piece, _PIECE)
            if not piece and not octets:
                return True
            size += len(octets)
            piece = unpacker.unconsumed_tail
    except zlib.error:
        return True
    return unpacker.eof and not unpacker.unused_data and not left and size == entry.file_size


def _refuse_names(entries: list[zipfile.ZipInfo]) -> None:
    for entry in entries:
        path = PurePosixPath(entry.filename)
        # what follows a NUL is hidden by zipfile, and a folder holds nothing
        hidden = entry.filename != entry.orig_filename or (entry.is_dir() and entry.file_size)
        if (
            hidden
            or path.is_absolute()
            or not {"..", "."}.isdisjoint(entry.filename.split("/"))
            or _UNSAFE.search(entry.filename)
        ):
            raise ContainerUnreadable(_messages("asic.name", name=repr(entry.orig_filename[:100])))
    twice = [name for name, count in Counter(entry.filename for entry in entries).items() if count > 1]
    if twice:
        raise ContainerUnreadable(_messages("asic.twice", name=twice[0][:100]))
