"""A database is served by many, or had by one alone: never both, however idle, and whatever became of the server meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

import psycopg
import pytest
from sqlalchemy import text
from sqlmodel import select

from core import presence
from core.database import Database
from core.errors import Conflict, Unavailable
from core.identifiers import new_id
from core.organisations import Organisation, OrganisationKind
from core.platform import Platform
from core.principal import PLATFORM
from tests.conftest import on_one_shape

HERE = "127.0.0.1|localhost"
WORKER, REBUILDING = f"un ouvrier.*({HERE})", f"rattrapage.*({HERE})"
both = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)


@pytest.fixture
def other(platform: Platform) -> Iterator[Database]:
    """The same database, as another process has it."""
    with closing(Database(platform.database.url.render_as_string(hide_password=False))) as other:
        yield other


def _ask(database: Database) -> None:
    with database.reading(PLATFORM) as session:
        session.connection().execute(text("SELECT 1"))


def _cut(database: Database, but: int = 0) -> None:
    """End every connection to the database, as a server that is stopped and restored does."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(f"{ended} AND pid <> pg_backend_pid() AND pid <> {but}")


def _refuse(how: Callable[[Database], AbstractContextManager[None]], database: Database, words: str) -> None:
    with pytest.raises(Conflict, match=words), how(database):
        pass


@both
def test_whoever_serves_it_though_idle_keeps_it_from_one_alone_and_the_other_way_round(
    platform: Platform, other: Database
) -> None:
    for one in (platform.database, other):
        _ask(one)  # what was connected before is no exception
    third = Database(other.url.render_as_string(hide_password=False))
    with closing(third), presence.at_work(platform.database), presence.at_work(other):
        _refuse(presence.alone, third, WORKER)
    with presence.alone(other):
        _ask(other)  # its own work goes on
        _refuse(presence.at_work, platform.database, "réservée")
        _refuse(presence.alone, platform.database, REBUILDING)
    with presence.at_work(platform.database):
        _ask(platform.database)
        with presence.at_work(platform.database):
            pass
        _refuse(presence.alone, other, WORKER)  # the inner end is not the outer one's


@on_one_shape
def test_whoever_has_lost_it_writes_nothing_more(platform: Platform, other: Database) -> None:
    with presence.alone(other):
        with other.writing(PLATFORM) as session:
            session.add(_organisation("avant"))
        with pytest.raises(Unavailable, match="s’est perdue"), other.writing(PLATFORM) as session:
            session.add(_organisation("pendant"))
            session.flush()
            _cut(other, but=session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        with presence.at_work(platform.database):  # somebody was let in
            with pytest.raises(Unavailable, match="s’est perdue"), other.writing(PLATFORM) as session:
                session.connection()
                pytest.fail("it was not asked at the beginning")
            with platform.database.reading(PLATFORM) as session:
                assert session.exec(select(Organisation.name)).all() == ["avant"]
    with other.writing(PLATFORM) as session:
        session.add(_organisation("après"))


def _organisation(name: str) -> Organisation:
    identifier = new_id()
    return Organisation(id=identifier, name=name, kind=OrganisationKind.PLATFORM, path=f"/{identifier}/")


@on_one_shape
def test_a_process_that_outlives_the_server_is_at_work_again_before_it_says_anything(platform: Platform, other: Database) -> None:
    with presence.at_work(platform.database):
        _cut(platform.database)
        with presence.alone(other), pytest.raises(Unavailable, match="réservée"):  # nobody is connected any more
            _ask(platform.database)
        _ask(platform.database)
        _refuse(presence.alone, other, HERE)
    with presence.alone(other):
        pass
