"""Packages in a ZIP, stored or deflated, with or without ZIP64: the directory is bounded before it is read whole."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from archive.ingest.containers import PIECE, Container, Fault, Limits, Names, UnsafePackage
from archive.ingest.disk import opened

_END, _ZIP64_END, _ZIP64_LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_LENGTH, _LONGEST_COMMENT, _LOCATOR_LENGTH, _ZIP64_LENGTH = 22, 0xFFFF, 20, 56
_UNREADABLE = (
    *(zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OverflowError, EOFError, zlib.error),
    OSError,  # of a place that the directory names, and that no file has; the disk’s is `Unavailable`
)


class Zipped(Container):
    """A ZIP; the caller closes it.

    Raises:
        UnsafePackage: no ZIP, a damaged one, or one beyond the limits.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        _bound_directory(path, limits)
        self._stream = opened(path)
        try:
            self._zipped = _directory(self._stream)
            self.sizes, self.faults = _judged(self._zipped.infolist(), path.stat().st_size, limits)
        except BaseException:
            self._stream.close()
            raise

    def chunks(self, name: str) -> Iterator[bytes]:
        """See ``Container``."""
        try:
            with self._zipped.open(name) as stream:
                while chunk := stream.read(PIECE):
                    yield chunk
        except _UNREADABLE as error:
            raise UnsafePackage("damaged", name) from error

    def close(self) -> None:
        """Give the file back."""
        self._zipped.close()
        self._stream.close()


def _directory(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except _UNREADABLE as error:
        raise UnsafePackage("not_package") from error


def _bound_directory(path: Path, limits: Limits) -> None:
    """Refuse a directory too large before `zipfile` reads it whole, where `zipfile` will look for it."""
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END_LENGTH - _LONGEST_COMMENT - _LOCATOR_LENGTH - _ZIP64_LENGTH))
        tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_LENGTH:
        raise UnsafePackage("not_package")
    count = int.from_bytes(tail[at + 10 : at + 12], "little")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[max(0, at - _LOCATOR_LENGTH) : at].startswith(_ZIP64_LOCATOR):
        record = tail[max(0, at - _LOCATOR_LENGTH - _ZIP64_LENGTH) : at - _LOCATOR_LENGTH]
        if not record.startswith(_ZIP64_END) or len(record) < _ZIP64_LENGTH:
            raise UnsafePackage("not_package")
        count, length = int.from_bytes(record[32:40], "little"), int.from_bytes(record[40:48], "little")
    if count > limits.entries or length > limits.directory:
        raise UnsafePackage("bounds", str(count))


def _judged(entries: list[zipfile.ZipInfo], packed: int, limits: Limits) -> tuple[dict[str, int], tuple[Fault, ...]]:
    total = sum(entry.file_size for entry in entries)
    if len(entries) > limits.entries or total > limits.total:
        raise UnsafePackage("bounds", str(len(entries)))
    if total > limits.ratio_from and total > limits.ratio * packed:
        raise UnsafePackage("bounds", str(total))
    names = Names()
    for entry in entries:
        _take(names, entry, limits)
    return names.sizes, tuple(names.faults)


def _take(names: Names, entry: zipfile.ZipInfo, limits: Limits) -> None:
    # `zipfile` cuts a name at a NUL and turns the backslashes of Windows: what was written is what is judged.
    name = entry.orig_filename
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.file_size > limits.ratio_from and entry.file_size > limits.ratio * entry.compress_size:
        raise UnsafePackage("bounds", name)
    if name != entry.filename:
        names.refuse("name", name)
    elif kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        names.refuse("link", name)
    elif entry.flag_bits & 0x1:
        names.refuse("encrypted", name)
    elif entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        names.refuse("method", name)
    elif entry.is_dir():
        names.folder(name)
    else:
        names.take(name, entry.file_size)
