"""The head of the journal's tree: the statement that a timestamp is put on.

What lives here: its canonical bytes and their reading. What does not: the token over them, the table that keeps both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from archive.proof.hashes import HASHES, SHA256, digest_length, digest_of
from core.canonical import NotCanonical, canonical_bytes, read_canonical
from core.clock import iso

_FIRST, _LATER = "tabellion-tree-head/1", "tabellion-tree-head/2"
_KEYS = {"format", "hash", "origin", "root", "size", "time"}


@dataclass(frozen=True, slots=True)
class Head:
    """What the log says of itself at a moment.

    Attributes:
        origin: name of the log, unique to the platform that keeps it.
        size: number of leaves.
        root: root hash over them.
        at: when the platform computed it, by its own clock.
        hash: with what the tree was made, and the head is digested.
    """

    origin: str
    size: int
    root: bytes
    at: datetime
    hash: str = SHA256

    @property
    def format(self) -> str:
        """The name of the form: the first knew SHA-256 alone, and its readers say so of any other."""
        return _FIRST if self.hash == SHA256 else _LATER

    def canonical(self) -> bytes:
        """Return the bytes that are timestamped."""
        return canonical_bytes(
            {
                "format": self.format,
                "hash": self.hash,
                "origin": self.origin,
                "root": self.root.hex(),
                "size": self.size,
                "time": iso(self.at),
            }
        )

    def digest(self) -> bytes:
        """Return the digest of the canonical bytes: what the timestamping authority is given."""
        return digest_of(self.canonical(), self.hash)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the canonical bytes back.

        Raises:
            NotCanonical: these are not the canonical bytes of a head of this format.
        """
        value = read_canonical(data)
        if set(value) != _KEYS or not isinstance(value["hash"], str) or value["hash"] not in HASHES:
            raise NotCanonical("not a tree head of this format")
        root, size, origin, time = value["root"], value["size"], value["origin"], value["time"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(origin, str):
            raise NotCanonical("a tree head has a size and an origin")
        digits = 2 * digest_length(value["hash"])
        if not isinstance(root, str) or not re.fullmatch(rf"[0-9a-f]{{{digits}}}", root) or not isinstance(time, str):
            raise NotCanonical("a tree head has a root and a time")
        try:
            at = datetime.fromisoformat(time).astimezone(UTC)
        except ValueError as error:
            raise NotCanonical("a tree head has a time") from error
        head = cls(origin, size, bytes.fromhex(root), at, value["hash"])
        if head.canonical() != data:  # a moment may be written in several ways, and a format belongs to a hash
            raise NotCanonical("not a tree head of this format")
        return head
