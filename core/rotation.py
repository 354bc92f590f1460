"""The key of the secrets changes: what stands under an earlier one is encrypted anew, a page of rows in a transaction.

Every column of the kind ``core.secrets.Encrypted`` counts, whoever declares it. A row that changes meanwhile is left as it was
written, under whatever key; one under the first key is left alone. So the work may be cut off anywhere, and begun again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Connection, Table, tuple_, update
from sqlmodel import Session, SQLModel, select

from core import journal
from core.database import Database
from core.errors import Misconfigured
from core.organisations import Organisation, OrganisationKind
from core.principal import PLATFORM
from core.secrets import Encrypted, SecretBox

ENCRYPTED_ANEW = "secrets.encrypted_anew"
_AT_ONCE = 100
_MOST_NAMED = 100


@dataclass(slots=True)
class Standing:
    """How the secrets of a database stand.

    Attributes:
        current: how many are under the first key.
        earlier: how many are under another one, by table.
        lost: how many no key opens; ``named`` the first of them, as ``table/key``.
    """

    current: int = 0
    earlier: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    named: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    """An encrypted value.

    Attributes:
        key: of its row, in the order of the columns of the primary key.
    """

    key: tuple[Any, ...]
    encrypted: bytes


def columns() -> list[Column[Any]]:
    """Return the columns that hold secrets, of all the tables whose modules this process has imported."""
    return [one for table in SQLModel.metadata.sorted_tables for one in table.columns if isinstance(one.type, Encrypted)]


def standing(database: Database, box: SecretBox) -> Standing:
    """Look at every secret; nothing is written, and nothing under the first key is opened."""
    found = Standing()
    for column in columns():
        after: tuple[Any, ...] = ()
        while True:
            with database.reading(PLATFORM) as session:
                rows = _page(session.connection(), column, after)
            for row in rows:
                _look(box, column.table, row, found)
            if not rows:
                break
            after = rows[-1].key
    return found


def encrypt_anew(database: Database, box: SecretBox, actor: str) -> Iterator[int]:
    """Put what stands under an earlier key under the first; what no key opens is passed over.

    Args:
        database: whose secrets.
        box: with both keys.
        actor: who wants it, as the journal writes it.

    Yields:
        How many were put under it, for each page.
    """
    for column in columns():
        after: tuple[Any, ...] = ()
        while True:
            with database.writing(PLATFORM) as session:
                rows = _page(session.connection(), column, after)
                done = sum(_put(session.connection(), box, column, row) for row in rows)
                if done:
                    _tell(session, actor, {"table": str(column.table.name), "secrets": done})
            if not rows:
                break
            yield done
            after = rows[-1].key


def _page(connection: Connection, column: Column[Any], after: tuple[Any, ...]) -> list[_Row]:
    own: list[Any] = list(column.table.primary_key.columns)
    wanted: Any = sqlalchemy.select(*own, column).where(column.is_not(None)).order_by(*own).limit(_AT_ONCE)
    if after:
        wanted = wanted.where(tuple_(*own) > tuple_(*after))
    return [_Row(tuple(row[:-1]), row[-1]) for row in connection.execute(wanted)]


def _look(box: SecretBox, table: Table, row: _Row, found: Standing) -> None:
    if box.is_current(row.encrypted):
        found.current += 1
    elif _renewed(box, row) is not None:
        found.earlier[table.name] += 1
    else:
        found.lost += 1
        if len(found.named) < _MOST_NAMED:
            found.named.append("/".join((table.name, *map(str, row.key))))


def _put(connection: Connection, box: SecretBox, column: Column[Any], row: _Row) -> int:
    """Put a value under the first key, unless it is there, or the row says something else by now."""
    renewed = None if box.is_current(row.encrypted) else _renewed(box, row)
    if renewed is None:
        return 0
    same = [part == value for part, value in zip(column.table.primary_key.columns, row.key, strict=True)]
    return connection.execute(update(column.table).where(*same, column == row.encrypted).values({column: renewed})).rowcount


def _renewed(box: SecretBox, row: _Row) -> bytes | None:
    try:
        return box.renewed(row.encrypted)
    except Misconfigured:
        return None


def _tell(session: Session, actor: str, facts: dict[str, Any]) -> None:
    root = session.exec(
        select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM).order_by(Organisation.path)
    ).first()
    if root is not None:
        journal.write(session, organisation_id=root, kind=ENCRYPTED_ANEW, actor=actor, facts=facts)
