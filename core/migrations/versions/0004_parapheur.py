"""The parapheur: desks, types, circuits; folders with their documents, tasks and events; what signatories are known by.

Revision: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _desks()
    _classification()
    _folders()
    _work()
    _people()


def _desks() -> None:
    op.create_table(
        "desk",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("short_name", sa.String(60), nullable=False),
        sa.Column("description", sa.String(300), nullable=False),
        sa.Column("parent_id", sa.String(26)),
        sa.Column("may_create", sa.Boolean(), nullable=False),
        sa.Column("may_act", sa.Boolean(), nullable=False),
        sa.Column("may_chain", sa.Boolean(), nullable=False),
        sa.Column("associated", json, nullable=False),
        sa.Column("closed", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["parent_id"], ["desk.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("desk_short_name", "desk", ["organisation_id", "short_name"], unique=True)
    op.create_index("ix_desk_organisation_id", "desk", ["organisation_id"])
    op.create_table(
        "seat",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("desk_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("capacity", sa.String(20), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_seat_organisation_id", "seat", ["organisation_id"])
    op.create_index("ix_seat_person_id", "seat", ["person_id"])
    op.create_index("seat_once", "seat", ["desk_id", "person_id", "capacity"], unique=True)


def _classification() -> None:
    op.create_table(
        "metadata_field",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(60), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("choices", json, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_metadata_field_organisation_id", "metadata_field", ["organisation_id"])
    op.create_index("metadata_field_key", "metadata_field", ["organisation_id", "key"], unique=True)
    op.create_table(
        "folder_type",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("signing", json, nullable=False),
        sa.Column("closed", moment),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_type_name", "folder_type", ["organisation_id", "name"], unique=True)
    op.create_index("ix_folder_type_organisation_id", "folder_type", ["organisation_id"])
    op.create_table(
        "folder_subtype",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("type_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("description", sa.String(300), nullable=False),
        sa.Column("options", json, nullable=False),
        sa.Column("choice", json, nullable=False),
        sa.Column("closed", moment),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["type_id"], ["folder_type.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_subtype_name", "folder_subtype", ["type_id", "name"], unique=True)
    op.create_index("ix_folder_subtype_organisation_id", "folder_subtype", ["organisation_id"])
    op.create_table(
        "delegation",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("desk_id", sa.String(26), nullable=False),
        sa.Column("substitute_id", sa.String(26), nullable=False),
        sa.Column("starts", moment, nullable=False),
        sa.Column("ends", moment),
        sa.Column("type_id", sa.String(26)),
        sa.Column("subtype_id", sa.String(26)),
        sa.Column("author", sa.String(40), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"]),
        sa.ForeignKeyConstraint(["substitute_id"], ["desk.id"]),
        sa.ForeignKeyConstraint(["type_id"], ["folder_type.id"]),
        sa.ForeignKeyConstraint(["subtype_id"], ["folder_subtype.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("delegation_from", "delegation", ["desk_id", "starts"])
    op.create_index("delegation_to", "delegation", ["substitute_id", "starts"])
    op.create_index("ix_delegation_organisation_id", "delegation", ["organisation_id"])
    op.create_table(
        "circuit",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("steps", json, nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("circuit_version", "circuit", ["organisation_id", "key", "version"], unique=True)
    op.create_index("ix_circuit_organisation_id", "circuit", ["organisation_id"])


def _folders() -> None:
    op.create_table(
        "folder",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("external_id", sa.String(200)),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("summary", json, nullable=False),
        sa.Column("subtype_id", sa.String(26)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("visibility", sa.String(20), nullable=False),
        sa.Column("due", sa.Date()),
        sa.Column("emitter_id", sa.String(26), nullable=False),
        sa.Column("author", sa.String(40), nullable=False),
        sa.Column("fields", json, nullable=False),
        sa.Column("variables", json, nullable=False),
        sa.Column("circuit_id", sa.String(26)),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("last_desk_id", sa.String(26)),
        sa.Column("leaves_at", moment),
        sa.Column("trouble", sa.String(1000)),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["subtype_id"], ["folder_subtype.id"]),
        sa.ForeignKeyConstraint(["emitter_id"], ["desk.id"]),
        sa.ForeignKeyConstraint(["circuit_id"], ["circuit.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_by_emitter", "folder", ["emitter_id", "state", "since", "id"])
    op.create_index("folder_external", "folder", ["organisation_id", "external_id"], unique=True)
    op.create_index("folder_leaving", "folder", ["leaves_at"])
    op.create_index("folder_of_dossier", "folder", ["dossier_id"], unique=True)
    op.create_index("folder_retrievable", "folder", ["last_desk_id", "since", "id"])
    op.create_index("ix_folder_organisation_id", "folder", ["organisation_id"])
    op.create_table(
        "folder_document",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("source_sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("signature_of", sa.String(26)),
        sa.Column("stamp", json),
        sa.Column("added_at", sa.Integer()),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_document_in_order", "folder_document", ["folder_id", "kind", "rank"])
    op.create_index("ix_folder_document_organisation_id", "folder_document", ["organisation_id"])


def _work() -> None:
    op.create_table(
        "folder_task",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("desk_id", sa.String(26), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("together", sa.String(10), nullable=False),
        sa.Column("step", json, nullable=False),
        sa.Column("asked_by", sa.String(26)),
        sa.Column("opened", moment),
        sa.Column("closed", moment),
        sa.Column("actor", sa.String(40)),
        sa.Column("behalf_id", sa.String(26)),
        sa.Column("due", sa.Date()),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_task_in_order", "folder_task", ["folder_id", "rank"])
    op.create_index("folder_task_late", "folder_task", ["desk_id", "state", "due"])
    op.create_index("folder_task_tray", "folder_task", ["desk_id", "state", "opened", "id"])
    op.create_index("ix_folder_task_organisation_id", "folder_task", ["organisation_id"])
    op.create_table(
        "folder_event",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("desk_id", sa.String(26)),
        sa.Column("behalf_id", sa.String(26)),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("task_id", sa.String(26)),
        sa.Column("note", sa.String(512), nullable=False),
        sa.Column("private_note", sa.String(512), nullable=False),
        sa.Column("facts", json, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_event_in_order", "folder_event", ["folder_id", "number"], unique=True)
    op.create_index("ix_folder_event_organisation_id", "folder_event", ["organisation_id"])
    op.create_table(
        "folder_reading",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("pages", json, nullable=False),
        sa.Column("first", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("folder_id", "person_id"),
    )
    op.create_index("ix_folder_reading_organisation_id", "folder_reading", ["organisation_id"])
    op.create_index("ix_folder_reading_person_id", "folder_reading", ["person_id"])


def _people() -> None:
    op.create_table(
        "folder_signing",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("sitting_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("desk_id", sa.String(26), nullable=False),
        sa.Column("task_ids", json, nullable=False),
        sa.Column("note", sa.String(512), nullable=False),
        sa.Column("private_note", sa.String(512), nullable=False),
        sa.Column("fields", json, nullable=False),
        sa.Column("ticket", sa.LargeBinary()),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("settled", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["sitting_id"], ["sitting.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"]),
        sa.PrimaryKeyConstraint("sitting_id"),
    )
    op.create_index("folder_signing_open", "folder_signing", ["settled", "created"])
    op.create_index("ix_folder_signing_organisation_id", "folder_signing", ["organisation_id"])
    op.create_table(
        "folder_notice",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("folder_id", sa.String(26), nullable=False),
        sa.Column("desk_id", sa.String(26), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
        sa.Column("due", moment, nullable=False),
        sa.Column("sent", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["folder_id"], ["folder.id"]),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("folder_notice_due", "folder_notice", ["sent", "due"])
    op.create_index("folder_notice_person", "folder_notice", ["person_id", "created"])
    op.create_index("ix_folder_notice_organisation_id", "folder_notice", ["organisation_id"])
    op.create_table(
        "signatory_profile",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("quality", sa.String(100), nullable=False),
        sa.Column("city", sa.String(100), nullable=False),
        sa.Column("postal_code", sa.String(5), nullable=False),
        sa.Column("frequency", sa.String(20), nullable=False),
        sa.Column("digest_hour", sa.Integer(), nullable=False),
        sa.Column("remote_key", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "known_certificate",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.Column("confirmed", moment),
        sa.Column("first", moment, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("person_id", "sha256"),
    )
