"""Tracked mails: sends, recipients, messages, returns, events; the address book; assemblies and their meetings.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "assembly",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("rule", sa.String(40), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("proxies", sa.Boolean(), nullable=False),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Boolean(), nullable=False),
        sa.Column("reminder", sa.Integer(), nullable=False),
        sa.Column("closed", moment),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("assembly_once", "assembly", ["organisation_id", "name"], unique=True)
    op.create_index("ix_assembly_organisation_id", "assembly", ["organisation_id"])
    op.create_table(
        "mail_contact",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("normal", sa.String(254), nullable=False),
        sa.Column("sought", sa.String(500), nullable=False),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("bounced", moment),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_contact_organisation_id", "mail_contact", ["organisation_id"])
    op.create_index("mail_contact_once", "mail_contact", ["organisation_id", "normal"], unique=True)
    op.create_index("mail_contact_sought", "mail_contact", ["organisation_id", "sought", "id"])
    op.create_table(
        "mail_group",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_group_organisation_id", "mail_group", ["organisation_id"])
    op.create_index("mail_group_once", "mail_group", ["organisation_id", "name"], unique=True)
    op.create_table(
        "mail_template",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_template_organisation_id", "mail_template", ["organisation_id"])
    op.create_index("mail_template_once", "mail_template", ["organisation_id", "name"], unique=True)
    op.create_table(
        "assembly_member",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("assembly_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("normal", sa.String(254), nullable=False),
        sa.Column("alternate_of", sa.String(26)),
        sa.Column("paper", sa.Boolean(), nullable=False),
        sa.Column("paper_since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.ForeignKeyConstraint(["alternate_of"], ["assembly_member.id"]),
        sa.ForeignKeyConstraint(["assembly_id"], ["assembly.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("assembly_member_once", "assembly_member", ["assembly_id", "normal"], unique=True)
    op.create_index("ix_assembly_member_organisation_id", "assembly_member", ["organisation_id"])
    op.create_table(
        "mail",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("terms", json, nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(200), nullable=False),
        sa.Column("reply_to", sa.String(254), nullable=False),
        sa.Column("answers", sa.Boolean(), nullable=False),
        sa.Column("author", sa.String(40), nullable=False),
        sa.Column("sent", moment),
        sa.Column("withdraw_until", sa.Date()),
        sa.Column("readable_until", sa.Date()),
        sa.Column("cancelled", moment),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("purged", moment),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("ix_mail_organisation_id", "mail", ["organisation_id"])
    op.create_index("mail_withdraw_until", "mail", ["withdraw_until"])
    op.create_table(
        "mail_group_member",
        sa.Column("group_id", sa.String(26), nullable=False),
        sa.Column("contact_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["mail_contact.id"]),
        sa.ForeignKeyConstraint(["group_id"], ["mail_group.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("group_id", "contact_id"),
    )
    op.create_index("ix_mail_group_member_contact_id", "mail_group_member", ["contact_id"])
    op.create_index("ix_mail_group_member_organisation_id", "mail_group_member", ["organisation_id"])
    op.create_table(
        "mail_recipient",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("place", sa.String(3), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("normal", sa.String(254), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", moment),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.String(255), nullable=False),
        sa.Column("code_until", moment),
        sa.Column("consent", sa.Date()),
        sa.Column("consent_reference", sa.String(200), nullable=False),
        sa.Column("delivered", moment),
        sa.Column("opened", moment),
        sa.Column("withdrawn", moment),
        sa.Column("answered", moment),
        sa.Column("refused", moment),
        sa.Column("trouble", sa.String(1000), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_recipient_organisation_id", "mail_recipient", ["organisation_id"])
    op.create_index("mail_recipient_once", "mail_recipient", ["dossier_id", "normal"], unique=True)
    op.create_index("mail_recipient_state", "mail_recipient", ["organisation_id", "state"])
    op.create_table(
        "meeting",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("assembly_id", sa.String(26), nullable=False),
        sa.Column("starts", moment, nullable=False),
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("agenda", sa.Text(), nullable=False),
        sa.Column("urgency", sa.String(1000), nullable=False),
        sa.Column("second", sa.Boolean(), nullable=False),
        sa.Column("renewal", sa.Boolean(), nullable=False),
        sa.Column("last_day", sa.Date()),
        sa.Column("paper", json, nullable=False),
        sa.Column("sheet", json),
        sa.Column("held", moment),
        sa.ForeignKeyConstraint(["assembly_id"], ["assembly.id"]),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("ix_meeting_organisation_id", "meeting", ["organisation_id"])
    op.create_index("meeting_starts", "meeting", ["organisation_id", "starts"])
    op.create_table(
        "meeting_question",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(500), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_meeting_question_organisation_id", "meeting_question", ["organisation_id"])
    op.create_index("meeting_question_of_dossier", "meeting_question", ["dossier_id", "rank"])
    op.create_table(
        "convened",
        sa.Column("recipient_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("member_id", sa.String(26)),
        sa.Column("presence", sa.String(10), nullable=False),
        sa.Column("proxy_to", sa.String(26)),
        sa.Column("answered", moment),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["member_id"], ["assembly_member.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["proxy_to"], ["mail_recipient.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("recipient_id"),
    )
    op.create_index("ix_convened_dossier_id", "convened", ["dossier_id"])
    op.create_index("ix_convened_organisation_id", "convened", ["organisation_id"])
    op.create_table(
        "mail_answer",
        sa.Column("recipient_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("files", json, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("recipient_id"),
    )
    op.create_index("ix_mail_answer_organisation_id", "mail_answer", ["organisation_id"])
    op.create_index("mail_answer_of_dossier", "mail_answer", ["dossier_id", "id"])
    op.create_table(
        "mail_event",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("recipient_id", sa.String(26)),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("facts", json, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_event_organisation_id", "mail_event", ["organisation_id"])
    op.create_index("mail_event_of_dossier", "mail_event", ["dossier_id", "id"])
    op.create_index("mail_event_of_recipient", "mail_event", ["recipient_id", "id"])
    op.create_table(
        "mail_notice",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("recipient_id", sa.String(26), nullable=False),
        sa.Column("occasion", sa.String(40), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("envelope", sa.String(40), nullable=False),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("token", sa.String(64)),
        sa.Column("revoked", moment),
        sa.Column("message_id", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("message", sa.LargeBinary()),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("not_before", moment, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("left", moment),
        sa.Column("accepted", moment),
        sa.Column("evidence", json, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_notice_organisation_id", "mail_notice", ["organisation_id"])
    op.create_index("mail_notice_due", "mail_notice", ["state", "not_before"])
    op.create_index("mail_notice_envelope", "mail_notice", ["envelope"], unique=True)
    op.create_index("mail_notice_of_dossier", "mail_notice", ["dossier_id", "id"])
    op.create_index("mail_notice_once", "mail_notice", ["recipient_id", "occasion"], unique=True)
    op.create_index("mail_notice_token", "mail_notice", ["token"], unique=True)
    op.create_table(
        "meeting_answer",
        sa.Column("question_id", sa.String(26), nullable=False),
        sa.Column("recipient_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("answer", sa.String(10), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["question_id"], ["meeting_question.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("question_id", "recipient_id"),
    )
    op.create_index("ix_meeting_answer_organisation_id", "meeting_answer", ["organisation_id"])
    op.create_table(
        "mail_return",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("notice_id", sa.String(26)),
        sa.Column("recipient_id", sa.String(26)),
        sa.Column("dossier_id", sa.String(26)),
        sa.Column("what", sa.String(12), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("diagnostic", sa.String(1000), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("received", moment, nullable=False),
        sa.Column("settled", moment),
        sa.Column("settled_by", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["notice_id"], ["mail_notice.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_return_organisation_id", "mail_return", ["organisation_id"])
    op.create_index("mail_return_of_dossier", "mail_return", ["dossier_id", "id"])
    op.create_index("mail_return_once", "mail_return", ["source"], unique=True)
    op.create_index("mail_return_unsettled", "mail_return", ["organisation_id", "what", "settled"])
    op.create_table(
        "mail_visit",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("recipient_id", sa.String(26), nullable=False),
        sa.Column("notice_id", sa.String(26), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("ends", moment, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["mail_notice.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["recipient_id"], ["mail_recipient.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_visit_organisation_id", "mail_visit", ["organisation_id"])
    op.create_index("mail_visit_digest", "mail_visit", ["digest"], unique=True)
    op.create_index("mail_visit_ends", "mail_visit", ["ends"])
    op.create_table(
        "mail_alert",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("occasion", sa.String(80), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_alert_dossier_id", "mail_alert", ["dossier_id"])
    op.create_index("ix_mail_alert_organisation_id", "mail_alert", ["organisation_id"])
    op.create_index("mail_alert_once", "mail_alert", ["person_id", "dossier_id", "occasion"], unique=True)
    op.create_table(
        "pastell_number",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("named", sa.String(26), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_pastell_number_organisation_id", "pastell_number", ["organisation_id"])
    op.create_index("pastell_number_named", "pastell_number", ["named"], unique=True)
    op.create_table(
        "pastell_document",
        sa.Column("dossier_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("modified", moment),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossier.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("dossier_id"),
    )
    op.create_index("ix_pastell_document_organisation_id", "pastell_document", ["organisation_id"])
