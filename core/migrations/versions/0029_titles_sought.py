"""The titles of dossiers and folders as they are searched.

Revision: 0029
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
_AT_ONCE = 1000


def upgrade() -> None:
    """Add the columns, and fill them, some rows at a time."""
    for name in ("dossier", "folder"):
        op.add_column(name, sa.Column("sought", sa.String(400), nullable=False, server_default=sa.text("''")))
        _fill(sa.table(name, sa.column("id"), sa.column("title"), sa.column("sought")))


def _fill(table: sa.TableClause) -> None:
    connection = op.get_bind()
    change = table.update().where(table.c.id == sa.bindparam("row")).values(sought=sa.bindparam("words"))
    last = ""
    while True:
        page = sa.select(table.c.id, table.c.title).where(table.c.id > last).order_by(table.c.id).limit(_AT_ONCE)
        rows = connection.execute(page).all()
        if not rows:
            return
        connection.execute(change, [{"row": row.id, "words": _folded(row.title)[:400]} for row in rows])
        last = rows[-1].id


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
