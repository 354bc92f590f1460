"""Growing the journal's tree and cutting its heads: entries take their place, and a timestamp is put over the root.

One sequencer at a time does this (a scheduled run under a lease); the primary keys of the tables refuse a second one. An entry
takes its place after its transaction has committed, so that the order of the leaves never changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Table, func, insert, select, union_all
from sqlmodel import col
from sqlmodel import select as select_objects

from archive.models import TreeHash, TreeHead, TreeLeaf, TreeNode
from archive.proof import tree
from archive.proof.hashes import SHA256, plain_name
from archive.proof.head import Head
from archive.proof.tree import Place
from core import clock
from core.database import Database, ScopedSession
from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp

_messages = Catalogue("archive.proof")
BATCH = 1000
"""Entries that are read, or put into the tree, in one transaction."""
# Tokens are dated to the second, some of them down; beyond this a clock is wrong.
_APART = timedelta(seconds=5)
# A transaction lives a minute at most (core/database.py): an entry that commits late is looked for this many numbers behind.
_LATE = 100_000
_entry: Table = JournalEntry.__table__  # type: ignore[attr-defined]
_leaf: Table = TreeLeaf.__table__  # type: ignore[attr-defined]
_node: Table = TreeNode.__table__  # type: ignore[attr-defined]
_head: Table = TreeHead.__table__  # type: ignore[attr-defined]
_hash: Table = TreeHash.__table__  # type: ignore[attr-defined]


class Stamps(Protocol):
    """Whatever puts a timestamp over a digest."""

    def stamp(self, digest: bytes, hash_name: str = "sha256") -> Timestamp:
        """Return a verified RFC 3161 token over a digest made with a hash."""


class TableStore:
    """The nodes of the tree in their table, within one transaction."""

    def __init__(self, connection: Connection, algorithm: str = SHA256) -> None:
        self._connection = connection
        self.algorithm = algorithm

    def get_many(self, places: Sequence[Place]) -> Mapping[Place, bytes]:
        """Return the hash at each of these places."""
        if not places:
            return {}
        levels: dict[int, list[int]] = {}
        for level, position in places:
            levels.setdefault(level, []).append(position)
        # A level a query: SQLite answers pairs, and alternatives, by reading the whole tree.
        by_level = [
            select(_node).where(_node.c.algorithm == self.algorithm, _node.c.level == level, _node.c.position.in_(positions))
            for level, positions in levels.items()
        ]
        rows = self._connection.execute(union_all(*by_level))
        return {(row.level, row.position): bytes(row.hash) for row in rows}

    def put_many(self, nodes: Mapping[Place, bytes]) -> None:
        """Keep these hashes."""
        rows = [
            {"algorithm": self.algorithm, "level": level, "position": position, "hash": hashed}
            for (level, position), hashed in nodes.items()
        ]
        self._connection.execute(insert(_node), rows)


def grow(database: Database) -> int:
    """Give every committed entry that has none its place, bring the tree in force to that size, and return it."""
    while True:
        with database.writing(PLATFORM) as session:
            connection = session.connection()
            placed = _place(connection)
            size = leaf_count(connection)
            extended = extend(connection, algorithm_in_force(connection), size)
        if placed < BATCH and extended < BATCH:
            return size


def cut(platform: Platform, stamps: Stamps) -> TreeHead | None:
    """Grow the tree and put a timestamp over its root; None when nothing was written since the last head.

    The authority is asked outside any transaction.

    Raises:
        Unavailable: no authority answers; the entries keep their places and wait for the next head.
        NeedsOperator: its clock and ours disagree: a time that one of them has wrong is not put under a seal.
    """
    grow(platform.database)
    with platform.database.reading(PLATFORM) as session:
        connection = session.connection()
        # In this order: the entry that changes the hash has no place before its transaction, so a head that covers it is
        # made with the new one, and of each size there is one head.
        size = leaf_count(connection)
        algorithm = algorithm_in_force(connection)
        if size == 0 or connection.execute(select(_head.c.size).where(_head.c.size == size)).first():
            return None
        if tree_size(connection, algorithm) < size:
            return None  # the hash was changed at this very moment: its tree is whole at the next turn
        root = tree.root_at(TableStore(connection, algorithm), size)
    head = Head(platform.settings.journal_name, size, root, clock.now(), algorithm)
    asked = clock.now()
    stamp = stamps.stamp(head.digest(), plain_name(algorithm))
    _require_same_time(stamp.gen_time, asked, clock.now())
    cut_head = TreeHead(size=size, root=root, head=head.canonical(), token=stamp.token, stamped=stamp.gen_time)
    with platform.database.writing(PLATFORM) as session:
        session.add(cut_head)
    return cut_head


def last_anchor(session: ScopedSession) -> datetime | None:
    """Return when the newest head was timestamped, by its authority; None before the first."""
    head = session.exec(select_objects(TreeHead).order_by(col(TreeHead.size).desc()).limit(1)).first()
    return head.stamped if head else None


def algorithm_in_force(connection: Connection) -> str:
    """Return the hash that the tree is made with now."""
    newest = select(_hash.c.algorithm).order_by(_hash.c.since.desc()).limit(1)
    return str(connection.execute(newest).scalar() or SHA256)


def algorithms(connection: Connection) -> list[str]:
    """Return the hashes that the tree was ever made with, oldest first."""
    later = connection.execute(select(_hash.c.algorithm).order_by(_hash.c.since)).scalars().all()
    return list(dict.fromkeys([SHA256, *later]))


def leaf_count(connection: Connection) -> int:
    """Return how many entries have their place."""
    last = connection.execute(select(func.max(_leaf.c.position))).scalar()
    return 0 if last is None else int(last) + 1


def tree_size(connection: Connection, algorithm: str) -> int:
    """Return how many leaves the tree of a hash has; one that came later first has to catch up with those before it."""
    leaves = (_node.c.algorithm == algorithm) & (_node.c.level == 0)
    last = connection.execute(select(func.max(_node.c.position)).where(leaves)).scalar()
    return 0 if last is None else int(last) + 1


def _require_same_time(stamped: datetime, asked: datetime, answered: datetime) -> None:
    if not asked - _APART <= stamped <= answered + _APART:
        apart = round(abs(stamped - answered).total_seconds())
        raise NeedsOperator(_messages("head.clock", seconds=apart))


def _place(connection: Connection) -> int:
    """Give the next entries their places; return how many there were."""
    size = leaf_count(connection)
    last = connection.execute(select(func.max(_leaf.c.entry_number))).scalar() or 0
    rows = connection.execute(
        select(_entry.c.number, _entry.c.id)
        .outerjoin(_leaf, _leaf.c.entry_number == _entry.c.number)
        .where(_entry.c.number > last - _LATE, _leaf.c.position.is_(None))
        .order_by(_entry.c.number)
        .limit(BATCH)
    )
    places = [{"position": size + rank, "entry_number": row.number, "entry_id": row.id} for rank, row in enumerate(rows)]
    if places:
        connection.execute(insert(_leaf), places)
    return len(places)


def extend(connection: Connection, algorithm: str, size: int) -> int:
    """Put the next leaves, up to a size, into the tree of a hash; return how many there were, at most `BATCH`.

    Raises:
        NeedsOperator: an entry that has its place is missing.
    """
    known = tree_size(connection, algorithm)
    if known >= size:
        return 0
    end = min(known + BATCH, size)
    entries = entries_at(connection, known, end)
    if len(entries) != end - known:
        raise NeedsOperator(_messages("head.gap", first=known, last=end - 1))
    tree.append(TableStore(connection, algorithm), known, [tree.leaf_hash(entry.leaf(), algorithm) for entry in entries])
    return len(entries)


def entries_at(connection: Connection, start: int, end: int) -> list[JournalEntry]:
    """Return the entries from one place up to another, in their order in the tree."""
    rows = connection.execute(
        select(_entry)
        .join(_leaf, _leaf.c.entry_number == _entry.c.number)
        .where(_leaf.c.position >= start, _leaf.c.position < end)
        .order_by(_leaf.c.position)
    )
    return [JournalEntry(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's mapping
