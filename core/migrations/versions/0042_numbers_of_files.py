"""A document that is written through the interface of Pastell keeps the number under which software has sent each file.

Revision: 0042
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    """Add the numbers; the files that there are follow each other."""
    lists = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("pastell_document", sa.Column("numbers", lists, nullable=False, server_default="[]"))
