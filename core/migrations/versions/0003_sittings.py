"""Sittings: one person signs several documents with one certificate.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "sitting",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("ticket_digest", sa.String(64)),
        sa.Column("token_digest", sa.String(64)),
        sa.Column("expires", moment, nullable=False),
        sa.Column("certificate", sa.LargeBinary()),
        sa.Column("chain", json, nullable=False),
        sa.Column("reason", sa.String(1000)),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sitting_organisation_id", "sitting", ["organisation_id"])
    op.create_index("sitting_expiry", "sitting", ["state", "expires"])
    op.create_table(
        "sitting_item",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("sitting_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("format", sa.String(40), nullable=False),
        sa.Column("context", json, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(200)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("prepared", json),
        sa.Column("draft_sha256", sa.String(64)),
        sa.Column("given", json, nullable=False),
        sa.Column("lease", sa.String(26)),
        sa.Column("leased_until", moment),
        sa.Column("result_sha256", sa.String(64)),
        sa.Column("result_size", sa.BigInteger()),
        sa.Column("verdict", json),
        sa.Column("detail", sa.String(1000)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sitting_item_organisation_id", "sitting_item", ["organisation_id"])
    op.create_index("ix_sitting_item_reference", "sitting_item", ["reference"])
    op.create_index("sitting_item_in_order", "sitting_item", ["sitting_id", "rank"], unique=True)
