"""Renewed proofs and evidence records.

Revision: 0017
"""

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the tables."""
