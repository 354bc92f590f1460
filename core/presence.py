"""Who is at work on a database: any number of processes that serve it, or one that needs it for itself, never both.

The mark is the connection's own, so that it goes with the process however that ends, and that one which is idle has it too. On
PostgreSQL it is an advisory lock of the session: every connection of a process at work takes it when it is made, and a process
that outlives the server takes it again, on whatever was restored meanwhile, before it says anything else. It needs a session of
its own: a pooler that shares sessions between clients would lose it. On SQLite it is a lock on a file beside the database.

What does not live here: the folder of an embedded platform, which holds more than its database (``api.embedded.alone``).
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, event

from core.database import Database
from core.errors import Conflict, Unavailable
from core.messages import Catalogue

_messages = Catalogue("core")
_TRIES, _BETWEEN = 10, 0.1
_KEY = 0x7ABE1110
"""Of the advisory lock: one of this platform's own, in each database."""
_SHARED, _WHOLE = "SELECT pg_try_advisory_lock_shared(%s)", "SELECT pg_try_advisory_lock(%s)"
_WHERE = """
SELECT string_agg(DISTINCT coalesce(host(client_addr), 'localhost'), ', '), bool_or(mode = 'ExclusiveLock')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = 0 AND objid = %s::oid AND granted AND datname = current_database()
"""
_HOLDS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = 0 AND objid = %s::oid AND granted AND mode = 'ExclusiveLock' AND pid = %s
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
    if event.contains(database.engine, "connect", _announce):  # around us, in this process: its mark is ours
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

    The connection that holds it may be lost meanwhile, and others admitted: nothing more is written then.

    Raises:
        Conflict: somebody is at work on it, or has it for themselves.
        Unavailable: from a transaction that writes, when the database is not ours any more.
    """
    if database.is_sqlite:
        with _locked(database, fcntl.LOCK_EX, "database.at_work"):
            yield
        return
    holding = database.engine.raw_connection()
    process = holding.dbapi_connection.info.backend_pid  # type: ignore[union-attr]  # psycopg's

    def prove(connection: Connection) -> None:
        if not connection.get_execution_options().get("writes", False):
            return
        if not connection.exec_driver_sql(_HOLDS, (_KEY, process)).scalar_one():
            raise Unavailable(_messages("database.lost"))

    try:
        if not _given(holding.dbapi_connection, _WHOLE):
            where, whole = _asked(holding.dbapi_connection, _WHERE)
            raise Conflict(_messages("database.taken" if whole else "database.at_work", where=where))
        # Before its first word, which may be long to come to its last, and once more before it counts.
        for moment in ("begin", "commit"):
            event.listen(database.engine, moment, prove)
        try:
            yield
        finally:
            for moment in ("begin", "commit"):
                event.remove(database.engine, moment, prove)
    finally:
        holding.invalidate()  # the lock ends with its session


def _announce(connection: Any, _record: object) -> None:
    if not _given(connection, _SHARED):
        raise Unavailable(_messages("database.kept"))


def _given(connection: Any, statement: str) -> bool:
    """Ask for the lock; a connection that was closed a moment ago holds it until its process in the server has ended."""
    for _ in range(_TRIES):
        if _asked(connection, statement)[0]:
            return True
        time.sleep(_BETWEEN)
    return False


def _asked(connection: Any, statement: str) -> Any:
    """Ask outside of any transaction that stays open: the lock is the session's."""
    with connection.cursor() as cursor:
        answer = cursor.execute(statement, [_KEY]).fetchone()
    connection.commit()
    return answer


@contextmanager
def _locked(database: Database, how: int, otherwise: str) -> Iterator[None]:
    path = Path(f"{database.url.database}.at-work")
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, how | fcntl.LOCK_NB)
        except OSError as error:
            told = "database.taken" if how == fcntl.LOCK_EX and _is_taken(stream) else otherwise
            raise Conflict(_messages(told, where="localhost")) from error
        yield


def _is_taken(stream: IO[str]) -> bool:
    """Tell of a lock that others hold whether one of them has it for themselves: none may then be taken beside it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
