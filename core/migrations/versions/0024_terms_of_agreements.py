"""What an agreement may ask besides: signed manifests, digests, PDF/A, a volume a year, the size of a file.

Revision: 0024
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024"
down_revision = "0023"


def _asked(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def upgrade() -> None:
    """Add the terms; an agreement that there is asks none of them."""
    lists = sa.JSON().with_variant(JSONB(), "postgresql")
    op.add_column("archive_agreement", _asked("signed_manifest"))
    op.add_column("archive_agreement", _asked("unverified_signatures"))
    op.add_column("archive_agreement", sa.Column("digests", lists, nullable=False, server_default="[]"))
    op.add_column("archive_agreement", sa.Column("pdfa", sa.String(10), nullable=False, server_default=sa.text("''")))
    op.add_column("archive_agreement", sa.Column("largest_file", sa.BigInteger()))
    op.add_column("archive_agreement", sa.Column("volume", sa.BigInteger()))
