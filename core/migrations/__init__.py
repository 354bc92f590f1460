"""Migrations of the database, from the first table on; each is written by hand and knows no model.

A file of ``versions`` begins with the number of its revision; they follow each other in that order.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from core.database import Database, answering
from core.errors import Misconfigured, Unavailable
from core.messages import Catalogue

_messages = Catalogue("core")
_HERE = Path(__file__).parent


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, the newest unless told otherwise; all in one transaction, or nothing.

    Raises:
        Misconfigured: the database is newer than this software.
        Unavailable: it does not answer, or refuses a migration.
    """
    from alembic import command
    from alembic.config import Config

    with answering(database):
        is_current(database)
    try:
        with database.engine.execution_options(writes=True).begin() as connection:
            if not database.is_sqlite:
                _take_the_time_it_takes(connection)
            config = Config()
            config.set_main_option("script_location", str(_HERE))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except DBAPIError as error:
        raise Unavailable(_messages("database.migration", reason=str(error.orig).partition("\n")[0][:200])) from error


def _take_the_time_it_takes(connection: Connection) -> None:
    """Lift the bounds of an ordinary transaction: an index over millions of rows takes minutes, and would fail every time.

    That on the wait for a lock stays: whoever holds it must be stopped first.
    """
    for bound in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {bound} = 0")


def is_current(database: Database) -> bool:
    """Tell whether every migration has been applied: asked again and again by whoever watches, hence without Alembic.

    Raises:
        Misconfigured: one has been that this software does not know.
    """
    newest = max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*_*.py"))
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if any(revision > newest for revision in applied):
        raise Misconfigured(_messages("database.newer", found=max(applied), known=newest))
    return applied == [newest]
