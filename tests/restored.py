"""Databases that were saved, and restored after more had happened, for the tests of catching up."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlmodel import select

from api.cli import archive_catch_up
from archive.models import TreeHead, TreeLeaf, TreeNode, TreeSegment
from archive.rebuilding import catching_up
from archive.rebuilding.catching_up import CaughtUp
from core.database import Database
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import moves, transitions
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier, Step
from flows.engine.work import Advance, KeptFile
from flows.helios.flow import HELIOS
from tests.rebuilt import rows

_LEASE = timedelta(minutes=1)


@contextmanager
def restored(platform: Platform, folder: Path) -> Iterator[Platform]:
    """The platform with its database as it is now, restored elsewhere: nobody is at work on it yet."""
    database = platform.database
    if database.is_sqlite:
        path = folder / "restored.sqlite3"
        with closing(sqlite3.connect(str(database.url.database))) as now, closing(sqlite3.connect(path)) as then:
            now.backup(then)
        with closing(Database(f"sqlite:///{path}")) as copy:
            yield replace(platform, database=copy)
        return
    database.close()  # PostgreSQL copies what nobody is connected to
    server, _, source = database.url.set(drivername="postgresql").render_as_string(hide_password=False).rpartition("/")
    name = f"tabellion_restored_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        try:
            with closing(Database(f"{server}/{name}")) as copy:
                yield replace(platform, database=copy)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def caught_up(platform: Platform) -> CaughtUp:
    """Catch up as the command does."""

    def is_known(dossier: str) -> bool:
        return dossier_of(platform, dossier) is not None

    return catching_up.catch_up(platform, archive_catch_up._set_aside, is_known, lambda _what, _count: None)


def proven(platform: Platform) -> dict[str, Any]:
    """What the database holds of archive and journal, but for the numbers of entries, which are its own."""
    found: dict[str, Any] = rows(platform)
    with platform.database.reading(PLATFORM) as session:
        placed = session.exec(select(TreeLeaf.position, TreeLeaf.entry_id).order_by(TreeLeaf.position)).all()  # type: ignore[arg-type]
        found["JournalEntry"] = {entry.id: entry.leaf() for entry in session.exec(select(JournalEntry))}
        found["TreeLeaf"] = dict(iter(placed))  # type: ignore[arg-type]
        found["TreeNode"] = {(one.algorithm, one.level, one.position): one.hash for one in session.exec(select(TreeNode))}
        found["TreeSegment"] = {one.size: (one.sha256, one.copies) for one in session.exec(select(TreeSegment))}
        found["heads"] = [one.size for one in session.exec(select(TreeHead))]
    return found


def deposited(platform: Platform, organisation: Organisation, name: str) -> str:
    """A flow that was deposited, and waits to be checked."""
    document = KeptFile("pes", name, "application/xml", f"{len(name):064x}", 3)
    return receive(platform.database, HELIOS, PLATFORM, Deposit(organisation.id, name, document, reference=name)).dossier.id


def advance(platform: Platform, dossier: str, *outcomes: str) -> None:
    """Move a dossier by outcomes of the stages that it waits for, and events, as workers would record them."""
    for outcome in outcomes:
        with platform.database.reading(PLATFORM) as session:
            state = session.get_one(Dossier, dossier).state
            step = session.get(Step, dossier)
        if step is None or step.stage.endswith(moves.DEADLINE):
            with platform.database.writing(PLATFORM) as session:
                assert transitions.signal(session, HELIOS, dossier, outcome, Advance(outcome)), (state, outcome)
            continue
        claimed = transitions.claim(platform.database, dossier, step.stage, _LEASE)
        assert claimed is not None, state
        transitions.advance(platform.database, HELIOS, claimed, Advance(outcome))


def dossier_of(platform: Platform, dossier: str) -> Dossier | None:
    with platform.database.reading(PLATFORM) as session:
        return session.get(Dossier, dossier)


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: said for name, said in found.items() if name not in names}


def kinds_beyond(platform: Platform, known: Collection[str]) -> list[str]:
    """The kinds of the entries that are none of these, in the order of their numbers."""
    with platform.database.reading(PLATFORM) as session:
        every = session.exec(select(JournalEntry).order_by(JournalEntry.number))  # type: ignore[arg-type]
        return [entry.kind for entry in every if entry.id not in known]
