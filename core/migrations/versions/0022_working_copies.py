"""Working copies of what was eliminated, and who proposed an elimination.

Revision: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"

json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_FULL = sa.text("outcome = 'destroyed' AND emptied IS NULL")


def upgrade() -> None:
    """Let the lines of eliminations say what is left of the dossiers; those already destroyed are due at once."""
    op.add_column("elimination", sa.Column("proposed_by", sa.String(40)))
    op.add_column("elimination_line", sa.Column("contents", json, nullable=False, server_default="[]"))
    op.add_column("elimination_line", sa.Column("emptied", sa.DateTime(timezone=True)))
    op.create_index("elimination_line_full", "elimination_line", ["record_id"], sqlite_where=_FULL, postgresql_where=_FULL)
