"""Long base64 texts taken out of an XML document before any parser sees it: a document of 128 MB costs what its tags cost.

What looks like a long text is a guess: octets of the base64 alphabet and white space. Its place is taken by a processing
instruction whose name nobody can foretell; the parser then meets it where content stands, or the document is refused.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import IO

from connectors.iparapheur.errors import MessageUnreadable
from core.messages import Catalogue

_messages = Catalogue("connectors.iparapheur")

LONG = 4096
"""Octets from which a text is taken out."""

LARGEST_REST = 8 << 20
"""Octets of all that is no long text."""

_PIECE = 1 << 18
_RUN = re.compile(rb"(?:[A-Za-z0-9+/=\s]++|&#(?:13|x0?[dD]);)++")
_RETURN = re.compile(rb"&#(?:13|x0?[dD]);")  # how some write the end of a line of base64


@dataclass(frozen=True, slots=True)
class Thinned:
    """A document without its long texts.

    Attributes:
        rest: the document, with instructions in the place of long texts.
        target: the name of these instructions; their data is the rank of the text, from 0.
        runs: where each text stands in the file that they were put into: offset of its first octet, and after its last.
    """

    rest: bytes
    target: str
    runs: tuple[tuple[int, int], ...]


def thin(source: IO[bytes], texts: IO[bytes], limit: int) -> Thinned:
    """Read a document to its end, its long texts into a file.

    Args:
        source: the document.
        texts: where its long texts go, one after the other.
        limit: octets of the whole document beyond which it is refused.

    Raises:
        MessageUnreadable: it is larger than the limit, or too large without its long texts.
    """
    search = _Search(texts)
    total, buffer = 0, b""
    while piece := source.read(_PIECE):
        total += len(piece)
        if total > limit:
            raise MessageUnreadable(_messages("message.large", limit=limit >> 20))
        buffer = search.see(buffer + piece)
    search.see(buffer, last=True)
    return Thinned(bytes(search.rest), search.target, tuple(search.runs))


class _Search:
    """The search for long texts, piece after piece."""

    def __init__(self, texts: IO[bytes]) -> None:
        self.rest = bytearray()
        self.target = f"t{secrets.token_hex(12)}"
        self.runs: list[tuple[int, int]] = []
        self._texts = texts
        self._start: int | None = None

    def see(self, octets: bytes, *, last: bool = False) -> bytes:
        """Take what follows, and return what cannot be judged before more is seen."""
        position = self._go_on(octets)
        for found in _RUN.finditer(octets, position):
            reaches_end = found.end() == len(octets)
            if len(found[0]) >= LONG:
                self._keep(octets[position : found.start()])
                position = found.end()
                self._start = self._texts.tell()
                self._texts.write(_RETURN.sub(b"\r", found[0]))
                if not reaches_end:
                    self._conclude()
            elif reaches_end and not last:
                self._keep(octets[position : found.start()])
                return found[0]
        self._keep(octets[position:])
        if last:
            self._conclude()
        return b""

    def _go_on(self, octets: bytes) -> int:
        """Write what belongs to the text that is open, and return where it ends."""
        if self._start is None:
            return 0
        found = _RUN.match(octets)
        end = found.end() if found else 0
        self._texts.write(_RETURN.sub(b"\r", octets[:end]))
        if end < len(octets):
            self._conclude()
        return end

    def _conclude(self) -> None:
        if self._start is not None:
            self._keep(f"<?{self.target} {len(self.runs)}?>".encode())
            self.runs.append((self._start, self._texts.tell()))
            self._start = None

    def _keep(self, octets: bytes) -> None:
        self.rest += octets
        if len(self.rest) > LARGEST_REST:
            raise MessageUnreadable(_messages("message.dense", limit=LARGEST_REST >> 20))
