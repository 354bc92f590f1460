"""Growing the journal's tree and cutting its heads: entries take their place, and a timestamp is put over the root.

One sequencer at a time does this (a scheduled run under a lease); the primary keys of the tables refuse a second one. An entry
takes its place after its transaction has committed, so that the order of the leaves never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, Table, func, insert, select, tuple_

from archive.models import TreeHead, TreeLeaf, TreeNode
from archive.proof import tree
from archive.proof.head import Head
from archive.proof.tree import Place
from core import clock
from core.database import Database
from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp

_messages = Catalogue("archive")
_BATCH = 1000
# Tokens are dated to the second, some of them down; beyond this a clock is wrong.
_APART = timedelta(seconds=5)
# A transaction lives a minute at most (core/database.py): an entry that commits late is looked for this many numbers behind.
_LATE = 100_000
_entry: Table = JournalEntry.__table__  # type: ignore[attr-defined]
_leaf: Table = TreeLeaf.__table__  # type: ignore[attr-defined]
_node: Table = TreeNode.__table__  # type: ignore[attr-defined]
_head: Table = TreeHead.__table__  # type: ignore[attr-defined]


class Stamps(Protocol):
    """Whatever puts a timestamp over a digest."""

    def stamp(self, digest: bytes) -> Timestamp:
        """Return a verified RFC 3161 token over a SHA-256 digest."""


class TableStore:
    """The nodes of the tree in their table, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_many(self, places: Sequence[Place]) -> Mapping[Place, bytes]:
        """Return the hash at each of these places."""
        if not places:
            return {}
        rows = self._connection.execute(select(_node).where(tuple_(_node.c.level, _node.c.position).in_(list(places))))
        return {(row.level, row.position): bytes(row.hash) for row in rows}

    def put_many(self, nodes: Mapping[Place, bytes]) -> None:
        """Keep these hashes."""
        rows = [{"level": level, "position": position, "hash": hashed} for (level, position), hashed in nodes.items()]
        self._connection.execute(insert(_node), rows)


def grow(database: Database) -> int:
    """Give every committed entry that has none its place in the tree; return the size of the tree."""
    size, added = 0, _BATCH
    while added == _BATCH:
        with database.writing(PLATFORM) as session:
            connection = session.connection()
            size = tree_size(connection)
            entries = _without_place(connection)
            added = len(entries)
            if not entries:
                break
            leaves = [tree.leaf_hash(entry.leaf()) for entry in entries]
            places = [
                {"position": size + rank, "entry_number": entry.number, "entry_id": entry.id}
                for rank, entry in enumerate(entries)
            ]
            connection.execute(insert(_leaf), places)
            size = tree.append(TableStore(connection), size, leaves)
    return size


def cut(platform: Platform, stamps: Stamps) -> TreeHead | None:
    """Grow the tree and put a timestamp over its root; None when nothing was written since the last head.

    The authority is asked outside any transaction.

    Raises:
        Unavailable: no authority answers; the entries keep their places and wait for the next head.
        NeedsOperator: its clock and ours disagree: a time that one of them has wrong is not put under a seal.
    """
    size = grow(platform.database)
    with platform.database.reading(PLATFORM) as session:
        connection = session.connection()
        if size == 0 or connection.execute(select(_head.c.size).where(_head.c.size == size)).first():
            return None
        root = tree.root_at(TableStore(connection), size)
    head = Head(platform.settings.journal_name, size, root, clock.now()).canonical()
    asked = clock.now()
    stamp = stamps.stamp(hashlib.sha256(head).digest())
    _require_same_time(stamp.gen_time, asked, clock.now())
    cut_head = TreeHead(size=size, root=root, head=head, token=stamp.token, stamped=stamp.gen_time)
    with platform.database.writing(PLATFORM) as session:
        session.add(cut_head)
    return cut_head


def _require_same_time(stamped: datetime, asked: datetime, answered: datetime) -> None:
    if not asked - _APART <= stamped <= answered + _APART:
        apart = round(abs(stamped - answered).total_seconds())
        raise NeedsOperator(_messages("head.clock", seconds=apart))


def tree_size(connection: Connection) -> int:
    """Return how many leaves the tree has."""
    last = connection.execute(select(func.max(_leaf.c.position))).scalar()
    return 0 if last is None else int(last) + 1


def _without_place(connection: Connection) -> list[JournalEntry]:
    last = connection.execute(select(func.max(_leaf.c.entry_number))).scalar() or 0
    rows = connection.execute(
        select(_entry)
        .outerjoin(_leaf, _leaf.c.entry_number == _entry.c.number)
        .where(_entry.c.number > last - _LATE, _leaf.c.position.is_(None))
        .order_by(_entry.c.number)
        .limit(_BATCH)
    )
    return [JournalEntry(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way to a row's mapping
