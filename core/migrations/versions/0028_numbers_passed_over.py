"""Numbers of the S2LOW and Pastell interfaces that may be passed over, on SQLite as on PostgreSQL.

Revision: 0028
"""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Have SQLite number on from the highest number that it was told, not from the highest row."""
    if op.get_bind().dialect.name == "sqlite":
        for table in ("s2low_transaction", "pastell_number"):
            with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
                pass
