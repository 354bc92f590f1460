"""The hash trees of evidence records (RFC 4998, 4.2 and 4.3): many groups of data objects under one root, each with its way.

What lives here: the arithmetic. A group is the hashes of the files of one record; two nodes have one father; hashes are
concatenated in binary ascending order. A node without a brother is its own father.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from archive.proof.hashes import digest_of

Way = tuple[tuple[bytes, ...], ...]


def ways(groups: Sequence[Sequence[bytes]], algorithm: str) -> tuple[bytes, list[Way]]:
    """Return the root over groups of hashes, and the way of each group to it.

    Raises:
        ValueError: there is no group, or one without a hash.
    """
    if not groups or not all(groups):
        raise ValueError("a hash tree is over groups, and a group is of hashes")
    firsts = [tuple(sorted(set(group))) for group in groups]
    level = [_father(first, algorithm) for first in firsts]
    lists: list[list[tuple[bytes, ...]]] = [[first] if len(first) > 1 else [] for first in firsts]
    below = [[rank] for rank in range(len(groups))]
    while len(level) > 1:
        fathers, members = [], []
        for left in range(0, len(level), 2):
            if left + 1 == len(level):
                fathers.append(level[left])
                members.append(below[left])
                continue
            for own, brother in ((left, left + 1), (left + 1, left)):
                for rank in below[own]:
                    # A single hash is not hashed again: its brother stands beside it in the first list.
                    alone = not lists[rank]
                    lists[rank].append(tuple(sorted((level[own], level[brother]))) if alone else (level[brother],))
            fathers.append(_father((level[left], level[left + 1]), algorithm))
            members.append(below[left] + below[left + 1])
        level, below = fathers, members
    return level[0], [tuple(way) for way in lists]


def root_of(hashes: Sequence[bytes], way: Way, algorithm: str) -> bytes | None:
    """Return the root to which a way leads from some hashes; None when they are not in its first list (4.3).

    Without a way the one hash is itself the root.
    """
    if not way:
        return hashes[0] if len(set(hashes)) == 1 else None
    if not all(_among(one, way[0]) for one in hashes):
        return None
    node = _father(way[0], algorithm)
    for partial in way[1:]:
        node = _father((*partial, node), algorithm)
    return node


def renewed(value: bytes, sequence: bytes, algorithm: str) -> bytes:
    """Return the hash of a data object in a renewed hash tree: H(H(data) ‖ H(sequence before)) (5.2)."""
    return digest_of(value + digest_of(sequence, algorithm), algorithm)


def _father(hashes: Sequence[bytes], algorithm: str) -> bytes:
    """Return the hash over hashes in binary ascending order; of one hash, itself."""
    return hashes[0] if len(hashes) == 1 else digest_of(b"".join(sorted(hashes)), algorithm)


def _among(value: bytes, hashes: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(value, one) for one in hashes)
