"""A response of the DGFiP's gateway is known by the time of its file too: a name and a size may serve again.

Of what was kept before, no time is known: what still stands there is fetched once more, and found to be the same.

Revision: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    """Add the column."""
    op.add_column("helios_response", sa.Column("modified", sa.DateTime(timezone=True)))
