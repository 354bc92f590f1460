"""Records in several places, with their files and digests; what they are kept and hidden for.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

moment = sa.DateTime(timezone=True)
# The flow of each dossier tells the kind; the days and the access rule were not kept: the day of sealing stands for the first,
# and what is not known is shown to nobody.
_KNOWN = """
UPDATE record SET
    kind = (SELECT flow FROM dossier WHERE dossier.id = record.dossier_id),
    producer = (SELECT COALESCE(siret, siren, '') FROM organisation WHERE organisation.id = record.organisation_id),
    dated = {day},
    final_action = CASE WHEN rule LIKE 'APP-COMPTA-%' OR rule LIKE 'APP-FACTURES-%' THEN 'Destroy' ELSE 'Keep' END,
    access = ''
"""
_COPIES = """
INSERT INTO record_copy (record_id, place, organisation_id, version_id, locked_until, checked)
SELECT id, 'principal', organisation_id, version_id, locked_until, sealed FROM record
"""
_DIGESTS = """
INSERT INTO record_digest (record_id, algorithm, organisation_id, value, taken)
SELECT id, 'SHA-256', organisation_id, sha256, sealed FROM record
"""


def upgrade() -> None:
    """Make the tables, and move what stood in the record."""
    _tables()
    with op.batch_alter_table("record") as record:
        record.alter_column("dossier_id", existing_type=sa.String(26), nullable=True)
        record.add_column(sa.Column("kind", sa.String(20)))
        record.add_column(sa.Column("producer", sa.String(60)))
        record.add_column(sa.Column("dated", sa.Date()))
        record.add_column(sa.Column("final_action", sa.String(10)))
        record.add_column(sa.Column("access", sa.String(60)))
        record.add_column(sa.Column("open_from", sa.Date()))
        record.add_column(sa.Column("eliminated", moment))
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(_KNOWN.format(day="date(sealed)" if sqlite else "CAST(sealed AS date)"))
    op.execute(_COPIES)
    op.execute(_DIGESTS)
    with op.batch_alter_table("record") as record:
        for name, kind in (("kind", 20), ("producer", 60), ("final_action", 10), ("access", 60)):
            record.alter_column(name, existing_type=sa.String(kind), nullable=False)
        record.alter_column("dated", existing_type=sa.Date(), nullable=False)
        for name in ("bucket", "version_id", "locked_until"):
            record.drop_column(name)


def _tables() -> None:
    op.create_table(
        "record_copy",
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("place", sa.String(40), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("version_id", sa.String(100), nullable=False),
        sa.Column("locked_until", moment, nullable=False),
        sa.Column("checked", moment, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("record_id", "place"),
    )
    op.create_index("record_copy_checked", "record_copy", ["place", "checked"])
    op.create_index("record_copy_locked", "record_copy", ["place", "locked_until"])
    op.create_table(
        "record_file",
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("rank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("uri", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.String(100)),
        sa.Column("puid", sa.String(20)),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("record_id", "rank"),
    )
    op.create_index("ix_record_file_sha256", "record_file", ["sha256"])
    op.create_table(
        "record_digest",
        sa.Column("record_id", sa.String(26), nullable=False),
        sa.Column("algorithm", sa.String(20), nullable=False),
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("value", sa.String(128), nullable=False),
        sa.Column("taken", moment, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"]),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("record_id", "algorithm"),
    )
