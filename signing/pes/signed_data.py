"""The digests of what signatures cover: from the tree, or for a file of mostly text from its bytes."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from signing.pes import canonical
from signing.pes.bulk import Bulk
from signing.pes.layout import own_signatures


class SignedData:
    """The elements of one document that may carry a signature, and their digests.

    Args:
        places: the root (0) and each bordereau (from 1, in the order of the file).
        bulk: the file, when it is mostly text.
    """

    def __init__(self, places: Mapping[etree._Element, int], bulk: Bulk | None) -> None:
        self._places = places
        self._bulk = bulk
        self._known: dict[str, dict[int, bytes]] = {}

    def digest(self, signature: etree._Element, hash_name: str) -> bytes:
        """Return the digest of the parent of a signature, one of the places, as if the signature were not there.

        Raises:
            UnreadableInput: a file that only the tree's parser understands.
        """
        if self._bulk is None:
            with canonical.without(canonical.replaceable(signature)) as parent:
                return canonical.digest(parent, hash_name)
        if hash_name not in self._known:
            wanted = {place: hash_name for element, place in self._places.items() if own_signatures(element)}
            self._known[hash_name] = self._bulk.digests(wanted)
        return self._known[hash_name][self._places[signature.getparent()]]
