"""The Merkle tree of the journal (RFC 9162, section 2.1): appending, proving, verifying, with whichever hash it is made with.

What lives here: the arithmetic, and the few places of a store that each operation reads or writes. What does not: the store
itself (a table, or a dictionary in a test), the heads and their timestamps.

Only *complete* subtrees are stored: the node at ``(level, index)`` covers the leaves ``index * 2^level`` to
``(index + 1) * 2^level - 1``. It never changes once written, so a root, an inclusion proof and a consistency proof can be
computed for any size that the tree ever had, each with one read of O(log n) nodes (O(log² n) for a proof of a ragged tree).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from archive.proof.hashes import HASHES, SHA256, digest_length, digest_of

Place = tuple[int, int]
"""Level (0 for leaves) and index within the level, from 0."""


class NodeStore(Protocol):
    """Where the hashes of complete subtrees are kept.

    Attributes:
        algorithm: the hash that all of them are made with.
    """

    @property
    def algorithm(self) -> str:
        """The name of the hash."""
        ...

    def get_many(self, places: Sequence[Place]) -> Mapping[Place, bytes]:
        """Return the hash at each of these places; all of them were put before."""
        ...

    def put_many(self, nodes: Mapping[Place, bytes]) -> None:
        """Keep these hashes; a place is put once."""
        ...


def leaf_hash(data: bytes, algorithm: str = SHA256) -> bytes:
    """Return the hash of a leaf: H(0x00 ‖ data)."""
    value: bytes = HASHES[algorithm](b"\x00" + data).digest()
    return value


def node_hash(left: bytes, right: bytes, algorithm: str = SHA256) -> bytes:
    """Return the hash of a node: H(0x01 ‖ left ‖ right)."""
    value: bytes = HASHES[algorithm](b"\x01" + left + right).digest()
    return value


def append(store: NodeStore, size: int, leaves: Iterable[bytes]) -> int:
    """Append leaf hashes to a tree and return its new size.

    Reads the at most log2(size) subtrees that are waiting for a sibling, writes one node per leaf plus one per subtree
    completed. The caller makes sure that nobody else appends meanwhile.
    """
    known = dict(store.get_many(subtrees(0, size)))
    added: dict[Place, bytes] = {}
    for hashed in leaves:
        level, index, node = 0, size, hashed
        added[level, index] = node
        while index % 2:
            left = added.get((level, index - 1)) or known[level, index - 1]
            level, index, node = level + 1, index // 2, node_hash(left, node, store.algorithm)
            added[level, index] = node
        size += 1
    if added:
        store.put_many(added)
    return size


class Peaks:
    """A tree of which nothing is kept but the complete subtrees that make it up: enough to append leaves and tell the root."""

    def __init__(self, algorithm: str, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Begin with a tree of a size, made up of these complete subtrees, given left to right.

        Raises:
            ValueError: a tree of that size is not made up of so many, or a hash has another length.
        """
        if len(hashes) != size.bit_count() or not _all_hashes(algorithm, *hashes):
            raise ValueError(f"no tree of {size} leaves is made up of these {len(hashes)} subtrees")
        self.algorithm = algorithm
        self.size = size
        self._hashes = list(hashes)

    def add(self, hashed: bytes) -> None:
        """Append a leaf hash."""
        index, node = self.size, hashed
        while index % 2:
            node = node_hash(self._hashes.pop(), node, self.algorithm)
            index //= 2
        self._hashes.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root."""
        return fold(self._hashes, self.algorithm)


def root_at(store: NodeStore, size: int) -> bytes:
    """Return the root that the tree had when it held this many leaves (RFC 9162, 2.1.1)."""
    return _hashes(store, [(0, size)])[0]


def inclusion_path(store: NodeStore, index: int, size: int) -> list[bytes]:
    """Return the proof that the leaf at an index is in the tree of a size, leaf end first (RFC 9162, 2.1.3.1).

    Raises:
        ValueError: there is no such leaf in a tree of that size.
    """
    return inclusion_paths(store, [index], size)[0]


def inclusion_paths(store: NodeStore, indexes: Sequence[int], size: int) -> list[list[bytes]]:
    """Return the proofs of several leaves in the tree of a size, with a single read of the store.

    Raises:
        ValueError: there is no such leaf in a tree of that size.
    """
    ways = [_way(index, size) for index in indexes]
    hashes = iter(_hashes(store, [step for way in ways for step in way]))
    return [[next(hashes) for _ in way] for way in ways]


def _way(index: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose hashes lead from a leaf to the root."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_path(store: NodeStore, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of one size is the beginning of a later one (RFC 9162, 2.1.4.1).

    Empty when the sizes are the same.

    Raises:
        ValueError: not 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError(f"no consistency between sizes {first} and {second}")
    ranges: list[tuple[int, int]] = []
    low, high = 0, second
    while first < high:
        middle = low + _split(high - low)
        if first <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low > 0:  # otherwise the last subtree is the whole first tree, whose root the verifier holds
        ranges.append((low, high))
    return _hashes(store, ranges[::-1])


def verify_inclusion(hashed: bytes, index: int, size: int, path: Sequence[bytes], root: bytes, algorithm: str = SHA256) -> bool:
    """Tell whether a path leads from a leaf hash to a root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or not _all_hashes(algorithm, hashed, root, *path):
        return False
    place, last, node = index, size - 1, hashed
    for sibling in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            node = node_hash(sibling, node, algorithm)
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            node = node_hash(node, sibling, algorithm)
        place, last = place // 2, last // 2
    return last == 0 and hmac.compare_digest(node, root)


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes], algorithm: str = SHA256
) -> bool:
    """Tell whether a path proves that one tree is the beginning of a later one (RFC 9162, 2.1.4.2)."""
    if not 0 < first <= second or not _all_hashes(algorithm, first_root, second_root, *path):
        return False
    if first == second:
        return not path and hmac.compare_digest(first_root, second_root)
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not path:
        return False
    place, last = first - 1, second - 1
    while place % 2:
        place, last = place // 2, last // 2
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node_hash(step, old, algorithm), node_hash(step, new, algorithm)
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            new = node_hash(new, step, algorithm)
        place, last = place // 2, last // 2
    return last == 0 and hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)


def _all_hashes(algorithm: str, *values: bytes) -> bool:
    length = digest_length(algorithm)
    return all(len(value) == length for value in values)


def _split(size: int) -> int:
    """Return the largest power of two smaller than a size of at least two."""
    return 1 << ((size - 1).bit_length() - 1)


def subtrees(low: int, high: int) -> list[Place]:
    """Return the complete subtrees that make up a range of leaves, left to right, as the tree splits it.

    A range of the tree begins at a multiple of the largest power of two that fits in it, so its subtrees only grow smaller.
    """
    places: list[Place] = []
    while low < high:
        level = (high - low).bit_length() - 1
        places.append((level, low >> level))
        low += 1 << level
    return places


def _hashes(store: NodeStore, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the hash of each range of leaves, with a single read of the store."""
    parts = [subtrees(low, high) for low, high in ranges]
    nodes = store.get_many(list(dict.fromkeys(place for places in parts for place in places)))
    return [fold([nodes[place] for place in places], store.algorithm) for places in parts]


def fold(hashes: Sequence[bytes], algorithm: str = SHA256) -> bytes:
    """Return the root over complete subtrees, given left to right: the small ones on the right are joined first."""
    if not hashes:
        return digest_of(b"", algorithm)
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root, algorithm)
    return root
