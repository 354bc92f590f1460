"""Why a hold is lifted, and by which key whoever put it may repeat themselves.

A hold that was lifted before nobody was asked for a reason has none.

Revision: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Add the reason and the key."""
    op.add_column("record_hold", sa.Column("lift_reason", sa.String(1000)))
    op.add_column("record_hold", sa.Column("idempotency_key", sa.String(200)))
    op.create_index("record_hold_idempotency", "record_hold", ["organisation_id", "idempotency_key"], unique=True)
