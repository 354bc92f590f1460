"""A file copied with some of its bytes replaced, in flat memory: what a seal does to a file, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes to put in place of others.

    Attributes:
        offset: in the source.
        removed: how many bytes of the source go.
        inserted: what comes instead.
    """

    offset: int
    removed: int
    inserted: bytes


def rewritten(source: Path, edits: Iterable[Edit] = (), *, witness: Callable[[bytes], object] | None = None) -> Iterator[bytes]:
    """Give the bytes of a file with edits applied, in pieces of 64 kB at most besides what is inserted.

    Args:
        source: the file.
        edits: in any order; they do not overlap.
        witness: is shown every byte of the source, removed ones included.
    """
    with source.open("rb") as stream:

        def read(length: int) -> bytes:
            piece = stream.read(length)
            if witness is not None:
                witness(piece)
            return piece

        for edit in sorted(edits, key=lambda one: one.offset):
            while (left := edit.offset - stream.tell()) > 0 and (piece := read(min(left, _PIECE))):
                yield piece
            if witness is None:
                stream.seek(edit.removed, io.SEEK_CUR)
            else:
                read(edit.removed)
            yield edit.inserted
        while piece := read(_PIECE):
            yield piece
