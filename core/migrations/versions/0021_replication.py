"""Rounds that bring to a place what it lacks.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "archive_replication",
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("task", sa.String(10), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("ended", moment),
        sa.Column("cursor", sa.String(400), nullable=False),
        sa.Column("copied", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("place", "task"),
    )
