"""Transfers to outside archives.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "sae_transfer",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("account", sa.String(26), nullable=False),
        sa.Column("system", sa.String(10), nullable=False),
        sa.Column("identifier", sa.String(60), nullable=False),
        sa.Column("reference", sa.String(60), nullable=False),
        sa.Column("cote", sa.String(255), nullable=False),
        sa.Column("code", sa.String(20), nullable=False),
        sa.Column("sent", moment),
        sa.Column("settled", moment),
        sa.Column("looked", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("ix_sae_transfer_organisation_id", "sae_transfer", ["organisation_id"])
    op.create_index("ix_sae_transfer_record_id", "sae_transfer", ["record_id"])
    op.create_index("sae_transfer_looked", "sae_transfer", ["account", "looked"])
