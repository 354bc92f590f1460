"""The referential of rules, holds, eliminations.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"

moment = sa.DateTime(timezone=True)
json_value = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_index("record_due", "record", ["organisation_id", "final_action", "keep_until"])
    op.create_index("record_ruled", "record", ["rule"])
    _rules()
    _holds()
    _eliminations()


def _rules() -> None:
    op.create_table(
        "retention_rule",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("category", sa.String(10), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(300), nullable=False),
        sa.Column("years", sa.Integer(), nullable=False),
        sa.Column("ends", sa.String(12), nullable=False),
        sa.Column("final_action", sa.String(10), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date()),
        sa.Column("created", moment, nullable=False),
        sa.Column("created_by", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("category", "code", "version", name="retention_rule_named"),
    )
    op.create_index("ix_retention_rule_organisation_id", "retention_rule", ["organisation_id"])
    op.create_table(
        "rule_choice",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("category", sa.String(10), nullable=False),
        sa.Column("code", sa.String(40), nullable=False),
        sa.Column("chosen", moment, nullable=False),
        sa.Column("chosen_by", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "kind", "category"),
    )


def _holds() -> None:
    op.create_table(
        "record_hold",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("statement", sa.String(64), nullable=False),
        sa.Column("review", sa.Date(), nullable=False),
        sa.Column("placed", moment, nullable=False),
        sa.Column("placed_by", sa.String(40), nullable=False),
        sa.Column("lifted", moment),
        sa.Column("lifted_by", sa.String(40)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_record_hold_organisation_id", "record_hold", ["organisation_id"])
    op.create_table(
        "record_held",
        sa.Column("hold_id", sa.String(26), nullable=False),
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["hold_id"], ["record_hold.id"]),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("hold_id", "record_id"),
    )
    op.create_index("record_held_record", "record_held", ["record_id"])
    op.create_index("record_held_told", "record_held", ["told"])


def _eliminations() -> None:
    op.create_table(
        "elimination",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("criteria", json_value, nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("listing", sa.String(64)),
        sa.Column("bordereau", sa.String(64)),
        sa.Column("made", moment, nullable=False),
        sa.Column("made_by", sa.String(40), nullable=False),
        sa.Column("proposed", moment),
        sa.Column("agreed", moment),
        sa.Column("agreed_by", sa.String(40)),
        sa.Column("visa", moment),
        sa.Column("visa_by", sa.String(40)),
        sa.Column("visa_reference", sa.String(100)),
        sa.Column("visa_document", sa.String(64)),
        sa.Column("visa_statement", sa.String(64)),
        sa.Column("ordered", moment),
        sa.Column("ordered_by", sa.String(40)),
        sa.Column("ended", moment),
        sa.Column("certificate", sa.String(64)),
        sa.Column("record_id", sa.String(26)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("elimination_newest", "elimination", ["organisation_id", "id"])
    op.create_index("elimination_state", "elimination", ["state"])
    op.create_table(
        "elimination_line",
        sa.Column("elimination_id", sa.String(26), nullable=False),
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("reasons", json_value, nullable=False),
        sa.Column("chosen", sa.Boolean(), nullable=False),
        sa.Column("accepted", sa.Boolean()),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("waits_until", moment),
        sa.Column("result", json_value, nullable=False),
        sa.Column("settled", moment),
        sa.ForeignKeyConstraint(["elimination_id"], ["elimination.id"]),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("elimination_id", "record_id"),
    )
    op.create_index("elimination_line_record", "elimination_line", ["record_id"])
    op.create_index("elimination_line_outcome", "elimination_line", ["elimination_id", "outcome"])
