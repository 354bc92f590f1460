"""A reader may ask for some of the files of a record.

Revision: 0040
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    """Add the column: what was asked for so far was asked for whole."""
    op.add_column("requested_record", sa.Column("ranks", sa.JSON().with_variant(JSONB(), "postgresql")))
