"""The text of the supporting documents of a flow, looked at as it streams by: a tree would copy it whenever it is asked.

Each is inflated to its end, within bounds, and nothing of it is kept but its beginning.
"""

from __future__ import annotations

import binascii
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.parsers import expat

from schemas.pes.attachments import HEAD, Inflating

LARGEST = 1 << 30
"""Bytes that a document may have, inflated."""
RATIO, RATIO_FROM = 500, 10 << 20
"""How many times smaller than itself a document may come packed, beyond 10 MiB."""
TOGETHER = 2 << 30
"""Bytes that all documents of a flow may have together, inflated: each within its own bounds, thousands would take hours."""

_MAGIC = b"\x1f\x8b"
_PIECE, _CHUNK = 1 << 16, 1 << 20
_PART, _BEGINNING = b"<PES_PJ", b'<?xml version="1.0" encoding="ISO-8859-1"?><flow>'


@dataclass(slots=True)
class EnclosedText:
    """The base64 of a document.

    Attributes:
        room: bytes that it may have at most, inflated.
        length: in characters, line breaks included.
        head: the first of them.
        packing: ``gzip`` as the protocol wants, ``bare`` (base64 of the document itself), ``empty``, ``broken``, or ``bomb``:
            more than the bounds allow.
    """

    room: int = LARGEST
    length: int = 0
    head: str = ""
    packing: str = "empty"
    _pending: str = ""
    _packed: int = 0
    _size: int = 0
    _inflating: Inflating = field(default_factory=Inflating)

    @property
    def inflated(self) -> int:
        """Bytes that it was inflated to, so far."""
        return self._size

    def take(self, piece: str) -> None:
        """Take the next characters."""
        self.length += len(piece)
        self.head += piece[: HEAD - len(self.head)]
        if self.packing in ("empty", "gzip"):
            self._pending += "".join(piece.split())
            whole = len(self._pending) // 4 * 4
            try:
                self._feed(binascii.a2b_base64(self._pending[:whole], strict_mode=True))
            except (ValueError, zlib.error):  # binascii's own error is a ValueError
                self.packing = "broken"
            self._pending = self._pending[whole:]

    def close(self) -> None:
        """Judge what was taken: all of it came."""
        if self.packing not in ("empty", "gzip"):
            return
        if self._pending or (self.packing == "gzip" and not self._inflating.whole):
            self.packing = "broken"
        elif self.packing == "gzip" and not self._size:
            self.packing = "empty"

    def _feed(self, octets: bytes) -> None:
        if self.packing == "empty" and octets:
            self.packing = "gzip" if octets.startswith(_MAGIC) else "bare"
        self._packed += len(octets)
        if self.packing == "gzip":
            for piece in self._inflating.take(octets):
                self._size += len(piece)
                if self._size > self.room or (self._size > RATIO_FROM and self._size > RATIO * self._packed):
                    self.packing = "bomb"
                    return


def texts_of(path: Path, *, latin: bool) -> list[EnclosedText]:
    """Return what is known of the text of each PES_PJ/PJ, in order; nothing when the file cannot be streamed.

    Args:
        path: a file that holds one at least.
        latin: its encoding is ISO-8859-1: what comes before the documents is then passed over unread.
    """
    texts: list[EnclosedText] = []
    room = TOGETHER
    stack: list[str] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _PIECE

    def count(text: str) -> None:
        texts[-1].take(text)

    def start(name: str, _attributes: dict[str, str]) -> None:
        stack.append(name)
        if stack[1:] == ["PES_PJ", "PJ"]:
            texts.append(EnclosedText(min(room, LARGEST)))
        elif stack[1:] == ["PES_PJ", "PJ", "Contenu", "Fichier"]:
            parser.CharacterDataHandler = count

    def end(_name: str) -> None:
        nonlocal room
        if parser.CharacterDataHandler is not None:
            parser.CharacterDataHandler = None
            texts[-1].close()
            room = max(0, room - texts[-1].inflated)
        stack.pop()
        if begins is not None and len(stack) == 1:
            raise _PartRead

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    with path.open("rb") as stream:
        begins = _only_beginning(stream) if latin else None
        try:
            if begins is not None:
                parser.Parse(_BEGINNING, False)
            stream.seek(begins or 0)
            while chunk := stream.read(_PIECE):  # ParseFile asks for so little at once that a long tag takes minutes
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except _PartRead:
            pass
        except (expat.ExpatError, LookupError, ValueError):  # an encoding that only the other parser knows
            return []
    return texts


def _only_beginning(stream: IO[bytes]) -> int | None:
    """Return the offset of the one tag of this name; None when the name stands elsewhere too, be it in a comment."""
    times, found = 0, None
    tail, offset = b"", 0
    while times < 2 and (chunk := stream.read(_CHUNK)):
        window = tail + chunk
        if seen := window.count(_PART):
            times, found = times + seen, offset - len(tail) + window.find(_PART)
        offset += len(chunk)
        tail = window[1 - len(_PART) :]
    return found if times == 1 else None


class _PartRead(Exception):
    """The part of the documents has been read: not an error, but the way out of the parser."""
