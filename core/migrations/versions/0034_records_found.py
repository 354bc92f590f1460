"""Records are found newest first over all organisations, and by whichever digest of their package.

Revision: 0034
"""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    """Make the two indexes."""
    op.create_index("record_newest_of_all", "record", ["sealed", "id"])
    op.create_index("record_digest_value", "record_digest", ["value"])
