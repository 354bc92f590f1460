"""Migrations of the database, from the first table on; each is written by hand and knows no model.

A file of ``versions`` begins with the number of its revision; they follow each other in that order.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from core.database import Database

_HERE = Path(__file__).parent


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database to a revision, the newest unless told otherwise; one transaction a migration."""
    from alembic import command
    from alembic.config import Config

    with database.engine.execution_options(writes=True).begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(_HERE))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def is_current(database: Database) -> bool:
    """Tell whether every migration has been applied: asked again and again by whoever watches, hence without Alembic."""
    newest = max(path.name.partition("_")[0] for path in (_HERE / "versions").glob("[0-9]*_*.py"))
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return applied == [newest]
