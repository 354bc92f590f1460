"""Uploads that come in pieces, and the words with which a folder is going to start.

Revision: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "upload",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("place", sa.String(60), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("pieces", json, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("used", moment),
        sa.Column("expires", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upload_organisation_id", "upload", ["organisation_id"])
    op.create_index("upload_of_actor", "upload", ["actor", "expires"])
    op.create_index("upload_expires", "upload", ["expires"])
    op.create_table(
        "folder_opening",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("note", sa.String(512), nullable=False),
        sa.Column("private_note", sa.String(512), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.PrimaryKeyConstraint("folder_id"),
    )
    op.create_index("ix_folder_opening_organisation_id", "folder_opening", ["organisation_id"])
