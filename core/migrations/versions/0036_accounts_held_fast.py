"""A role is held once, a link says who made it, and the use of an upload is claimed before it is over.

Links that wait end with this migration: who made them was not kept, and can be made again.

Revision: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Leave the first of each role that is held twice, and begin the links anew."""
    held = sa.table("membership", sa.column("id"), sa.column("person_id"), sa.column("organisation_id"), sa.column("role"))
    first = sa.select(sa.func.min(held.c.id)).group_by(held.c.person_id, held.c.organisation_id, held.c.role)
    op.execute(held.delete().where(held.c.id.not_in(first)))
    op.create_index("membership_once", "membership", ["person_id", "organisation_id", "role"], unique=True)
    op.drop_table("invitation")
    op.create_table(
        "invitation",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("maker", sa.String(40), nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_invitation_person_id", "invitation", ["person_id"])
    op.add_column("upload", sa.Column("claimed", moment))
