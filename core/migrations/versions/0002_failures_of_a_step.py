"""A step counts its failures apart from its claims: a worker that dies with a dossier says nothing of the dossier.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the count, at zero; what was counted until now were claims."""
    op.add_column("step", sa.Column("failures", sa.Integer(), nullable=False, server_default="0"))
