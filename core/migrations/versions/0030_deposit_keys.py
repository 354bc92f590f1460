"""The keys of depositors, apart from dossiers: one dossier may be known by several, each bound to what was asked under it.

Revision: 0030
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

# What was asked under a key of before was not kept: its document alone is held against a repeat.
_KEPT = """
INSERT INTO deposit_key (organisation_id, key, dossier_id)
SELECT organisation_id, idempotency_key, id FROM dossier WHERE idempotency_key IS NOT NULL
"""


def upgrade() -> None:
    """Make the table, and move the keys of dossiers into it."""
    op.create_table(
        "deposit_key",
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("dossier_id", sa.String(26), sa.ForeignKey("dossier.id"), nullable=False),
        sa.Column("asked", sa.String(64)),
    )
    op.create_index("ix_deposit_key_dossier_id", "deposit_key", ["dossier_id"])
    op.execute(_KEPT)
    op.drop_index("dossier_idempotency", "dossier")
    op.drop_column("dossier", "idempotency_key")
