"""A restitution says how many packages no place held whole.

Revision: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Add the count; of what was given back before, none was lost: it would not have been finished."""
    op.add_column("restitution", sa.Column("lost", sa.Integer(), nullable=False, server_default="0"))
