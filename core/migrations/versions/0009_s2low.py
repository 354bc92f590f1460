"""Numbers of transactions, for software that knows acts by a number: one for each message about an act, platform-wide.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table; numbers are given when they are first asked for, also to what is there already."""
    op.create_table(
        "s2low_transaction",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("message_id", sa.String(26), nullable=False),
        sa.Column("read", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["actes_message.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("s2low_transaction_message", "s2low_transaction", ["message_id"], unique=True)
    op.create_index("ix_s2low_transaction_organisation_id", "s2low_transaction", ["organisation_id"])
