"""The digests of what signatures cover: from the tree, or for a large file from its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from schemas.pes.encoding import read_declaration
from signing.pes import canonical, stream
from signing.pes.edits import rewritten
from signing.pes.layout import own_signatures

LARGE = 32 << 20
"""Bytes from which a file is read as a stream: one that large is nearly all attachments, whose text a tree would copy."""

_ENCODINGS = {"utf-8", "iso-8859-1", "us-ascii"}  # those that both parsers read, and read the same


def streams(path: Path) -> bool:
    """Tell whether a file is read as a stream: large, and of an encoding that both parsers read."""
    if path.stat().st_size < LARGE:
        return False
    declaration = read_declaration(path)
    return (declaration.encoding or "UTF-8").lower() in _ENCODINGS and declaration.bom in {None, "UTF-8"}


class SignedData:
    """The elements of one document that may carry a signature, and their digests.

    Args:
        places: the root (0) and each bordereau (from 1, in the order of the file).
        source: the file that the tree was parsed from; without it, the tree alone serves.
    """

    def __init__(self, places: Mapping[etree._Element, int], source: Path | None) -> None:
        self._places = places
        self._source = source if source is not None and streams(source) else None
        self._known: dict[str, dict[int, bytes]] = {}

    def digest(self, signature: etree._Element, hash_name: str) -> bytes:
        """Return the digest of the parent of a signature, one of the places, as if the signature were not there.

        Raises:
            UnreadableInput: a large file that only the tree's parser understands.
        """
        if self._source is None:
            with canonical.without(signature) as parent:
                return canonical.digest(parent, hash_name)
        if hash_name not in self._known:
            wanted = {place: hash_name for element, place in self._places.items() if own_signatures(element)}
            self._known[hash_name] = stream.digests(rewritten(self._source), wanted)
        return self._known[hash_name][self._places[signature.getparent()]]
