"""Agreements, and packages handed over from outside.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"

moment = sa.DateTime(timezone=True)
json_value = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "archive_agreement",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("identifier", sa.String(60), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("transferring_agency", sa.String(60), nullable=False),
        sa.Column("archival_agency", sa.String(60), nullable=False),
        sa.Column("originating_agencies", json_value, nullable=False),
        sa.Column("formats", json_value, nullable=False),
        sa.Column("declared_formats", sa.Boolean(), nullable=False),
        sa.Column("signatures", sa.Boolean(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("largest", sa.BigInteger()),
        sa.Column("most", sa.Integer()),
        sa.Column("starts", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date()),
        sa.Column("profile", sa.String(64)),
        sa.Column("profile_name", sa.String(255), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("created_by", sa.String(40), nullable=False),
        sa.Column("closed", moment),
        sa.Column("closed_by", sa.String(40)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation_id", "identifier", name="archive_agreement_named"),
    )
    op.create_index("ix_archive_agreement_organisation_id", "archive_agreement", ["organisation_id"])
    op.create_table(
        "archive_transfer",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("agreement_id", sa.String(26)),
        sa.Column("identity", sa.String(64)),
        sa.Column("identifier", sa.String(255), nullable=False),
        sa.Column("version", sa.String(5), nullable=False),
        sa.Column("transferring_agency", sa.String(100), nullable=False),
        sa.Column("originating_agency", sa.String(100), nullable=False),
        sa.Column("manifest_sha256", sa.String(64)),
        sa.Column("units", sa.Integer(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(3)),
        sa.Column("comment", sa.String(1000), nullable=False),
        sa.Column("decided", moment),
        sa.Column("decided_by", sa.String(40)),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["agreement_id"], ["archive_agreement.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("archive_transfer_identity", "archive_transfer", ["organisation_id", "identity"], unique=True)
    op.create_index("archive_transfer_agreement", "archive_transfer", ["agreement_id", "dossier_id"])
