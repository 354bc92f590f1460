"""The journal: what is written stays as it is, and its leaf is the same bytes wherever it is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from archive.models import TreeHead, TreeLeaf, TreeNode
from core import clock, journal
from core.canonical import read_canonical
from core.database import Database
from core.journal import JournalEntry
from core.migrations import upgrade
from core.organisations import Organisation
from core.principal import PLATFORM
from tests.integration.core.tree import Tree

FACTS: dict[str, Any] = {
    "sha256": "00" * 32,
    "size": 2**53 - 1,
    "name": "Pièce n° 1 – « été » 🦉",
    "zebra": None,
    "all": True,
    "files": [{"role": "pes", "b": -1, "a": 0}],
    "empty": {},
}


def written(database: Database, tree: Tree, facts: dict[str, Any] | None = None) -> JournalEntry:
    with database.writing(PLATFORM) as session:
        identifier = journal.write(
            session, organisation_id=tree.mairie.id, dossier_id="d" * 26, kind="dossier.received", actor="platform", facts=facts
        )
    with database.reading(PLATFORM) as session:
        return session.exec(select(JournalEntry).where(JournalEntry.id == identifier)).one()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal_entry SET kind = 'x'",
        "UPDATE journal_entry SET facts = '{}' WHERE number = 1",
        "DELETE FROM journal_entry",
        "DELETE FROM journal_entry WHERE number = 1",
    ],
)
def test_the_database_itself_refuses_to_change_or_delete_an_entry(database: Database, tree: Tree, statement: str) -> None:
    before = written(database, tree, FACTS).leaf()
    with pytest.raises(DBAPIError, match="append-only"), database.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text(statement))
    with database.reading(PLATFORM) as session:
        assert [entry.leaf() for entry in session.exec(select(JournalEntry))] == [before]


def test_postgresql_refuses_to_empty_the_journal_at_once(postgres_url: str) -> None:
    database = Database(postgres_url)
    upgrade(database)
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text("TRUNCATE journal_entry"))
    database.close()


def test_the_tree_of_the_journal_is_append_only_too(database: Database, tree: Tree) -> None:
    entry = written(database, tree)
    with database.writing(PLATFORM) as session:
        session.add(TreeLeaf(position=0, entry_number=entry.number, entry_id=entry.id))
        session.add(TreeNode(level=0, position=0, hash=bytes(32)))
        session.add(TreeHead(size=1, root=bytes(32), head=b"{}", token=b"", stamped=clock.now()))
    for statement in (
        "UPDATE tree_leaf SET entry_number = 2",
        "DELETE FROM tree_leaf",
        "UPDATE tree_node SET level = 1",
        "DELETE FROM tree_node",
        "UPDATE tree_head SET size = 2",
        "DELETE FROM tree_head",
    ):
        with pytest.raises(DBAPIError, match="append-only"), database.engine.execution_options(writes=True).begin() as connection:
            connection.execute(text(statement))


def test_a_leaf_read_back_is_canonical_and_holds_what_was_written(database: Database, tree: Tree) -> None:
    entry = written(database, tree, FACTS)
    leaf = read_canonical(entry.leaf())
    assert leaf["facts"] == FACTS
    assert (leaf["id"], leaf["organisation"], leaf["dossier"]) == (entry.id, tree.mairie.id, "d" * 26)
    assert (leaf["actor"], leaf["kind"], leaf["v"]) == ("platform", "dossier.received", journal.LEAF_VERSION)
    assert clock.from_iso(leaf["at"]) == entry.at


@pytest.mark.parametrize("microsecond", [0, 1, 120000, 999999])
def test_the_same_entry_gives_the_same_leaf_in_memory_in_sqlite_and_in_postgresql(
    tmp_path: Path, postgres_url: str, microsecond: int
) -> None:
    at = datetime(2026, 3, 29, 0, 59, 59, microsecond, tzinfo=UTC)
    organisation = {"id": "o" * 26, "path": f"/{'o' * 26}/", "kind": "collectivite", "name": "Commune de Valmorin"}
    entry = {"id": "e" * 26, "organisation_id": "o" * 26, "at": at, "actor": "platform", "kind": "test.done", "facts": FACTS}
    leaves = [JournalEntry(**entry).leaf()]
    for url in (f"sqlite:///{tmp_path / 'db.sqlite3'}", postgres_url):
        database = Database(url)
        upgrade(database)
        with database.writing(PLATFORM) as session:
            session.add(Organisation(**organisation))
            session.flush()
            session.add(JournalEntry(**entry))
        with database.reading(PLATFORM) as session:
            leaves.append(session.exec(select(JournalEntry)).one().leaf())
        database.close()
    assert leaves[0] == leaves[1] == leaves[2]
    assert json.loads(leaves[0])["at"].endswith("Z")


@pytest.mark.parametrize("facts", [{"rate": 0.5}, {"clé": 1}, {"size": 2**53}, {"at": datetime.now(UTC)}, {"name": "\ud800"}])
def test_facts_without_a_canonical_form_are_refused_before_they_are_written_for_ever(
    database: Database, tree: Tree, facts: dict[str, Any]
) -> None:
    with pytest.raises((TypeError, ValueError)):
        written(database, tree, facts)
    with database.reading(PLATFORM) as session:
        assert session.exec(select(JournalEntry)).all() == []


def test_entries_are_numbered_in_the_order_of_their_writing(database: Database, tree: Tree) -> None:
    numbers = [written(database, tree).number or 0 for _ in range(3)]
    assert 0 < numbers[0] < numbers[1] < numbers[2]
