"""Publications of acts, and those that are asked for before the State has the act.

Revision: 0010
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _publications()
    _asked()


def _author() -> list[sa.Column[Any]]:
    return [
        sa.Column("author_first_name", sa.String(100), nullable=False),
        sa.Column("author_last_name", sa.String(100), nullable=False),
        sa.Column("author_capacity", sa.String(200), nullable=False),
    ]


def _publications() -> None:
    op.create_table(
        "actes_publication",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("id_acte", sa.String(60), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("decision_date", sa.Date(), nullable=False),
        sa.Column("nature", sa.Integer(), nullable=False),
        sa.Column("matieres", sa.String(40), nullable=False),
        sa.Column("matiere_label", sa.String(1000)),
        sa.Column("subject", sa.String(1000), nullable=False),
        *_author(),
        sa.Column("files", json, nullable=False),
        sa.Column("reception_date", sa.Date(), nullable=False),
        sa.Column("package_sha256", sa.String(64), nullable=False),
        sa.Column("package_size", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("published", moment, nullable=False),
        sa.Column("withdrawn", moment),
        sa.Column("withdrawn_by", sa.String(40)),
        sa.Column("withdrawn_reason", sa.String(500)),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("actes_publication_newest", "actes_publication", ["organisation_id", "published", "id"])
    op.create_index("actes_publication_of_dossier", "actes_publication", ["dossier_id", "id"])
    live = sa.text("withdrawn IS NULL")
    op.create_index(
        "actes_publication_live", "actes_publication", ["dossier_id"], unique=True, sqlite_where=live, postgresql_where=live
    )


def _asked() -> None:
    op.create_table(
        "actes_publication_asked",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        *_author(),
        sa.Column("roles", json, nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.Column("trouble", sa.String(1000)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
