"""A large PES, read without its long texts in memory.

One that large is nearly all attachments. Their texts are found once; the tree is built of the rest, and the digest of what a
signature covers takes them straight from the file.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lxml import etree

from schemas import xml
from schemas.pes.encoding import read_declaration
from signing.pes import stream
from signing.pes.edits import Edit, rewritten
from signing.pes.offsets import Run, locate

LARGE = 32 << 20
"""Bytes from which a file is read this way."""

_ENCODINGS = {"utf-8", "iso-8859-1", "us-ascii"}  # those that both parsers read, and read the same
_PIECE = 1 << 20
_LEFT = 1 << 6  # a text stays a text


@dataclass(frozen=True, slots=True)
class Bulk:
    """A large file and its long texts."""

    path: Path
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return what to read a file with when it is large, and of an encoding that both parsers read; None otherwise.

        Raises:
            UnreadableInput: a DOCTYPE, or not well-formed XML.
        """
        return cls(path, locate(path).runs) if is_large(path) else None

    def tree(self) -> etree._ElementTree:
        """Return the tree of the file, its long texts cut short; lines count as in the file."""
        cuts = (Edit(run.start + _LEFT, run.end - run.start - _LEFT, b"\n" * run.lines) for run in self.runs)
        return xml.parse_pieces(rewritten(self.path, cuts))

    def digests(self, wanted: Mapping[int, str], edits: Iterable[Edit] = ()) -> dict[int, bytes]:
        """Return the digests of elements, as ``stream.digests`` does, the edits counted in (none of them in a long text)."""
        target = f"run-{secrets.token_hex(8)}"  # what no document can hold but by chance
        marks = (Edit(run.start, run.end - run.start, f"<?{target} {rank}?>".encode()) for rank, run in enumerate(self.runs))

        def text(target_met: str, data: str) -> Iterator[bytes] | None:
            return self._text(self.runs[int(data)]) if target_met == target else None

        return stream.digests(rewritten(self.path, (*edits, *marks)), wanted, text)

    def _text(self, run: Run) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            file.seek(run.start)
            while (left := run.end - file.tell()) > 0 and (piece := file.read(min(left, _PIECE))):
                yield piece.replace(b"\r", b"")  # one stands before each LF, and nowhere else (XML 1.0, 2.11)


def is_large(path: Path) -> bool:
    """Tell whether a file is large, and of an encoding that both parsers read."""
    if path.stat().st_size < LARGE:
        return False
    declaration = read_declaration(path)
    return (declaration.encoding or "UTF-8").lower() in _ENCODINGS and declaration.bom in {None, "UTF-8"}
