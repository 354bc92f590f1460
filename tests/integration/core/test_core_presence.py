"""A database is served by many, or had by one alone: never both, however idle, and whatever became of the server meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

import psycopg
import pytest
from sqlalchemy import text

from core import presence
from core.database import Database
from core.errors import Conflict, Unavailable
from core.platform import Platform
from core.principal import PLATFORM
from tests.conftest import on_one_shape

HERE = "127.0.0.1|localhost"
both = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)


@pytest.fixture
def other(platform: Platform) -> Iterator[Database]:
    """The same database, as another process has it."""
    with closing(Database(platform.database.url.render_as_string(hide_password=False))) as other:
        yield other


def _ask(database: Database) -> None:
    with database.reading(PLATFORM) as session:
        session.connection().execute(text("SELECT 1"))


def _cut(database: Database) -> None:
    """End every connection to the database, as a server that is stopped and restored does."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(f"{ended} AND pid <> pg_backend_pid()")


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
        _refuse(presence.alone, third, HERE)
    with presence.alone(other):
        _ask(other)  # its own work goes on
        _refuse(presence.at_work, platform.database, "réservée")
        _refuse(presence.alone, platform.database, HERE)
    with presence.at_work(platform.database):
        _ask(platform.database)


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
