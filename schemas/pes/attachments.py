"""Supporting documents of a PES: base64 of gzip, taken out of the flow one at a time, within bounds.

What a document is comes from its octets, never from what the flow says of it. Nothing here opens one.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO
from xml.parsers import expat

from core.errors import UnreadableInput
from core.messages import Catalogue

messages = Catalogue("schemas.pes")
HEAD = 2_048
"""Characters of base64 that are enough to recognise a document."""

_GZIP = 31
_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 16
_BEGINNING, _END = b"<Fichier>", b"</Fichier>"
_PDF, _PDF_WITHIN = b"%PDF-", 1024  # readers of PDF look for it as far as that
_BLANKS = b"\r\n\t \x00"
_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_TYPES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (_MAGIC, "application/gzip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
)
_BINARY = "application/octet-stream"
_PRINTABLE = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100)) | {9, 10, 13}
_ALIKE = {
    "application/xml": {"text/xml", "text/plain", "text/html"},
    "application/pdf": {"application/x-pdf"},
    "application/rtf": {"text/rtf"},
    "image/jpeg": {"image/jpg", "image/pjpeg"},
    "image/png": {"image/x-png"},
    "image/tiff": {"image/tif", "image/x-tiff"},
}
# Containers that formats of their own are made of: what the flow says is then as likely as what the octets say.
_BY_THEIR_BEGINNING = {"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/gif"}
_CONTAINERS = {"application/zip", "application/x-ole-storage", "text/plain", _BINARY}


@dataclass(frozen=True, slots=True)
class Found:
    """What the first octets say.

    Attributes:
        packing: ``gzip`` as the protocol wants, ``bare`` (base64 of the document itself), ``empty``, or ``broken``.
        media_type: of the document; None when it cannot be read.
    """

    packing: str
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document that was taken out: its type by its octets, and its size in bytes."""

    media_type: str
    size: int


class AttachmentUnreadable(UnreadableInput):
    """The document cannot be taken out of the flow."""


def recognised(text: str) -> Found:
    """Return what the beginning of the text of a ``Fichier`` tells."""
    characters = "".join(text.split())
    if not characters:
        return Found("empty")
    try:
        octets = base64.b64decode(characters[: len(characters) // 4 * 4], validate=True)
        if not octets.startswith(_MAGIC):
            return Found("bare", sniffed(octets))
        return Found("gzip", sniffed(zlib.decompressobj(_GZIP).decompress(octets, HEAD)))
    except (binascii.Error, ValueError, zlib.error):
        return Found("broken")


def sniffed(octets: bytes) -> str:
    """Return the media type that the first octets of a document tell; text only when nothing in it is otherwise."""
    found = next((kind for magic, kind in _TYPES if octets.startswith(magic)), None)
    if found is not None:
        return found
    if _PDF in octets[:_PDF_WITHIN]:
        return "application/pdf"
    if octets.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "application/xml"
    return "text/plain" if octets and _PRINTABLE.issuperset(octets) else _BINARY


def agree(declared: str | None, found: str | None) -> bool:
    """Tell whether the declared media type can be that of what was found (domain rule P09)."""
    if declared is None or found is None:
        return True
    plain = declared.partition(";")[0].strip().lower()
    if found in _CONTAINERS and plain not in _BY_THEIR_BEGINNING:
        return True
    if plain == _BINARY or (found == "application/xml" and plain.endswith("+xml")):  # which says nothing, and which says more
        return True
    return plain == found or plain in _ALIKE.get(found, ())


def extract(text: Iterable[bytes], target: Path, limit: int) -> Extracted:
    """Write the document that a stretch of base64 holds to a file.

    Args:
        text: the bytes between the tags of a ``Fichier``, in pieces.
        target: where the document goes; removed again when it cannot be read.
        limit: bytes that the document may have at most, inflated.

    Raises:
        AttachmentUnreadable: empty, not base64, broken gzip, or larger than the limit.
    """
    try:
        with target.open("wb") as file:
            return _written(_inflated(_decoded(text)), file, limit)
    except (binascii.Error, zlib.error) as error:
        target.unlink()
        raise AttachmentUnreadable(messages("attachment.broken")) from error
    except AttachmentUnreadable:
        target.unlink()
        raise


def _written(octets: Iterator[bytes], file: IO[bytes], limit: int) -> Extracted:
    head, size = b"", 0
    for piece in octets:
        size += len(piece)
        if size > limit:
            raise AttachmentUnreadable(messages("attachment.large", limit=limit >> 20))
        head += piece[: HEAD - len(head)]
        file.write(piece)
    if not size:
        raise AttachmentUnreadable(messages("attachment.empty"))
    return Extracted(sniffed(head), size)


def _decoded(text: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in _characters(text):
        held += piece.translate(None, _BLANKS)
        if not _ALPHABET.fullmatch(held):
            raise binascii.Error("not base64")
        whole = len(held) // 4 * 4
        yield base64.b64decode(held[:whole])
        held = held[whole:]
    if held:
        raise binascii.Error("cut short")


def _characters(text: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what a stretch of XML says: base64 may be written by references, in CDATA sections, around comments."""
    found: list[str] = []
    parser = expat.ParserCreate("ISO-8859-1")
    parser.buffer_text = True
    parser.Parse(_BEGINNING, False)
    parser.CharacterDataHandler = found.append
    parser.StartElementHandler = _refuse_element
    try:
        for piece in text:
            parser.Parse(piece, False)
            yield "".join(found).encode("latin-1", "replace")
            found.clear()
        parser.Parse(_END, True)
        yield "".join(found).encode("latin-1", "replace")
    except expat.ExpatError as error:
        raise binascii.Error(str(error)) from error


def _refuse_element(name: str, _attributes: dict[str, str]) -> None:
    raise binascii.Error(f"{name} stands in it")


def _inflated(octets: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate a gzip file in pieces, or give the octets as they are when they are none."""
    held = b""
    for piece in octets:
        held += piece
        if len(held) >= len(_MAGIC):
            break
    if not held.startswith(_MAGIC):
        yield held
        yield from octets
        return
    inflating = Inflating()
    for piece in chain((held,), octets):
        yield from inflating.take(piece)
    if not inflating.whole:
        raise zlib.error("cut short")


class Inflating:
    """Inflates a gzip file that comes in pieces: its members one after the other, as RFC 1952 has them.

    What follows the last member and is none is passed over, as gzip itself passes over zeros.

    Attributes:
        whole: the last member was read to its end.
    """

    def __init__(self) -> None:
        self.whole = False
        self._over = False
        self._held = b""
        self._unpacker = zlib.decompressobj(_GZIP)

    def take(self, octets: bytes) -> Iterator[bytes]:
        """Yield what the next octets inflate to, in pieces of 64 KiB at most.

        Raises:
            zlib.error: they are of no gzip.
        """
        octets, self._held = self._held + octets, b""
        while octets and not self._over:
            if self.whole:
                if len(octets) < len(_MAGIC):
                    self._held = octets
                    return
                self._over = not octets.startswith(_MAGIC)
                if self._over:
                    return
                self._unpacker = zlib.decompressobj(_GZIP)
            yield self._unpacker.decompress(octets, _PIECE)
            self.whole = self._unpacker.eof
            octets = self._unpacker.unused_data if self.whole else self._unpacker.unconsumed_tail
