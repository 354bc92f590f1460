"""Databases that are migrated once a process: SQLite is copied for each test, PostgreSQL emptied after each.

What migrations do is shown by ``tests/integration/core/test_core_migrations.py``, on databases that begin empty.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg

from core.database import Database
from core.migrations import upgrade

# Rows go one by one: emptying at once waits for the disk for every table and every index. The journal's triggers, which
# forbid it, are those of a session that is no replica.
_EMPTY = """
DO $$
DECLARE
    found record;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR found IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('DELETE FROM %I', found.tablename);
    END LOOP;
    FOR found IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        PERFORM setval(quote_ident(found.sequencename)::regclass, 1, false);
    END LOOP;
END $$
"""


def sqlite_at(path: Path) -> str:
    """Put an up-to-date SQLite database at a path, and return its address."""
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db.sqlite3"
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()
        return path.read_bytes()


@contextmanager
def empty_postgres(server: str) -> Iterator[str]:
    """Make an empty database, and drop it after the block."""
    name = f"tabellion_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        # A test kills clients, never the server: what is committed need not have reached the disk.
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    yield server.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def empty(url: str) -> None:
    """Take everything out of a migrated PostgreSQL database, whoever is still connected to it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_EMPTY)
