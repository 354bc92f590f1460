"""Holds that packages name are holds like others, and what was destroyed is looked for once more, some days later.

Revision: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"

moment = sa.DateTime(timezone=True)
_UNLOOKED = sa.text("kind = 'transfer' AND NOT looked_inside AND eliminated IS NULL")
_UNVERIFIED = sa.text("outcome = 'destroyed' AND verified IS NULL")


def upgrade() -> None:
    """Add the columns: no package was looked into yet, and all that was destroyed so far is looked for again."""
    op.add_column("record", sa.Column("looked_inside", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("record", sa.Column("look_again", moment))
    op.add_column("record", sa.Column("unreadable", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("record_unlooked", "record", ["id"], sqlite_where=_UNLOOKED, postgresql_where=_UNLOOKED)
    op.add_column("record_hold", sa.Column("package_of", sa.String(26)))
    op.add_column("record_hold", sa.Column("ends", sa.Date()))
    op.create_index("record_hold_package", "record_hold", ["package_of"], unique=True)
    op.add_column("elimination_line", sa.Column("verified", moment))
    op.create_index(
        "elimination_line_unverified", "elimination_line", ["settled"], sqlite_where=_UNVERIFIED, postgresql_where=_UNVERIFIED
    )
