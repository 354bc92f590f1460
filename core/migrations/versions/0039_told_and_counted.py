"""A task knows when its desk was told that its day had passed, and an event of a mail how often the like of it came again.

Revision: 0039
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"

moment = sa.DateTime(timezone=True)
_TOLD = """
UPDATE folder_task SET alerted = told.latest
FROM (
    SELECT folder_id, desk_id, max(created) AS latest FROM folder_notice WHERE category = 'late' GROUP BY folder_id, desk_id
) AS told
WHERE told.folder_id = folder_task.folder_id AND told.desk_id = folder_task.desk_id
    AND told.latest >= folder_task.opened AND folder_task.state = 'open'
"""


def upgrade() -> None:
    """Add the columns; what was told is known from the notices that were written since each open task opened."""
    op.add_column("folder_task", sa.Column("alerted", moment))
    op.execute(sa.text(_TOLD))
    op.add_column("mail_event", sa.Column("again", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mail_event", sa.Column("again_at", moment))
