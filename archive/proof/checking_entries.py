"""Entries of the journal and their places, read one by one where a row cannot be read, for those who check them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select
from sqlalchemy.exc import OperationalError

from archive.models import TreeLeaf
from archive.proof.fault import Fault
from archive.proof.tree import leaf_hash
from core.journal import JournalEntry

_entry: Table = JournalEntry.__table__  # type: ignore[attr-defined]
_leaf: Table = TreeLeaf.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal.

    Attributes:
        data: the bytes of its leaf; None when the row can no longer be read or has none.
    """

    number: int
    id: str
    data: bytes | None

    @property
    def key(self) -> str:
        """How a fault names it."""
        return f"number={self.number}"

    def hash(self, algorithm: str) -> bytes | None:
        """Return the hash of its leaf."""
        return None if self.data is None else leaf_hash(self.data, algorithm)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A place of the tree, and the entries that its row leads to: one and the same, unless a row was altered.

    Attributes:
        number: of the entry, as the row says; None when there is no row.
        entry_id: of the entry, as the row says.
    """

    position: int
    number: int | None
    entry_id: str | None
    by_number: Entry | None
    by_id: Entry | None

    @property
    def key(self) -> str:
        """How a fault names it."""
        return f"position={self.position}"

    def candidates(self) -> list[Entry]:
        """Return the entries that the row leads to, the same one once."""
        found = [entry for entry in (self.by_number, self.by_id) if entry is not None]
        return found[:1] if len(found) == 2 and found[0].number == found[1].number else found

    def row_faults(self, right: Entry | None) -> Iterator[Fault]:
        """Yield what is wrong with the row, given the entry that the tree is made with, when there is one."""
        if self.number is None:
            yield Fault("tree_leaf", self.key, "missing")
            return
        found = self.candidates()
        if not found:
            yield Fault("journal_entry", f"number={self.number}", "missing", expected=f"id={self.entry_id}")
        elif len(found) == 2 or self.by_number is None or self.by_id is None:
            meant = right or found[0]
            if meant.number != self.number:
                yield Fault("tree_leaf", self.key, "entry_number", str(meant.number), str(self.number))
            if meant.id != self.entry_id:
                yield Fault("tree_leaf", self.key, "entry_id", meant.id, str(self.entry_id))


def leaves_at(connection: Connection, start: int, end: int) -> list[Leaf]:
    """Return the places from one up to another; each of them, whether it has a row or not."""
    wanted = select(_leaf).where(_leaf.c.position >= start, _leaf.c.position < end)
    rows = {row.position: row for row in connection.execute(wanted)}
    by_number = _entries(connection, _entry.c.number, [row.entry_number for row in rows.values()])
    numbers = {entry.id: entry for entry in by_number.values()}
    lost = [row.entry_id for row in rows.values() if row.entry_id not in numbers]
    by_id = numbers | _entries(connection, _entry.c.id, lost)
    return [
        Leaf(position, row.entry_number, row.entry_id, by_number.get(row.entry_number), by_id.get(row.entry_id))
        if (row := rows.get(position)) is not None
        else Leaf(position, None, None, None, None)
        for position in range(start, end)
    ]


def _entries(connection: Connection, column: Any, keys: Sequence[Any]) -> dict[Any, Entry]:
    if not keys:
        return {}
    try:
        return {getattr(row, column.name): _entry_of(row) for row in _rows(connection, select(_entry).where(column.in_(keys)))}
    except UnreadableRow:
        return dict(_one_by_one(connection, column, keys))


def _one_by_one(connection: Connection, column: Any, keys: Iterable[Any]) -> Iterator[tuple[Any, Entry]]:
    for key in keys:
        try:
            rows = _rows(connection, select(_entry).where(column == key))
            yield from ((key, _entry_of(row)) for row in rows)
        except UnreadableRow:
            plain = connection.execute(select(_entry.c.number, _entry.c.id).where(column == key)).one()
            yield key, Entry(plain.number, plain.id, None)


class UnreadableRow(Exception):
    """A row whose moment, text or JSON can no longer be read."""


def _rows(connection: Connection, statement: Select[Any]) -> list[Row[Any]]:
    try:
        return list(connection.execute(statement))
    except (ValueError, TypeError, RecursionError) as error:
        raise UnreadableRow from error
    except OperationalError as error:
        if "UTF-8" not in str(error):
            raise
        raise UnreadableRow from error


def _entry_of(row: Row[Any]) -> Entry:
    try:
        data = JournalEntry(**row._mapping).leaf()  # noqa: SLF001 - the documented way to a row's mapping
    except (ValueError, TypeError, AttributeError, RecursionError):
        data = None
    return Entry(row.number, row.id, data)
