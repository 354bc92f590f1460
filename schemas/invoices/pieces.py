"""What is attached to an invoice: base64 of a document, or of a ZIP that holds one document, taken out within bounds.

What a document is comes from its octets, never from what the file says of it. Nothing here opens one.
"""

from __future__ import annotations

import base64
import codecs
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST_OCTETS = 120 << 20
"""Largest document, in octets once taken out: what Chorus Pro lets an invoice and its pieces weigh together."""

_HEAD = 2_048
_PIECE = 1 << 16
_BLANKS = str.maketrans("", "", "\r\n\t ")
_ALPHABET = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_ZIP, _ZIP_END, _ZIP64 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"
_END_SIZE, _ZIP64_SIZE = 22, 20
_LONGEST_COMMENT = 1 << 16
_LARGEST_DIRECTORY = 1 << 16
_TYPES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (_ZIP, "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"MZ", "application/x-msdownload"),
    (b"\x7fELF", "application/x-executable"),
    (b"X5O!P%@AP[4\\PZX54(P^)", "application/x-msdos-program"),  # the test file that every antivirus knows (EICAR, 2003)
)
EXECUTABLE = frozenset({"application/x-msdownload", "application/x-executable", "application/x-msdos-program"})
"""Media types, as ``sniffed`` gives them, of programs."""

ZIPS = frozenset({"application/zip", "application/x-zip-compressed"})
"""What a document may be said to be that stands alone in a ZIP: its container is meant."""

_CONTAINERS = {"application/zip", "application/x-ole-storage", "text/plain", "application/octet-stream"}
_ALIKE = {"application/xml": {"text/xml", "text/plain", "image/svg+xml", "text/html", "application/xhtml+xml"}}
_TEXTS = ("utf-8", "cp1252")
"""In what texts of today are written, and those that older office software leaves; the first is told from the other by itself."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A document that was attached.

    Attributes:
        line: of the element that holds it, from 1.
        path: the document, taken out; None when it has a flaw.
        size: octets, taken out; 0 when it has a flaw.
        media_type: what its octets say.
        zipped: whether it stood in a ZIP of its own.
        flaw: why it cannot be taken out: ``empty``, ``base64``, ``markup``, ``zip``, ``encrypted``, ``large``; None when it was.
    """

    line: int
    path: Path | None = None
    size: int = 0
    media_type: str = ""
    zipped: bool = False
    flaw: str | None = None


def sniffed(head: bytes) -> str:
    """Return the media type that the first octets of a document tell; text only when nothing in them is otherwise."""
    found = next((kind for mark, kind in _TYPES if head.startswith(mark)), None)
    if found is not None:
        return found
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "application/xml"
    return "text/plain" if head and any(_reads(head, charset) for charset in _TEXTS) else "application/octet-stream"


def _reads(head: bytes, charset: str) -> bool:
    """Tell whether octets read as words in a charset; the last character may be cut."""
    try:
        return not _CONTROL.search(codecs.getincrementaldecoder(charset)().decode(head))
    except UnicodeDecodeError:
        return False


def agree(declared: str, found: str) -> bool:
    """Tell whether a declared media type can be that of what was found; formats made of a container cannot be told apart."""
    plain = declared.partition(";")[0].strip().lower()
    return not plain or found in _CONTAINERS or plain == found or plain in _ALIKE.get(found, ())


class Decoding:
    """Base64 on its way to a file, as its text comes."""

    def __init__(self, target: Path, line: int) -> None:
        self._target = target
        self._line = line
        self._file: IO[bytes] = target.open("wb")
        self._held = ""
        self._ended = False
        self._size = 0
        self._flaw: str | None = None

    def take(self, text: str) -> None:
        """Take more text; what follows a flaw is passed over."""
        if self._flaw is not None:
            return
        held = self._held + text.translate(_BLANKS)
        whole = len(held) // 4 * 4
        self._held = held[whole:]
        if not whole:
            return
        if self._ended or not _ALPHABET.fullmatch(held, 0, whole):
            self._flaw = "base64"
            return
        octets = base64.b64decode(held[:whole])
        self._ended = held[whole - 1] == "="
        self._size += len(octets)
        if self._size > MOST_OCTETS:
            self._flaw = "large"
            return
        self._file.write(octets)

    def spoil(self, flaw: str) -> None:
        """Tell that what was met is no text."""
        self._flaw = self._flaw or flaw

    def conclude(self) -> Piece:
        """Return the document, out of its ZIP when it stood alone in one; a file that has a flaw is removed."""
        self._file.close()
        flaw = self._flaw or ("base64" if self._held else "empty" if not self._size else None)
        if flaw is None:
            return _unpacked(self._target, self._line, self._size)
        self._target.unlink()
        return Piece(self._line, flaw=flaw)


def _unpacked(path: Path, line: int, size: int) -> Piece:
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        alone = head.startswith(_ZIP) and _holds_one(stream, size)
    if not alone:
        return Piece(line, path, size, sniffed(head))
    inside = path.with_suffix(".document")
    try:
        inflated, head = _inflated(path, inside)
    except _Refused as error:
        inside.unlink(missing_ok=True)
        return Piece(line, zipped=True, flaw=error.flaw)
    finally:
        path.unlink()
    return Piece(line, inside, inflated, sniffed(head), zipped=True)


def _holds_one(stream: IO[bytes], size: int) -> bool:
    """Tell whether a ZIP announces one file: looked up by hand, since the library reads a directory of any length."""
    stream.seek(-min(size, _END_SIZE + _ZIP64_SIZE + _LONGEST_COMMENT), 2)
    tail = stream.read()
    end = tail.rfind(_ZIP_END)
    if end < 0 or len(tail) - end < _END_SIZE or tail[max(0, end - _ZIP64_SIZE) : end].startswith(_ZIP64):
        return False
    count = int.from_bytes(tail[end + 10 : end + 12], "little")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    return count == 1 and directory <= _LARGEST_DIRECTORY


class _Refused(Exception):
    """The one file of a ZIP cannot be taken out."""

    def __init__(self, flaw: str) -> None:
        super().__init__(flaw)
        self.flaw = flaw


def _inflated(path: Path, target: Path) -> tuple[int, bytes]:
    """Write the one file of a ZIP; return its size and its first octets. What the ZIP says of its size is not believed."""
    size, head = 0, b""
    with target.open("wb") as file:  # a disk that is full is no flaw of the ZIP, and is told as it is
        for piece in _unzipped(path):
            size += len(piece)
            if size > MOST_OCTETS:
                raise _Refused("large")
            head += piece[: _HEAD - len(head)]
            file.write(piece)
    if not size:
        raise _Refused("empty")
    return size, head


def _unzipped(path: Path) -> Iterator[bytes]:
    """Yield the one file of a ZIP in pieces; whatever a damaged one makes of its reading is one refusal."""
    try:
        with zipfile.ZipFile(path) as archive:
            (entry,) = archive.infolist()
            if entry.flag_bits & 1:
                raise _Refused("encrypted")
            with archive.open(entry) as content:
                while piece := content.read(_PIECE):
                    yield piece
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise _Refused("zip") from error
