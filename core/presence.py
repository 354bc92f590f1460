"""Who is at work on a database: any number of processes that serve it, or one that needs it for itself, never both.

The mark is the connection's own, so that it goes with the process however that ends, and that one which is idle has it too. On
PostgreSQL it is an advisory lock of the session: every connection of a process at work takes it when it is made, and a process
that outlives the server takes it again, on whatever was restored meanwhile, before it says anything else. It needs a session of
its own: a pooler that shares sessions between clients would lose it. On SQLite it is a lock on a file beside the database.

What does not live here: the folder of an embedded platform, which holds more than its database (``api.embedded.alone``).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from core.database import Database
from core.errors import Conflict, Unavailable
from core.messages import Catalogue

_messages = Catalogue("core")
_KEY = 0x7ABE1110
"""Of the advisory lock: one of this platform's own, in each database."""
_SHARED, _WHOLE = "SELECT pg_try_advisory_lock_shared(%s)", "SELECT pg_try_advisory_lock(%s)"
_WHERE = """
SELECT string_agg(DISTINCT coalesce(host(client_addr), 'localhost'), ', ') FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = 0 AND objid = %s::oid AND granted AND datname = current_database()
"""


@contextmanager
def at_work(database: Database) -> Iterator[None]:
    """Serve a database for the time of the block, beside others that do.

    Raises:
        Conflict: somebody has it for themselves.
    """
    if database.is_sqlite:
        with _locked(database, fcntl.LOCK_SH, "database.kept"):
            yield
        return
    event.listen(database.engine, "connect", _announce)
    database.close()  # what was connected before bears no mark
    try:
        try:
            with database.engine.connect():
                pass
        except Unavailable as error:
            raise Conflict(str(error)) from error
        yield
    finally:
        event.remove(database.engine, "connect", _announce)
        database.close()


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Have a database for oneself for the time of the block: whoever is at work on it, though idle, must have stopped.

    Raises:
        Conflict: somebody is at work on it, or has it for themselves.
    """
    if database.is_sqlite:
        with _locked(database, fcntl.LOCK_EX, "database.at_work"):
            yield
        return
    holding = database.engine.raw_connection()
    try:
        if not _asked(holding.dbapi_connection, _WHOLE):
            raise Conflict(_messages("database.at_work", where=_asked(holding.dbapi_connection, _WHERE)))
        yield
    finally:
        holding.invalidate()  # the lock ends with its session


def _announce(connection: Any, _record: object) -> None:
    if not _asked(connection, _SHARED):
        raise Unavailable(_messages("database.kept"))


def _asked(connection: Any, statement: str) -> Any:
    """Ask outside of any transaction that stays open: the lock is the session's."""
    with connection.cursor() as cursor:
        answer = cursor.execute(statement, [_KEY]).fetchone()[0]
    connection.commit()
    return answer


@contextmanager
def _locked(database: Database, how: int, otherwise: str) -> Iterator[None]:
    path = Path(f"{database.url.database}.at-work")
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, how | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(_messages(otherwise, where="localhost")) from error
        yield
