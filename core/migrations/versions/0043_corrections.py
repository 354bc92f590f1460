"""What was corrected of the rules of sealed records.

Revision: 0043
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0043"
down_revision = "0042"

json = sa.JSON().with_variant(JSONB(), "postgresql")
moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table: nothing was corrected so far."""
    op.create_table(
        "record_correction",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("record_id", sa.String(26), sa.ForeignKey("record.id"), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("before", json, nullable=False),
        sa.Column("after", json, nullable=False),
        sa.Column("kept_from", sa.Date()),
        sa.Column("hidden_from", sa.Date()),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("proposed", moment, nullable=False),
        sa.Column("proposed_by", sa.String(40), nullable=False),
        sa.Column("decided", moment),
        sa.Column("decided_by", sa.String(40)),
        sa.Column("statement", sa.String(26)),
        sa.Column("digest", sa.String(64)),
    )
    op.create_index("record_correction_record", "record_correction", ["record_id", "id"])
    op.create_index("record_correction_newest", "record_correction", ["organisation_id", "id"])
    op.create_index("record_correction_statement", "record_correction", ["statement"], unique=True)
