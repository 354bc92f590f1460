"""Transfers to outside archives.

Revision: 0020
"""

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the tables."""
