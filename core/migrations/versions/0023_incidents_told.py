"""Incidents that people are told of, and the journal asked by what an entry is about.

Entries, which nobody may change, stay as they are: what they are about is computed of their facts, by the index alone.

Revision: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

ABOUT = "coalesce(facts ->> 'record', facts ->> 'hold', facts ->> 'elimination', facts ->> 'incident')"


def upgrade() -> None:
    """Make the table, the columns and the indexes, and fill what earlier rows can tell."""
    still = sa.text("closed IS NULL")
    about = f"CASE WHEN json_valid(facts) THEN {ABOUT} END" if op.get_bind().dialect.name == "sqlite" else ABOUT
    said = sa.text(f"{about} IS NOT NULL")
    op.create_index("journal_entry_about", "journal_entry", [sa.text(about), "number"], sqlite_where=said, postgresql_where=said)
    op.add_column("record_copy", sa.Column("extension_id", sa.String(26)))
    op.add_column("archive_incident", sa.Column("record_id", sa.String(26)))
    op.execute("UPDATE archive_incident SET record_id = facts ->> 'record'")
    op.create_index("archive_incident_of_record", "archive_incident", ["record_id"])
    op.create_index(
        "archive_incident_waiting",
        "archive_incident",
        ["organisation_id", "state"],
        sqlite_where=still,
        postgresql_where=still,
    )
    op.create_table(
        "archive_incident_notice",
        sa.Column("incident_id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["archive_incident.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("incident_id", "person_id"),
    )
    op.create_index("archive_incident_notice_of_person", "archive_incident_notice", ["person_id", "at"])
