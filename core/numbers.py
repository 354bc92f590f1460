"""Numbers that the database gives to rows, each once: how it is had to pass some over, which it gave and does not know of."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

_SEQUENCE = "pg_get_serial_sequence(:table, 'number')"
_ON_POSTGRESQL = text(f"SELECT setval({_SEQUENCE}, nextval({_SEQUENCE}) + :count)")
_ON_SQLITE = text("UPDATE sqlite_sequence SET seq = seq + :count WHERE name = :table")
_FIRST_ON_SQLITE = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :count)")


def pass_over(session: Session, table: str, count: int) -> None:
    """Have the next row of a table get a number that so many are passed over for, in the session's transaction.

    Args:
        session: a writing one.
        table: its name; the database gives its ``number``, on SQLite by ``AUTOINCREMENT``.
        count: how many, at least.
    """
    connection, asked = session.connection(), {"table": table, "count": count}
    if connection.dialect.name == "postgresql":
        connection.execute(_ON_POSTGRESQL, asked)
    elif not connection.execute(_ON_SQLITE, asked).rowcount:
        connection.execute(_FIRST_ON_SQLITE, asked)
