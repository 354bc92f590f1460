"""A PES with large attachments, read without their text in memory.

The tree is built of the rest, and the digest of what a signature covers takes the text straight from the file.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lxml import etree

from schemas import xml
from signing.pes import stream
from signing.pes.edits import Edit, rewritten
from signing.pes.offsets import Layout, locate
from signing.pes.texts import Run, long_texts, marked


@dataclass(frozen=True, slots=True)
class Bulk:
    """A file of mostly text, and its long texts, those in signatures left out."""

    path: Path
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return what to read a file with when it is mostly text; None otherwise.

        Raises:
            UnreadableInput: a DOCTYPE, or not well-formed XML.
        """
        texts = long_texts(path)
        return cls.at(path, locate(path, texts)) if texts else None

    @classmethod
    def at(cls, path: Path, places: Layout) -> Self | None:
        """Return the same for a file whose places are known."""
        return cls(path, places.runs) if places.runs else None

    def tree(self) -> etree._ElementTree:
        """Return the tree of the file, its long texts cut to one letter; lines count as in the file."""
        cuts = (Edit(run.start, run.end - run.start, b"A" + b"\n" * run.lines) for run in self.runs)
        return xml.parse_pieces(rewritten(self.path, cuts))

    def digests(self, wanted: Mapping[int, str], edits: Iterable[Edit] = ()) -> dict[int, bytes]:
        """Return the digests of elements, as ``stream.digests`` does, the edits counted in (none of them in a long text)."""
        target = f"run-{secrets.token_hex(8)}"

        def text(target_met: str, data: str) -> Iterator[bytes] | None:
            return self.runs[int(data)].octets(self.path) if target_met == target else None

        return stream.digests(rewritten(self.path, (*edits, *marked(self.runs, target))), wanted, text)
