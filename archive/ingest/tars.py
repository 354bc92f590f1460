"""Packages in a TAR, plain or compressed: unpacked once, bounded, into a file without a name, then read where entries stand.

The headers are read by the reader of ACTES archives, which trusts none of them (`schemas.actes.tar`).
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from archive.ingest.containers import PIECE, Container, Limits, Names, UnsafePackage
from archive.ingest.disk import opened, ours
from schemas.actes.tar import BrokenTar, entries

Inflating = Callable[[IO[bytes]], IO[bytes]]
"""Returns a reader of what a compressed file holds."""
_FAULTS = {"link": "link", "device": "link"}
_UNREADABLE = (EOFError, OSError, zlib.error, ValueError)  # what gzip and bz2 raise for contents; the disk’s is `Unavailable`


class Tarred(Container):
    """A TAR; the caller closes it.

    Args:
        path: the file.
        limits: what it may cost to read.
        inflated: what reads it when it is compressed.

    Raises:
        UnsafePackage: no TAR, a damaged one, or one beyond the limits.
    """

    def __init__(self, path: Path, limits: Limits, inflated: Inflating | None = None) -> None:
        self._stream = _plain(path, inflated, limits) if inflated else opened(path)
        try:
            self._places: dict[str, int] = {}
            names = Names()
            self._index(names, limits)
            self.sizes, self.faults = names.sizes, tuple(names.faults)
        except BaseException:
            self.close()
            raise

    def chunks(self, name: str) -> Iterator[bytes]:
        """See ``Container``."""
        at, end = self._places[name], self._places[name] + self.sizes[name]
        while at < end:
            with ours():
                self._stream.seek(at)
                piece = self._stream.read(min(PIECE, end - at))
            if not piece:
                raise UnsafePackage("damaged", name)
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Give the file back."""
        self._stream.close()

    @ours()
    def _index(self, names: Names, limits: Limits) -> None:
        count = total = 0
        try:
            for entry in entries(self._stream.read):
                count, total = count + 1, total + entry.size
                if count > limits.entries or total > limits.total:
                    raise UnsafePackage("bounds", str(count))
                name = _short(entry.name)
                if entry.illegal == "folder":
                    names.folder(name)
                elif entry.illegal:
                    names.refuse(_FAULTS.get(entry.illegal, "method"), name)
                else:
                    self._places[name] = self._stream.tell()
                    names.take(name, entry.size)
        except BrokenTar as error:
            raise UnsafePackage("damaged" if count else "not_package") from error


def _short(name: str) -> str:
    """Return a name without the ``./`` that ``tar`` writes before everything when it packs the folder where it stands."""
    while name.startswith("./"):
        name = name[2:]
    return name


@ours()
def _plain(path: Path, inflated: Inflating, limits: Limits) -> IO[bytes]:
    """Return what a compressed file holds, in a file that vanishes when it is closed."""
    with opened(path) as packed:
        plain = tempfile.SpooledTemporaryFile(max_size=PIECE, prefix="tabellion-")  # noqa: SIM115  (whoever opened the package closes it)
        source, size = inflated(packed), 0
        while piece := _piece(source):
            size += len(piece)
            _bound(size, packed.tell(), limits)
            plain.write(piece)
        plain.seek(0)
    return cast("IO[bytes]", plain)


def _bound(size: int, packed: int, limits: Limits) -> None:
    # The reader is a buffer ahead of what was inflated, which is to the file's advantage, and little.
    if size > limits.total or (size > limits.ratio_from and size > limits.ratio * packed):
        raise UnsafePackage("bounds", str(size))


def _piece(source: IO[bytes]) -> bytes:
    try:
        return source.read(PIECE)
    except _UNREADABLE as error:
        raise UnsafePackage("damaged") from error
