"""What people kept to themselves is withheld from software by a fact of its record, and by a word of the index.

Revision: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

_WITHHELD = """
UPDATE record SET withheld = :withheld
WHERE EXISTS (
    SELECT 1 FROM folder
    WHERE folder.dossier_id = record.dossier_id AND folder.author LIKE 'person:%'
    AND NOT (folder.visibility = 'public' AND folder.state <> 'draft')
)
"""
_NUMBERS = """
SELECT number FROM indexed_record JOIN record ON record.id = indexed_record.record_id WHERE record.withheld = :withheld
"""
_WORD_POSTGRESQL = "UPDATE record_words SET words = words || array_to_tsvector(ARRAY['withheld:']) WHERE number IN ({numbers})"
_WORD_SQLITE = "UPDATE record_words SET words = words || 'withheld: ' WHERE rowid IN ({numbers})"


def upgrade() -> None:
    """Add the column, and say which records are withheld."""
    op.add_column("record", sa.Column("withheld", sa.Boolean(), nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    connection.execute(sa.text(_WITHHELD), {"withheld": True})
    words = _WORD_SQLITE if connection.dialect.name == "sqlite" else _WORD_POSTGRESQL
    connection.execute(sa.text(words.format(numbers=_NUMBERS)), {"withheld": True})
