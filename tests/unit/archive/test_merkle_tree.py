"""The tree of the journal gives the roots and proofs of RFC 9162, and no false proof passes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pytest

from archive.proof.tree import (
    Place,
    append,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)

INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 200
LEAVES = [leaf_hash(str(rank).encode()) for rank in range(LARGEST)]


class Memory:
    """A store that counts its reads and refuses to write a place twice."""

    def __init__(self) -> None:
        self.algorithm = "SHA-256"
        self.nodes: dict[Place, bytes] = {}
        self.reads: list[int] = []

    def get_many(self, places: Sequence[Place]) -> Mapping[Place, bytes]:
        self.reads.append(len(places))
        return {place: self.nodes[place] for place in places}

    def put_many(self, nodes: Mapping[Place, bytes]) -> None:
        assert not set(nodes) & set(self.nodes)
        self.nodes.update(nodes)


def naive_root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(first: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if first <= k:
        return [*naive_proof(first, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_proof(first - k, leaves[k:], False), naive_root(leaves[:k])]


@pytest.fixture(scope="module")
def store() -> Memory:
    memory = Memory()
    assert append(memory, 0, LEAVES) == LARGEST
    return memory


def test_the_roots_are_those_of_the_certificate_transparency_inputs():
    memory = Memory()
    append(memory, 0, [leaf_hash(bytes.fromhex(text)) for text in INPUTS])
    assert [root_at(memory, size).hex() for size in range(9)] == ROOTS


def test_appending_one_by_one_or_in_batches_gives_the_same_nodes(store: Memory):
    for batch in (1, 2, 3, 7, 64):
        memory, size = Memory(), 0
        for start in range(0, LARGEST, batch):
            size = append(memory, size, LEAVES[start : start + batch])
        assert memory.nodes == store.nodes
    assert append(store, LARGEST, []) == LARGEST


def test_every_root_is_that_of_the_definition(store: Memory):
    for size in range(LARGEST + 1):
        assert root_at(store, size) == naive_root(LEAVES[:size])


def test_every_inclusion_path_is_that_of_the_definition_and_verifies(store: Memory):
    for size in range(1, LARGEST + 1):
        root = root_at(store, size)
        for index in range(size):
            path = inclusion_path(store, index, size)
            assert verify_inclusion(LEAVES[index], index, size, path, root)
            if size % 13 == 0 or size < 20:
                assert path == naive_path(index, LEAVES[:size])


def test_every_consistency_path_is_that_of_the_definition_and_verifies(store: Memory):
    roots = [root_at(store, size) for size in range(LARGEST + 1)]
    for second in range(1, LARGEST + 1):
        for first in range(1, second + 1):
            path = consistency_path(store, first, second)
            assert verify_consistency(first, second, roots[first], roots[second], path)
            if second % 13 == 0 or second < 20:
                assert path == naive_proof(first, LEAVES[:second])


def test_an_inclusion_proof_holds_for_its_leaf_its_place_and_its_size_only(store: Memory):
    for size in range(1, 40):
        root = root_at(store, size)
        for index in range(size):
            path = inclusion_path(store, index, size)
            for other in range(size + 3):
                assert verify_inclusion(LEAVES[index], other, size, path, root) is (other == index)
            assert not verify_inclusion(LEAVES[index + 1], index, size, path, root)
            assert not verify_inclusion(LEAVES[index], index, size, [*path, root], root)
            assert not verify_inclusion(LEAVES[index], index, size, path, leaf_hash(b"another root"))
            for step in range(len(path)):
                assert not verify_inclusion(LEAVES[index], index, size, path[:step] + path[step + 1 :], root)
                changed = [*path[:step], leaf_hash(path[step]), *path[step + 1 :]]
                assert not verify_inclusion(LEAVES[index], index, size, changed, root)


def test_a_consistency_proof_holds_for_its_two_roots_only(store: Memory):
    roots = [root_at(store, size) for size in range(41)]
    for second in range(1, 40):
        for first in range(1, second + 1):
            path = consistency_path(store, first, second)
            assert not verify_consistency(first, second, leaf_hash(b"x"), roots[second], path)
            assert not verify_consistency(first, second, roots[first], leaf_hash(b"x"), path)
            assert not verify_consistency(first, second, roots[first], roots[second], [*path, roots[first]])
            for step in range(len(path)):
                shorter = path[:step] + path[step + 1 :]
                assert not verify_consistency(first, second, roots[first], roots[second], shorter)


def test_a_rewritten_journal_is_not_consistent_with_its_past(store: Memory):
    rewritten = Memory()
    append(rewritten, 0, [*LEAVES[:5], leaf_hash(b"forged"), *LEAVES[6:50]])
    path = consistency_path(rewritten, 20, 50)
    assert not verify_consistency(20, 50, root_at(store, 20), root_at(rewritten, 50), path)


def test_hashes_of_another_length_prove_nothing(store: Memory):
    root = root_at(store, 2)
    assert not verify_inclusion(LEAVES[0], 0, 2, [LEAVES[1][:31]], root)
    assert not verify_inclusion(b"", 0, 1, [], b"")
    assert not verify_consistency(1, 1, b"", b"", [])


def test_asking_for_what_the_tree_never_had_is_an_error(store: Memory):
    for index, size in ((0, 0), (5, 5), (-1, 3)):
        with pytest.raises(ValueError, match="no leaf"):
            inclusion_path(store, index, size)
    for first, second in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no consistency"):
            consistency_path(store, first, second)


def test_each_operation_reads_the_store_once_and_few_nodes():
    memory = Memory()
    append(memory, 0, (leaf_hash(rank.to_bytes(4, "big")) for rank in range(10_000)))
    memory.reads.clear()
    root_at(memory, 9_999)
    inclusion_path(memory, 4_321, 9_999)
    consistency_path(memory, 4_321, 9_999)
    append(memory, 10_000, [leaf_hash(b"one more")])
    assert len(memory.reads) == 4
    assert max(memory.reads) <= 40
