"""Which dossiers a restored backup has as they were, though more has happened since.

Revision: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the mark; nobody was set aside so before."""
    op.add_column("dossier", sa.Column("overtaken", sa.Boolean(), nullable=False, server_default=sa.false()))
