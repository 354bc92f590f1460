"""ACTES: messages of both sides, envelopes and their count, mails, classifications.

Revision: 0008
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _messages()
    _envelopes()
    _mails()
    _classifications()


def _owned(table: str, *columns: sa.Column[Any] | sa.Constraint) -> None:
    op.create_table(
        table,
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _messages() -> None:
    _owned(
        "actes_message",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("code", sa.String(3), nullable=False),
        sa.Column("id_acte", sa.String(60), nullable=False),
        sa.Column("outgoing", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("letter_date", sa.Date()),
        sa.Column("day", sa.Date()),
        sa.Column("answers_id", sa.String(26)),
        sa.Column("sha256", sa.String(64)),
        sa.Column("facts", json, nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
    )
    op.create_index("ix_actes_message_organisation_id", "actes_message", ["organisation_id"])
    op.create_index("ix_actes_message_state", "actes_message", ["state"])
    op.create_index("ix_actes_message_id_acte", "actes_message", ["id_acte"])
    op.create_index("actes_message_of_dossier", "actes_message", ["dossier_id", "id"])
    op.create_index("actes_message_once", "actes_message", ["dossier_id", "code", "sha256"], unique=True)


def _envelopes() -> None:
    _owned(
        "actes_envelope",
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("message_id", sa.String(26)),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sent", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["actes_message.id"]),
    )
    op.create_index("actes_envelope_name", "actes_envelope", ["name"], unique=True)
    op.create_index("actes_envelope_sent", "actes_envelope", ["sent"])
    for column in ("organisation_id", "dossier_id", "message_id"):
        op.create_index(f"ix_actes_envelope_{column}", "actes_envelope", [column])
    op.create_table(
        "actes_count",
        sa.Column("siren", sa.String(9), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("siren", "day"),
    )


def _mails() -> None:
    _owned(
        "actes_mail",
        sa.Column("mailbox_id", sa.String(26), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(1000)),
        sa.Column("parts", json, nullable=False),
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("received", moment, nullable=False),
        sa.ForeignKeyConstraint(["mailbox_id"], ["organisation.id"]),
    )
    op.create_index("actes_mail_once", "actes_mail", ["mailbox_id", "sha256"], unique=True)
    op.create_index("actes_mail_state", "actes_mail", ["mailbox_id", "state", "id"])
    for column in ("organisation_id", "dossier_id"):
        op.create_index(f"ix_actes_mail_{column}", "actes_mail", [column])


def _classifications() -> None:
    _owned(
        "actes_classification",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("received", moment, nullable=False),
    )
    op.create_index("actes_classification_once", "actes_classification", ["organisation_id", "day"], unique=True)
