"""The words that records are found by, requests of readers.

The words stand in an inverted index that each database has in its own way: a ``tsvector`` under GIN in PostgreSQL, FTS5 in
SQLite. Neither is a table of the models.

Revision: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

moment = sa.DateTime(timezone=True)
# A record of a confidential dossier is no more seen than the dossier is.
_CONFIDENTIAL = """
UPDATE record SET confidential = TRUE
WHERE EXISTS (SELECT 1 FROM dossier WHERE dossier.id = record.dossier_id AND dossier.confidential)
"""
# Without a pending list: what is added is found at once at no cost to whoever searches.
_POSTGRESQL = (
    """
    CREATE TABLE record_words (
        number BIGINT PRIMARY KEY REFERENCES indexed_record (number),
        organisation_id VARCHAR(26) NOT NULL,
        words TSVECTOR NOT NULL
    )
    """,
    "CREATE INDEX record_words_index ON record_words USING gin (words) WITH (fastupdate = off)",
)
# Words are made by us, and separated by spaces: the tokenizer has nothing left to decide.
_SQLITE = ("CREATE VIRTUAL TABLE record_words USING fts5(words, detail = none, tokenize = \"ascii tokenchars ':.-'\")",)


def upgrade() -> None:
    """Make the tables, and say which records are confidential."""
    with op.batch_alter_table("record") as record:
        record.add_column(sa.Column("confidential", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(_CONFIDENTIAL)
    op.create_table(
        "indexed_record",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("record_id", sa.String(26), sa.ForeignKey("record.id"), nullable=False),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("producer", sa.String(60), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.UniqueConstraint("record_id"),
    )
    _restitutions()
    _requests()
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)


def _restitutions() -> None:
    op.create_table(
        "restitution",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("asked", moment, nullable=False),
        sa.Column("asked_by", sa.String(40), nullable=False),
        sa.Column("tried", moment),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(500), nullable=False),
        sa.Column("finished", moment),
    )
    op.create_index("ix_restitution_organisation_id", "restitution", ["organisation_id"])


def _requests() -> None:
    op.create_table(
        "reading_request",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
        sa.Column("requester", sa.String(200), nullable=False),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("derogation", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("made", moment, nullable=False),
        sa.Column("made_by", sa.String(40), nullable=False),
        sa.Column("decided", moment),
        sa.Column("decided_by", sa.String(40)),
        sa.Column("answer", sa.String(2000), nullable=False),
        sa.Column("link", sa.String(64), unique=True),
        sa.Column("link_ends", moment),
        sa.Column("given", moment),
    )
    op.create_index("ix_reading_request_organisation_id", "reading_request", ["organisation_id"])
    op.create_table(
        "requested_record",
        sa.Column("request_id", sa.String(26), sa.ForeignKey("reading_request.id"), primary_key=True),
        sa.Column("record_id", sa.String(26), sa.ForeignKey("record.id"), primary_key=True),
        sa.Column("organisation_id", sa.String(26), sa.ForeignKey("organisation.id"), nullable=False),
    )
