"""The words that records are found by, requests of readers.

Revision: 0019
"""

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Make the tables."""
