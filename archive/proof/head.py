"""The head of the journal's tree: the statement that a timestamp is put on.

What lives here: its canonical bytes and their reading. What does not: the token over them, the table that keeps both.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from core.canonical import NotCanonical, canonical_bytes, read_canonical
from core.clock import iso

FORMAT = "tabellion-tree-head/1"
HASH = "SHA-256"
_KEYS = {"format", "hash", "origin", "root", "size", "time"}


@dataclass(frozen=True, slots=True)
class Head:
    """What the log says of itself at a moment.

    Attributes:
        origin: name of the log, unique to the platform that keeps it.
        size: number of leaves.
        root: root hash over them, 32 bytes.
        at: when the platform computed it, by its own clock.
    """

    origin: str
    size: int
    root: bytes
    at: datetime

    def canonical(self) -> bytes:
        """Return the bytes that are timestamped."""
        return canonical_bytes(
            {
                "format": FORMAT,
                "hash": HASH,
                "origin": self.origin,
                "root": self.root.hex(),
                "size": self.size,
                "time": iso(self.at),
            }
        )

    def digest(self) -> bytes:
        """Return the SHA-256 of the canonical bytes: what the timestamping authority is given."""
        return hashlib.sha256(self.canonical()).digest()

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read the canonical bytes back.

        Raises:
            NotCanonical: these are not the canonical bytes of a head of this format.
        """
        value = read_canonical(data)
        if set(value) != _KEYS or value["format"] != FORMAT or value["hash"] != HASH:
            raise NotCanonical("not a tree head of this format")
        root, size, origin, time = value["root"], value["size"], value["origin"], value["time"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(origin, str):
            raise NotCanonical("a tree head has a size and an origin")
        if not isinstance(root, str) or not re.fullmatch(r"[0-9a-f]{64}", root) or not isinstance(time, str):
            raise NotCanonical("a tree head has a root and a time")
        try:
            at = datetime.fromisoformat(time).astimezone(UTC)
        except ValueError as error:
            raise NotCanonical("a tree head has a time") from error
        return cls(origin, size, bytes.fromhex(root), at)
