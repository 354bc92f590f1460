"""The migrations, written by hand, make the very tables that the models declare."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, inspect
from sqlmodel import SQLModel

from core.database import Database
from core.errors import Misconfigured, Unavailable
from core.migrations import is_current, upgrade

ROOT = Path(__file__).parents[3]
FLOORS = ("core", "schemas", "signing", "connectors", "archive", "flows", "api")
TABLE = re.compile(r"^class \w+\(.*\btable=True\):", re.MULTILINE)


@pytest.fixture
def declared() -> int:
    """How many tables the source declares; every module that declares one has been imported."""
    count = 0
    for path in (path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))):
        tables = len(TABLE.findall(path.read_text(encoding="utf-8")))
        if tables:
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        count += tables
    return count


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # SQLite does not tell what is in one
def test_the_migrated_database_is_what_the_models_say(database: Database, declared: int) -> None:
    assert len(SQLModel.metadata.tables) == declared > 10
    with database.engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_name": _is_of_the_models}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, SQLModel.metadata) == []


def _is_of_the_models(name: str | None, kind: str, _parents: object) -> bool:
    """The inverted index of the archive is no table of the models: each database has it in its own way, and tables beside it."""
    return not (kind == "table" and (name or "").startswith("record_words"))


def test_an_empty_database_is_not_current_until_it_is_upgraded_and_upgrading_again_changes_nothing(postgres_url: str) -> None:
    _upgraded_twice(Database(postgres_url))


def test_the_same_holds_for_sqlite(tmp_path: Path) -> None:
    _upgraded_twice(Database(f"sqlite:///{tmp_path / 'deep' / 'down' / 'db.sqlite3'}"))


def _upgraded_twice(database: Database) -> None:
    assert not is_current(database)
    upgrade(database)
    assert is_current(database)
    tables = inspect(database.engine).get_table_names()
    upgrade(database)
    assert inspect(database.engine).get_table_names() == tables
    database.close()


def test_a_role_that_was_held_twice_is_held_once_after_the_upgrade(postgres_url: str, tmp_path: Path) -> None:
    for url in (postgres_url, f"sqlite:///{tmp_path / 'db.sqlite3'}"):
        database = Database(url)
        upgrade(database, "0035")
        with database.engine.begin() as connection:
            for said in (
                "organisation (id, path, kind, name, created) VALUES ('o', '/o/', 'platform', 'O', '2026-01-01')",
                "person (id, email, name, password_hash, created) VALUES ('p', 'p@x', 'P', '', '2026-01-01')",
                *(
                    f"membership (organisation_id, id, person_id, role, rights) VALUES ('o', '{name}', 'p', '{role}', '[]')"
                    for name, role in (("1", "agent"), ("2", "agent"), ("3", "signataire"))
                ),
            ):
                connection.exec_driver_sql(f"INSERT INTO {said}")
        upgrade(database)
        with database.engine.connect() as connection:
            held = connection.exec_driver_sql("SELECT id FROM membership ORDER BY id").scalars().all()
        assert held == ["1", "3"]
        database.close()


def test_a_migration_takes_the_time_that_it_takes_but_waits_for_no_lock(postgres_url: str) -> None:
    database = Database(postgres_url)
    bounds = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    seen: list[list[str]] = []

    def look(connection: Connection) -> None:
        seen.append([connection.exec_driver_sql(f"SHOW {bound}").scalar_one() for bound in bounds])

    event.listen(database.engine, "commit", look)
    upgrade(database)
    assert seen == [["0", "0", "15s"]]
    with database.engine.connect() as connection:
        look(connection)  # what comes after is bounded as ever
    assert seen[1] == ["1min", "1min", "15s"]
    database.close()


def test_a_migration_that_the_database_refuses_is_told_and_leaves_nothing(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE journal_entry (x int)")
    with pytest.raises(Unavailable, match=r"journal_entry.*db upgrade"):
        upgrade(database)
    assert inspect(database.engine).get_table_names() == ["journal_entry"]
    database.close()


def test_a_database_that_is_newer_than_the_software_is_neither_current_nor_upgraded(database: Database) -> None:
    with database.engine.begin() as connection:
        known = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        for act in (is_current, upgrade):
            with pytest.raises(Misconfigured, match=f"9999.*{known}.*reprenez"):
                act(database)
    finally:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{known}'")


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/x.*ne répond pas") as told:
        upgrade(Database("postgresql://u:secret@127.0.0.1:1/x"))
    assert "secret" not in str(told.value)
