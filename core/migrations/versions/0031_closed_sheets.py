"""Closed attendance sheets keep the names, the titles and the quorum of their day.

Revision: 0031
"""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"
json = sa.JSON().with_variant(JSONB(), "postgresql")
_meeting = sa.table(
    "meeting",
    *(sa.column(name) for name in ("dossier_id", "assembly_id", "second")),
    sa.column("starts", sa.DateTime(timezone=True)),
    sa.column("sheet", json),
)
_member = sa.table(
    "assembly_member",
    *(sa.column(name) for name in ("id", "assembly_id", "rank", "name", "title", "alternate_of")),
    sa.column("until", sa.Date),
)


def upgrade() -> None:
    """Write into the sheets that are closed what was read from the assembly until now."""
    connection = op.get_bind()
    for meeting in connection.execute(sa.select(_meeting).where(_meeting.c.sheet.is_not(None))).all():
        if meeting.sheet is None:  # closed by nobody: JSON's own null
            continue
        wanted = sa.select(_member).where(_member.c.assembly_id == meeting.assembly_id)
        members = connection.execute(wanted.order_by(_member.c.rank, _member.c.id)).all()
        kept = _frozen(meeting, members)
        connection.execute(_meeting.update().where(_meeting.c.dossier_id == meeting.dossier_id).values(sheet=kept))


def _frozen(meeting: Any, members: Any) -> dict[str, Any]:
    day = _utc(meeting.starts).astimezone(ZoneInfo("Europe/Paris")).date()
    titular = sum(not one.alternate_of and (one.until is None or day <= one.until) for one in members)
    told = [
        {"id": one.id, "name": one.name, "title": one.title, **meeting.sheet[one.id]}
        for one in members
        if one.id in meeting.sheet
    ]
    return {"members": told, "quorum": 0 if meeting.second else titular // 2 + 1}


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
