"""Of who opens a folder, the last opening is kept beside the first: what counts is whether it was opened where it stands.

Revision: 0038
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the column; of what was opened so far, the first opening is the only one known."""
    op.add_column("folder_reading", sa.Column("last", moment))
    reading = sa.table("folder_reading", sa.column("first"), sa.column("last"))
    op.execute(reading.update().values(last=reading.c.first))
    with op.batch_alter_table("folder_reading") as altered:
        altered.alter_column("last", existing_type=moment, nullable=False)
