"""Whatever bit changes in the journal, its tree, its heads or its segments, the check finds it and names the very row."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import select

from archive.models import TreeHash, TreeHead, TreeLeaf, TreeNode
from archive.places.places import places_of
from archive.proof import checking, checking_segments, heads, segments, tree
from archive.proof.fault import Fault
from archive.proof.head import Head
from archive.proof.segment_keys import key_of
from core import clock, locked_objects
from core.blobs import ObjectAltered
from core.errors import Unavailable
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.journals import cut, tampering, write_entries

# Heads at 4 and 11, two leaves beyond the last: subtrees of one, two, four and eight leaves, some without anything above.
SIZES, LEAVES = (4, 11), 13
on_both = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    tsa = authority("tsa")
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture
def kept(platform: Platform, mairie: Organisation, stamps: TimestampClient) -> Platform:
    before = 0
    for size in SIZES:
        assert cut(platform, mairie.id, size - before, stamps) == size
        before = size
    assert segments.copy_due(platform) == len(SIZES)
    write_entries(platform, mairie.id, 2)
    assert heads.grow(platform.database) == LEAVES
    return platform


def found(platform: Platform, *span: int) -> list[Fault]:
    return list(checking.faults(platform, *span))


def named(platform: Platform, *span: int) -> list[tuple[str, str, str]]:
    return [(fault.table, fault.key, fault.what) for fault in found(platform, *span)]


@contextmanager
def changed(platform: Platform, table: str, where: str, **values: Any) -> Iterator[None]:
    """Change a row as whoever owns the database can, and put it back."""
    columns = ", ".join(values)
    with tampering(platform.database) as connection:
        before = connection.execute(text(f"SELECT {columns} FROM {table} WHERE {where}")).one()._mapping
        sets = ", ".join(f"{column} = :{column}" for column in values)
        assert connection.execute(text(f"UPDATE {table} SET {sets} WHERE {where}"), values).rowcount == 1
    yield
    with tampering(platform.database) as connection:
        assert connection.execute(text(f"UPDATE {table} SET {sets} WHERE {where}"), plain(before)).rowcount == 1


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What was read of a row, as it is written."""
    return {column: json.dumps(value) if isinstance(value, dict) else value for column, value in values.items()}


def moment(platform: Platform, at: datetime) -> str | datetime:
    """A moment as the database writes it."""
    return at.strftime("%Y-%m-%d %H:%M:%S.%f") if platform.database.is_sqlite else at


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def rows(platform: Platform, model: Any) -> list[Any]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(model)))


@on_both
def test_a_sound_journal_has_no_fault_in_one_piece_or_in_many(kept: Platform) -> None:
    assert found(kept) == []
    assert checking.places(kept) == LEAVES
    assert [fault for start in range(0, LEAVES, 5) for fault in found(kept, start, 5)] == []


@on_both
def test_a_changed_entry_is_named_with_what_its_leaf_was(kept: Platform, shape: Any) -> None:
    with kept.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).order_by(JournalEntry.number)).all()  # type: ignore[arg-type]
    sqlite = shape.name == "embedded"
    earlier = moment(kept, clock.now() - timedelta(seconds=1))
    changes: list[dict[str, Any]] = [
        {"actor": "person:x"},
        {"kind": "test.happenee"},
        {"facts": '{"rank": 99}'},
        {"at": earlier},
        {"dossier_id": "D" * 26},
    ]
    # Only in SQLite can a row be such that it is not read at all; its index over the facts wants JSON, of any depth.
    deep = "[" * 1500 + "]" * 1500
    broken: list[dict[str, Any]] = [{"facts": deep}, {"at": "yesterday"}, {"facts": '{"rank": 0.5}'}] if sqlite else []
    for entry in entries[: -1 : 5 if sqlite else 8]:
        key = f"number={entry.number}"
        for change in [*changes, *broken]:
            with changed(kept, "journal_entry", f"number = {entry.number}", **change):
                (fault,) = found(kept)
            assert (fault.table, fault.key) == ("journal_entry", key), change
            assert fault.what == ("unreadable" if change in broken else "leaf")
            assert fault.expected == tree.leaf_hash(entry.leaf()).hex()
            assert key in fault.message
    assert found(kept) == []


@on_both
def test_a_flipped_bit_of_any_node_at_any_level_is_that_node(kept: Platform) -> None:
    draws = random.Random(7)
    nodes = rows(kept, TreeNode)
    assert {node.level for node in nodes} == {0, 1, 2, 3}
    for node in nodes if kept.database.is_sqlite else nodes[::5]:
        where = f"level = {node.level} AND position = {node.position}"
        with changed(kept, "tree_node", where, hash=flipped(node.hash, draws.randrange(256))):
            faults = found(kept)
            alone = (
                [fault for start in range(0, LEAVES, 3) for fault in found(kept, start, 3)]
                if (node.level, node.position) in {(1, 0), (0, 2)}
                else faults
            )
        if (node.level, node.position) == (0, LEAVES - 1):  # nothing stands above it yet: which of the two was changed?
            assert [(fault.table, fault.expected) for fault in faults] == [("journal_entry", faults[0].expected)]
            continue
        assert [(fault.table, fault.key, fault.expected) for fault in faults] == [
            ("tree_node", f"algorithm=SHA-256 level={node.level} position={node.position}", node.hash.hex())
        ]
        assert {(fault.table, fault.key) for fault in alone} == {(fault.table, fault.key) for fault in faults}


@on_both
def test_a_changed_or_missing_place_is_named(kept: Platform) -> None:
    for leaf in rows(kept, TreeLeaf)[::6]:
        where = f"position = {leaf.position}"
        with changed(kept, "tree_leaf", where, entry_number=999):
            (fault,) = found(kept)
        assert (fault.table, fault.key, fault.what) == ("tree_leaf", where.replace(" ", ""), "entry_number")
        assert (fault.expected, fault.found) == (str(leaf.entry_number), "999")
        with changed(kept, "tree_leaf", where, entry_id="X" * 26):
            (fault,) = found(kept)
        assert (fault.table, fault.what, fault.expected) == ("tree_leaf", "entry_id", leaf.entry_id)


@on_both
def test_rows_that_are_gone_are_named(kept: Platform) -> None:
    gone = {
        "journal_entry WHERE number = 2": ("journal_entry", "number=2", "missing"),
        "tree_leaf WHERE position = 5": ("tree_leaf", "position=5", "missing"),
        "tree_node WHERE level = 1 AND position = 1": ("tree_node", "algorithm=SHA-256 level=1 position=1", "missing"),
        "tree_node WHERE level = 0 AND position = 9": ("tree_node", "algorithm=SHA-256 level=0 position=9", "missing"),
        "tree_head WHERE size = 4": ("tree_head", "size=4", "missing"),
        "tree_segment WHERE size = 4": ("tree_segment", "size=4", "missing"),
    }
    for where, fault in gone.items():
        with tampering(kept.database) as connection:
            table, _, condition = where.partition(" WHERE ")
            connection.execute(text(f"CREATE TEMPORARY TABLE saved AS SELECT * FROM {table} WHERE {condition}"))
            assert connection.execute(text(f"DELETE FROM {where}")).rowcount == 1
            saved = connection.execute(text("SELECT * FROM saved")).one()._mapping
            connection.execute(text("DROP TABLE saved"))
        assert fault in named(kept), where
        with tampering(kept.database) as connection:
            columns = ", ".join(saved)
            values = plain(saved)
            marks = ", ".join(f":{column}" for column in saved)
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)
    assert found(kept) == []


@on_both
def test_a_flipped_bit_of_a_head_is_that_head_and_its_part(kept: Platform) -> None:
    draws = random.Random(11)
    for head in rows(kept, TreeHead)[: 2 if kept.database.is_sqlite else 1]:
        where, key = f"size = {head.size}", f"size={head.size}"
        for column, times in (("root", 1), ("head", 3), ("token", 3)):
            for _ in range(times):
                data = getattr(head, column)
                with changed(kept, "tree_head", where, **{column: flipped(data, draws.randrange(8 * len(data)))}):
                    assert [(fault[0], fault[1]) for fault in named(kept)] == [("tree_head", key)], column
        with changed(kept, "tree_head", where, root=flipped(head.root, 3)):
            (fault,) = found(kept)
        assert (fault.what, fault.expected) == ("root", head.root.hex())
        with changed(kept, "tree_head", where, head=head.head.replace(b"2026", b"2025")):
            assert named(kept) == [("tree_head", key, "head")]


@on_both
def test_a_changed_row_of_a_segment_is_told_from_a_changed_segment(kept: Platform) -> None:
    with changed(kept, "tree_segment", "size = 4", sha256="0" * 64):
        assert named(kept) == [("tree_segment", "size=4", "sha256")]
    with changed(kept, "tree_segment", "size = 4", key="journal/000000000005.zip"):
        assert ("tree_segment", "size=4", "key") in named(kept)
    with changed(kept, "tree_segment", "size = 4", copies='{"principal": "' + "0" * 32 + '"}'):
        assert named(kept) == [("tree_segment", "size=4", "copies")]


@on_one_shape
def test_a_flipped_bit_of_a_segment_in_a_place_is_that_object(kept: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_checked = locked_objects.copy_checked
    draws = random.Random(13)

    class Altered:
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def stream(self, size: int) -> Iterator[bytes]:
            data = b"".join(self._stream.stream(size))
            yield flipped(data, draws.randrange(8 * len(data)))

    for size in SIZES:
        wanted = key_of(size)

        def altered(self: Any, sealed: Any, target: Any, wanted: str = wanted) -> None:
            response = self._client.get_object(sealed.bucket, sealed.key, version_id=sealed.version_id)
            copy_checked(Altered(response) if sealed.key == wanted else response, target, sealed.sha256)

        with monkeypatch.context() as patch:
            patch.setattr(locked_objects.LockedObjects, "fetch_sealed", altered)
            for _ in range(2):
                assert [(table, key) for table, key, _ in named(kept)] == [("segment", f"principal {wanted}")]
    with monkeypatch.context() as patch:
        patch.setattr(checking_segments, "fetch", lambda *_: (_ for _ in ()).throw(Unavailable("silent")))
        assert {what for *_, what in named(kept)} == {"unreachable"}


@on_both
def test_a_forger_who_mends_everything_in_the_database_is_found_by_the_segment(kept: Platform, stamps: TimestampClient) -> None:
    with tampering(kept.database) as connection:
        connection.execute(text("UPDATE journal_entry SET actor = 'person:x' WHERE number = 2"))
        for table in ("tree_leaf", "tree_node"):
            connection.execute(text(f"DELETE FROM {table}"))
    heads.grow(kept.database)
    for row in rows(kept, TreeHead):
        with kept.database.reading(PLATFORM) as session:
            root = tree.root_at(heads.TableStore(session.connection()), row.size)
        head = Head(kept.settings.journal_name, row.size, root, row.stamped)
        stamp = stamps.stamp(head.digest())
        with tampering(kept.database) as connection:
            connection.execute(
                text("UPDATE tree_head SET root = :root, head = :head, token = :token, stamped = :stamped WHERE size = :size"),
                {
                    "root": root,
                    "head": head.canonical(),
                    "token": stamp.token,
                    "stamped": moment(kept, stamp.gen_time),
                    "size": row.size,
                },
            )
    names = named(kept)
    assert ("journal_entry", "number=2", "segment") in names
    assert {key for table, key, what in names if (table, what) == ("tree_head", "segment")} == {"size=4", "size=11"}
    assert {table for table, *_ in names} == {"journal_entry", "tree_head"}


@on_one_shape
def test_places_that_hold_the_same_are_compared_with_the_journal_once(kept: Platform) -> None:
    with changed(kept, "journal_entry", "number = 2", actor="person:x"):
        assert named(kept) == [("journal_entry", "number=2", "leaf")]
    assert [place.name for place in places_of(kept)] == ["principal"]
    assert issubclass(ObjectAltered, Exception)


_LEAVES, _NODES = "tree_leaf WHERE position >= 4", "tree_node WHERE (position + 1) * (1 << level) > 4"
_ROWS = (_LEAVES, _NODES, "journal_entry WHERE number > 4", "tree_head WHERE size > 4")
_TAILS: tuple[tuple[tuple[str, ...], tuple[str, str, str]], ...] = (
    ((_LEAVES,), ("tree_leaf", "position=4", "missing")),
    ((_NODES,), ("tree_node", "algorithm=SHA-256 level=0 position=4", "missing")),
    (_ROWS, ("tree_head", "size=11", "missing")),
    ((*_ROWS, "tree_segment WHERE size > 4"), ("tree_segment", "size=11", "missing")),
    (("tree_leaf", "tree_node", "journal_entry", "tree_head", "tree_segment"), ("tree_segment", "size=4", "missing")),
)


@on_one_shape
@pytest.mark.parametrize(("tables", "row"), _TAILS, ids=["leaves", "nodes", "rows", "rows and segment", "everything"])
def test_what_was_cut_off_the_end_is_told_by_whatever_reaches_further(
    kept: Platform, tables: tuple[str, ...], row: tuple[str, str, str]
) -> None:
    with tampering(kept.database) as connection:
        for table in tables:
            assert connection.execute(text(f"DELETE FROM {table}")).rowcount
    assert row in named(kept)
    assert row in [one for start in range(0, checking.places(kept) + 1, 5) for one in named(kept, start, 5)]


@on_one_shape
def test_a_tree_of_a_hash_that_nobody_knows_is_named_and_the_others_are_checked(kept: Platform) -> None:
    with kept.database.writing(PLATFORM) as session:
        session.add(TreeHash(algorithm="SHA-51v", entry_id="0" * 26))
    with changed(kept, "journal_entry", "number = 2", actor="person:x"):
        assert named(kept) == [
            ("journal_entry", "number=2", "leaf"),
            ("tree_hash", "algorithm=SHA-51v", "entry_id"),
        ]
