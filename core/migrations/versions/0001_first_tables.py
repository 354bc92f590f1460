"""The first tables: organisations, people, tokens, dossiers, steps, journal, archive.

The journal and the tree are append-only in the database itself: triggers refuse to change or delete what stands in them.

Revision: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

APPEND_ONLY = ("journal_entry", "tree_leaf", "tree_node", "tree_head")


def upgrade() -> None:
    """Make every table."""
    _tables()
    for table in APPEND_ONLY:
        _forbid_changes(table)


def _forbid_changes(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _tables() -> None:
    op.create_table(
        "organisation",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("parent_id", sa.String(26)),
        sa.Column("path", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("siren", sa.String(9)),
        sa.Column("siret", sa.String(14)),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_organisation_parent_id", "organisation", ["parent_id"])
    op.create_index("ix_organisation_path", "organisation", ["path"], unique=True)
    op.create_index("ix_organisation_siren", "organisation", ["siren"])
    op.create_index("ix_organisation_siret", "organisation", ["siret"])
    op.create_table(
        "person",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("key", sa.String(40), nullable=False),
        sa.Column("queue", sa.String(60), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("due", moment, nullable=False),
        sa.Column("announced", moment),
        sa.Column("lease", sa.String(26)),
        sa.Column("leased_until", moment),
        sa.Column("trouble", sa.String(1000)),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_schedule_due", "schedule", ["due"])
    op.create_table(
        "tree_head",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("stamped", moment, nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "tree_leaf",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_number", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        sa.UniqueConstraint("entry_id"),
        sa.UniqueConstraint("entry_number"),
    )
    op.create_table(
        "tree_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("level", "position"),
    )
    op.create_table(
        "api_token",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("rights", json, nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.Column("revoked", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_api_token_organisation_id", "api_token", ["organisation_id"])
    op.create_table(
        "configuration",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("changed", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id", "name"),
    )
    op.create_table(
        "dossier",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("flow", sa.String(40), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("parked", sa.String(1000)),
        sa.Column("reference", sa.String(200)),
        sa.Column("idempotency_key", sa.String(200)),
        sa.Column("facts", json, nullable=False),
        sa.Column("problems", json, nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dossier_idempotency", "dossier", ["organisation_id", "idempotency_key"], unique=True)
    op.create_index("dossier_newest", "dossier", ["organisation_id", "created", "id"])
    op.create_index("dossier_newest_by_state", "dossier", ["organisation_id", "state", "created", "id"])
    op.create_index("dossier_reference", "dossier", ["organisation_id", "flow", "reference"], unique=True)
    op.create_index("dossier_state_newest", "dossier", ["state", "created", "id"])
    op.create_table(
        "helios_response",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("gateway_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("reference", sa.String(200)),
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("flaw", sa.String(1000)),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("received", moment, nullable=False),
        sa.ForeignKeyConstraint(["gateway_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("helios_response_once", "helios_response", ["gateway_id", "name", "sha256"], unique=True)
    op.create_index("ix_helios_response_dossier_id", "helios_response", ["dossier_id"])
    op.create_index("ix_helios_response_organisation_id", "helios_response", ["organisation_id"])
    op.create_table(
        "journal_entry",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(80), nullable=False),
        sa.Column("facts", json, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("journal_entry_of_dossier", "journal_entry", ["dossier_id", "number"])
    op.create_table(
        "membership",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(60), nullable=False),
        sa.Column("rights", json, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_membership_organisation_id", "membership", ["organisation_id"])
    op.create_index("ix_membership_person_id", "membership", ["person_id"])
    op.create_table(
        "record",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("bucket", sa.String(63), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("version_id", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.String(26), nullable=False),
        sa.Column("rule", sa.String(60), nullable=False),
        sa.Column("keep_until", sa.Date()),
        sa.Column("locked_until", moment, nullable=False),
        sa.Column("sealed", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("dossier_id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_record_sha256", "record", ["sha256"])
    op.create_index("record_newest", "record", ["organisation_id", "sealed", "id"])
    op.create_table(
        "web_session",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_web_session_person_id", "web_session", ["person_id"])
    op.create_table(
        "dossier_file",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_dossier_file_dossier_id", "dossier_file", ["dossier_id"])
    op.create_index("ix_dossier_file_organisation_id", "dossier_file", ["organisation_id"])
    op.create_index("ix_dossier_file_sha256", "dossier_file", ["sha256"])
    op.create_table(
        "step",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("stage", sa.String(80), nullable=False),
        sa.Column("queue", sa.String(60), nullable=False),
        sa.Column("due", moment, nullable=False),
        sa.Column("announced", moment),
        sa.Column("lease", sa.String(26)),
        sa.Column("leased_until", moment),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(1000)),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("ix_step_due", "step", ["due"])
