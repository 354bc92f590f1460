"""Invoices received through Chorus Pro: what is told of them, what is to be told, the hand-over, evidence of every call.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "invoice_watch",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("through", sa.Date()),
        sa.Column("succeeded", moment),
        sa.Column("trouble", sa.String(1000)),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "chorus_exchange",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("moment", moment, nullable=False),
        sa.Column("request", json, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.BigInteger()),
        sa.Column("wording", sa.String(500), nullable=False),
        sa.Column("correlation", sa.String(200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("chorus_exchange_of_dossier", "chorus_exchange", ["dossier_id", "id"])
    op.create_index("ix_chorus_exchange_organisation_id", "chorus_exchange", ["organisation_id"])
    op.create_table(
        "invoice",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("environment", sa.String(12), nullable=False),
        sa.Column("chorus_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("type", sa.String(60), nullable=False),
        sa.Column("number", sa.String(100), nullable=False),
        sa.Column("supplier", sa.String(80), nullable=False),
        sa.Column("supplier_name", sa.String(200), nullable=False),
        sa.Column("structure", sa.BigInteger()),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("service_code", sa.String(100), nullable=False),
        sa.Column("service_name", sa.String(200), nullable=False),
        sa.Column("engagement", sa.String(100), nullable=False),
        sa.Column("contract", sa.String(100), nullable=False),
        sa.Column("issued", sa.Date()),
        sa.Column("deposited", moment),
        sa.Column("net", sa.Numeric(precision=19, scale=2)),
        sa.Column("gross", sa.Numeric(precision=19, scale=2)),
        sa.Column("payable", sa.Numeric(precision=19, scale=2)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(60), nullable=False),
        sa.Column("moved", moment),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("available", moment),
        sa.Column("due", sa.Date()),
        sa.Column("late_from", sa.Date()),
        sa.Column("mandate", sa.String(50), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("invoice_late", "invoice", ["organisation_id", "late_from"])
    op.create_index("invoice_number", "invoice", ["organisation_id", "number"])
    op.create_index("invoice_once", "invoice", ["environment", "chorus_id"], unique=True)
    op.create_index("invoice_status", "invoice", ["organisation_id", "status"])
    op.create_index("invoice_supplier", "invoice", ["organisation_id", "supplier"])
    op.create_index("ix_invoice_account_id", "invoice", ["account_id"])
    op.create_index("ix_invoice_organisation_id", "invoice", ["organisation_id"])
    op.create_table(
        "invoice_handover",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("offer", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(10), nullable=False),
        sa.Column("delivery", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("software_reference", sa.String(100), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("offered", moment, nullable=False),
        sa.Column("answered", moment),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("invoice_handover_delivery", "invoice_handover", ["delivery"])
    op.create_index("invoice_handover_once", "invoice_handover", ["dossier_id", "cycle"], unique=True)
    op.create_index(
        "invoice_handover_open", "invoice_handover", ["organisation_id", "id"], postgresql_where=sa.text("state = 'offered'")
    )
    op.create_index("ix_invoice_handover_organisation_id", "invoice_handover", ["organisation_id"])
    op.create_table(
        "invoice_step",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("moment", moment, nullable=False),
        sa.Column("comment", sa.String(2000), nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("invoice_step_once", "invoice_step", ["dossier_id", "code", "moment"], unique=True)
    op.create_index("ix_invoice_step_organisation_id", "invoice_step", ["organisation_id"])
    op.create_table(
        "invoice_target",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("status", sa.String(60), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("reason_code", sa.String(40), nullable=False),
        sa.Column("mandate", sa.String(50), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(40), nullable=False),
        sa.Column("trouble", sa.String(1000)),
        sa.Column("asked", moment, nullable=False),
        sa.Column("not_before", moment, nullable=False),
        sa.Column("telling", moment),
        sa.Column("told", moment),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("invoice_target_of_dossier", "invoice_target", ["dossier_id", "id"])
    op.create_index("invoice_target_state", "invoice_target", ["state"])
    op.create_index("ix_invoice_target_organisation_id", "invoice_target", ["organisation_id"])
    op.create_table(
        "issued_invoice",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("environment", sa.String(12), nullable=False),
        sa.Column("number", sa.String(100), nullable=False),
        sa.Column("supplier", sa.String(80), nullable=False),
        sa.Column("recipient", sa.String(80), nullable=False),
        sa.Column("recipient_name", sa.String(200), nullable=False),
        sa.Column("service_code", sa.String(100), nullable=False),
        sa.Column("engagement", sa.String(100), nullable=False),
        sa.Column("contract", sa.String(100), nullable=False),
        sa.Column("issued", sa.Date()),
        sa.Column("gross", sa.Numeric(precision=19, scale=2)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("deposit", sa.String(60), nullable=False),
        sa.Column("chorus_id", sa.BigInteger()),
        sa.Column("status", sa.String(60), nullable=False),
        sa.Column("moved", moment),
        sa.Column("comment", sa.String(2000), nullable=False),
        sa.Column("looked", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("issued_invoice_looked", "issued_invoice", ["organisation_id", "looked"])
    op.create_index(
        "issued_invoice_once", "issued_invoice", ["organisation_id", "environment", "supplier", "number"], unique=True
    )
    op.create_index("ix_issued_invoice_organisation_id", "issued_invoice", ["organisation_id"])
