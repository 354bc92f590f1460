"""Audits and incidents.

Revision: 0018
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "archive_incident",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("facts", json, nullable=False),
        sa.Column("opened", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("owner_id", sa.String(26)),
        sa.Column("closed", moment),
        sa.Column("how", sa.String(1000)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    still = sa.text("closed IS NULL")
    op.create_index(
        "archive_incident_once",
        "archive_incident",
        ["kind", "place", "subject"],
        unique=True,
        sqlite_where=still,
        postgresql_where=still,
    )
    op.create_index("archive_incident_newest", "archive_incident", ["organisation_id", "opened", "id"])
    op.create_table(
        "audit_run",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("started", moment, nullable=False),
        sa.Column("ended", moment),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.String(400), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_run_newest", "audit_run", ["place", "kind", "started"])
