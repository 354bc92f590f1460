"""The nodes of the tree held against the entries and against one another: which of two rows that disagree is at fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Table, func, select

from archive.models import TreeHead, TreeNode
from archive.proof import tree
from archive.proof.checking_entries import Leaf, leaves_at
from archive.proof.fault import Fault
from archive.proof.hashes import digest_length
from archive.proof.heads import TableStore
from archive.proof.tree import Place

_node: Table = TreeNode.__table__  # type: ignore[attr-defined]
_head: Table = TreeHead.__table__  # type: ignore[attr-defined]


class TreeCheck:
    """The tree of one hash, within one transaction and one range of leaves.

    Attributes:
        believed: what each node of the range is, whatever stands in its row.
    """

    def __init__(self, connection: Connection, algorithm: str, size: int) -> None:
        self._connection = connection
        self._store = TableStore(connection, algorithm)
        self.algorithm = algorithm
        self.size = size
        self.believed: dict[Place, bytes] = {}

    def faults(self, leaves: Sequence[Leaf]) -> Iterator[Fault]:
        """Yield what is wrong with a range of leaves, and with every node that they complete."""
        start, end = leaves[0].position, leaves[-1].position + 1
        stored = self._range(0, start, end)
        for leaf in leaves:
            yield from self._leaf(leaf, stored.get((0, leaf.position)))
        for level in range(1, end.bit_length()):
            below, stored = stored, self._range(level, start >> level, end >> level)
            for position in range(start >> level, end >> level):
                yield from self._inner((level, position), stored.get((level, position)), below)

    def root(self, size: int) -> bytes:
        """Return the root of a size that ends in this range, from what is believed of the nodes."""
        peaks = tree.subtrees(0, size)
        stored = self._store.get_many(peaks)
        return tree.fold([self._mended(place, stored.get(place)) for place in peaks], self.algorithm)

    def _range(self, level: int, start: int, end: int) -> Mapping[Place, bytes]:
        """Return the nodes of a level, and the left sibling of the first."""
        wanted = (_node.c.level == level) & (_node.c.position >= start & ~1) & (_node.c.position < end)
        rows = self._connection.execute(select(_node).where(_node.c.algorithm == self.algorithm, wanted))
        return {(row.level, row.position): bytes(row.hash) for row in rows}

    def _leaf(self, leaf: Leaf, stored: bytes | None) -> Iterator[Fault]:
        place = (0, leaf.position)
        entries = leaf.candidates()
        right = next((entry for entry in entries if stored is not None and entry.hash(self.algorithm) == stored), None)
        yield from leaf.row_faults(right)
        if right is not None and stored is not None:
            self.believed[place] = stored
            return
        entry = entries[0] if entries else None
        computed = entry.hash(self.algorithm) if entry else None
        if stored is None:
            yield self._missing(place, computed)
        elif self._upholds(place, stored) or computed is None:
            if entry is not None:
                what = "unreadable" if computed is None else "leaf"
                yield Fault("journal_entry", entry.key, what, stored.hex(), computed.hex() if computed else "")
        elif self._upholds(place, computed):
            yield self._differs(place, computed, stored)
            stored = None
        elif entry is not None:  # nothing above tells: neither a complete subtree nor a head
            yield Fault("journal_entry", entry.key, "leaf", stored.hex(), computed.hex())
        believed = stored or computed
        if believed is not None:
            self.believed[place] = believed

    def _inner(self, place: Place, stored: bytes | None, below: Mapping[Place, bytes]) -> Iterator[Fault]:
        level, position = place
        children = [(level - 1, 2 * position), (level - 1, 2 * position + 1)]
        known = [self.believed.get(child, below.get(child)) for child in children]
        if known[0] is None or known[1] is None:  # told where it is missing
            if stored is not None:
                self.believed[place] = stored
            return
        computed = tree.node_hash(known[0], known[1], self.algorithm)
        self.believed[place] = computed
        if stored is None:
            yield self._missing(place, computed)
        elif stored != computed:
            if not self._upholds(place, stored):
                yield self._differs(place, computed, stored)
                return
            self.believed[place] = stored
            # What stands above agrees with it: the fault is below, and was told in an earlier range if it lies before this one.
            outside = children[0] if children[0] not in self.believed else None
            if outside is None or self._mended(outside, known[0]) == known[0]:
                yield self._differs(place, computed, stored)

    def _upholds(self, place: Place, candidate: bytes) -> bool:
        """Tell whether what stands above a node is made with this hash of it: its parent, or the first head that covers it."""
        level, position = place
        parent, sibling = (level + 1, position // 2), (level, position ^ 1)
        if (parent[1] + 1) << parent[0] <= self.size:
            found = self._store.get_many([parent, sibling])
            if parent not in found or sibling not in found:
                return False
            pair = (found[sibling], candidate) if position % 2 else (candidate, found[sibling])
            return tree.node_hash(*pair, self.algorithm) == found[parent]
        # The heads of this tree are those whose roots are as long as its hashes.
        own = func.length(_head.c.root) == digest_length(self.algorithm)
        covering = select(_head.c.size, _head.c.root).where(own, _head.c.size >= (position + 1) << level)
        head = self._connection.execute(covering.order_by(_head.c.size).limit(1)).first()
        if head is None or head.size > self.size:
            return False
        peaks = tree.subtrees(0, head.size)
        known = {**self._store.get_many(peaks), place: candidate}
        if any(peak not in known for peak in peaks):
            return False
        return tree.fold([known[peak] for peak in peaks], self.algorithm) == bytes(head.root)

    def _mended(self, place: Place, stored: bytes | None) -> bytes:
        """Return what a node is, from the row below it when its own differs."""
        if place in self.believed:
            return self.believed[place]
        level, position = place
        if level == 0:
            (leaf,) = leaves_at(self._connection, position, position + 1)
            computed = next((entry.hash(self.algorithm) for entry in leaf.candidates()), None)
        else:
            children = [(level - 1, 2 * position), (level - 1, 2 * position + 1)]
            found = self._store.get_many(children)
            whole = all(child in found for child in children)
            computed = tree.node_hash(found[children[0]], found[children[1]], self.algorithm) if whole else None
        if stored is not None and (computed is None or self._upholds(place, stored)):
            return stored
        return computed or b""

    def _differs(self, place: Place, expected: bytes, found: bytes) -> Fault:
        return Fault("tree_node", self._key(place), "hash", expected.hex(), found.hex())

    def _missing(self, place: Place, expected: bytes | None) -> Fault:
        return Fault("tree_node", self._key(place), "missing", expected.hex() if expected else "")

    def _key(self, place: Place) -> str:
        return f"algorithm={self.algorithm} level={place[0]} position={place[1]}"
