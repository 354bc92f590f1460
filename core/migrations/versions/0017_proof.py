"""Trees of several hashes, the journal's segments outside the database, evidence records.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables; the nodes that stand are those of the tree of SHA-256."""
    _nodes()
    op.create_table(
        "tree_hash",
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("algorithm"),
    )
    for table in ("tree_node", "tree_hash"):
        _forbid_changes(table)
    op.create_table(
        "tree_segment",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("copies", json, nullable=False),
        sa.Column("sealed", moment),
        sa.Column("locked_until", moment),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_index("tree_segment_locked", "tree_segment", ["locked_until"])
    with op.batch_alter_table("record_digest") as digest:
        digest.add_column(sa.Column("entry_id", sa.String(26)))
    _evidence()


def _nodes() -> None:
    """Give every node the name of its hash, which is part of its key; a table that refuses changes is made anew."""
    op.create_table(
        "tree_node_named",
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("algorithm", "level", "position"),
    )
    op.execute("INSERT INTO tree_node_named SELECT 'SHA-256', level, position, hash FROM tree_node")
    op.drop_table("tree_node")
    op.rename_table("tree_node_named", "tree_node")


def _evidence() -> None:
    op.create_table(
        "evidence_stamp",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("stamped", moment, nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("length", sa.BigInteger()),
        sa.Column("copies", json, nullable=False),
        sa.Column("locked_until", moment),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("evidence_stamp_expires", "evidence_stamp", ["expires"])
    op.create_index("evidence_stamp_locked", "evidence_stamp", ["locked_until"])
    op.create_table(
        "evidence_renewal",
        sa.Column("stamp_id", sa.String(26), nullable=False),
        sa.Column("by_id", sa.String(26), nullable=False),
        sa.Column("way", json, nullable=False),
        sa.ForeignKeyConstraint(["stamp_id"], ["evidence_stamp.id"]),
        sa.ForeignKeyConstraint(["by_id"], ["evidence_stamp.id"]),
        sa.PrimaryKeyConstraint("stamp_id"),
    )
    op.create_index("ix_evidence_renewal_by_id", "evidence_renewal", ["by_id"])
    op.create_table(
        "record_evidence",
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("chain", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("algorithm", sa.String(10), nullable=False),
        sa.Column("hashes", json, nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("stamp_id", sa.String(26)),
        sa.Column("way", json, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["stamp_id"], ["evidence_stamp.id"]),
        sa.PrimaryKeyConstraint("record_id", "chain"),
    )
    op.create_index("record_evidence_stamp", "record_evidence", ["stamp_id", "record_id"])


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
