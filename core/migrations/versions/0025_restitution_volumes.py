"""Restitutions as volumes in the object store.

What was under way begins anew there; what was finished stands in a folder of a worker and has nothing to be taken here.

Revision: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table, and say of each restitution where it goes on and when it ends."""
    with op.batch_alter_table("restitution") as restitution:
        restitution.add_column(sa.Column("last_id", sa.String(26)))
        restitution.add_column(sa.Column("expires", moment))
    op.execute("UPDATE restitution SET expires = finished WHERE finished IS NOT NULL")
    op.execute("UPDATE restitution SET done = 0, size = 0 WHERE finished IS NULL")
    op.create_table(
        "restitution_volume",
        sa.Column("restitution_id", sa.String(26), sa.ForeignKey("restitution.id"), primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("held", sa.String(26), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sums_sha256", sa.String(64), nullable=False),
    )
