"""Folders of flows are bound: what they hold is not the sending desk's to change.

Revision: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_BOUND = """
UPDATE folder SET bound = :bound
WHERE EXISTS (SELECT 1 FROM dossier WHERE dossier.id = folder.dossier_id AND dossier.flow <> 'document')
"""


def upgrade() -> None:
    """Add the column, and bind the folders whose dossier is not a document of the signing book's own."""
    op.add_column("folder", sa.Column("bound", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.get_bind().execute(sa.text(_BOUND), {"bound": True})
