"""The migrations, written by hand, make the very tables that the models declare."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect
from sqlmodel import SQLModel

from core.database import Database
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
