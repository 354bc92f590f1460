"""A dossier may be confidential: seen by those who have to do with it, not by all who read the organisation's dossiers.

Revision: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the mark, off: what is there already was never said to be confidential."""
    op.add_column("dossier", sa.Column("confidential", sa.Boolean(), nullable=False, server_default=sa.false()))
