"""Long texts of a file, found from its bytes: attachments in base64, which no parser needs to see.

What is found here is a guess: bytes of the base64 alphabet between two marks. Whoever reads the file puts an instruction in the
place of each and believes it to be text when the parser meets that instruction where content stands.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.pes.encoding import read_declaration
from signing.pes.edits import Edit

LARGE = 1 << 20
"""Bytes from which a file is looked through."""

SPARSE = 512
"""Bytes a tag, on the average, from which a file is mostly text: in others, tags cost less in a tree."""

PIECE = 1 << 16
_ENCODINGS = {"utf-8", "iso-8859-1", "us-ascii"}  # those that both parsers read, and read the same
_BASE64 = (string.ascii_letters + string.digits + "+/=").encode()
_BLANKS = b"\r\n\t "


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text: base64 and white space, with CR only before LF.

    Attributes:
        start: offset of its first byte.
        end: offset after its last byte.
        lines: number of line ends in it.
    """

    start: int
    end: int
    lines: int

    def octets(self, path: Path) -> Iterator[bytes]:
        """Give its canonical octets, in pieces: line ends are LF (XML 1.0, 2.11), and nothing needs escaping."""
        with path.open("rb") as file:
            file.seek(self.start)
            while (left := self.end - file.tell()) > 0 and (piece := file.read(min(left, PIECE))):
                yield piece.replace(b"\r", b"")


def marked(runs: Iterable[Run], target: str) -> list[Edit]:
    """Return the edits that put an instruction in the place of each run; its data is the rank of the run, from 0."""
    return [Edit(run.start, run.end - run.start, f"<?{target} {rank}?>".encode()) for rank, run in enumerate(runs)]


def long_texts(path: Path) -> tuple[Run, ...]:
    """Return the stretches of a file that look like long texts; none when it is small, mostly tags, or of a rare encoding."""
    size = path.stat().st_size
    declaration = read_declaration(path)
    known = (declaration.encoding or "UTF-8").lower() in _ENCODINGS and declaration.bom in {None, "UTF-8"}
    if size < LARGE or not known:
        return ()
    search = _Search()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            search.see(piece)
    search.conclude()
    return tuple(search.runs) if search.tags * SPARSE <= size else ()


class _Search:
    """The search for stretches, piece after piece."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.tags = 0
        self._offset = 0
        self._last = b""
        self._start: int | None = None
        self._lines = self._returns = self._pairs = 0

    def see(self, piece: bytes) -> None:
        """Take the next piece, all of which belongs to a stretch, or none; white space alone is no text."""
        tags = piece.count(b"<")
        self.tags += tags
        blanks = b"<" if tags else piece.translate(None, _BASE64)
        if blanks.strip(_BLANKS) or len(blanks) == len(piece):
            self.conclude()
        else:
            self._extend(piece, blanks)
        self._offset += len(piece)
        self._last = piece[-1:]

    def _extend(self, piece: bytes, blanks: bytes) -> None:
        joined = self._last == b"\r" and piece.startswith(b"\n")
        if self._start is None:  # a CR before it is read as one line end with the LF that begins it
            self._start = self._offset + joined
            self._lines = -joined
            self._returns = self._pairs = 0
        else:
            self._pairs += joined
        self._lines += blanks.count(b"\n")
        if b"\r" in blanks:
            self._returns += blanks.count(b"\r")
            self._pairs += piece.count(b"\r\n")

    def conclude(self) -> None:
        """End the stretch that is open, leaving a CR at its end to what follows."""
        if self._start is None:
            return
        cut = self._last == b"\r"
        if self._returns - cut == self._pairs:
            self.runs.append(Run(self._start, self._offset - cut, self._lines))
        self._start = None
