"""The referential of rules, holds, eliminations.

Revision: 0015
"""

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the tables."""
