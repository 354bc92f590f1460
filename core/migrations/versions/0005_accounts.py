"""Accounts: roles of organisations, second factors, invitations, sessions that end when unused, tries that are counted.

Sessions that were open end with this migration: what they lack cannot be made up.

Revision: 0005
"""

import unicodedata

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

moment = sa.DateTime(timezone=True)
json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Add what a person is known by, and the tables around it."""
    for name, longest in (("sought", 400), ("language", 2), ("density", 10)):
        op.add_column("person", sa.Column(name, sa.String(longest), nullable=False, server_default=sa.text("''")))
    op.add_column("person", sa.Column("suspended", moment))
    op.create_index("ix_person_sought", "person", ["sought"])
    _fill_sought()
    _sessions()
    _roles_and_links()
    _second_factors()


def _fill_sought() -> None:
    person = sa.table("person", sa.column("id"), sa.column("name"), sa.column("email"), sa.column("sought"))
    connection = op.get_bind()
    for identifier, name, email in connection.execute(sa.select(person.c.id, person.c.name, person.c.email)).all():
        apart = unicodedata.normalize("NFKD", f"{name} {email}".casefold())
        folded = "".join(sign for sign in apart if not unicodedata.combining(sign))[:400]
        connection.execute(person.update().where(person.c.id == identifier).values(sought=folded))


def _sessions() -> None:
    op.drop_table("web_session")
    op.create_table(
        "web_session",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("opened", moment, nullable=False),
        sa.Column("seen", moment, nullable=False),
        sa.Column("expires", moment, nullable=False),
        sa.Column("device", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("ix_web_session_person_id", "web_session", ["person_id"])
    _digests("unfinished_sign_in", expires=True)
    op.create_table(
        "lockout",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", moment),
        sa.Column("last", moment, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_lockout_last", "lockout", ["last"])


def _roles_and_links() -> None:
    op.create_table(
        "role",
        sa.Column("organisation_id", sa.String(26), nullable=False),
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("rights", json, nullable=False),
        sa.Column("created", moment, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation_id", "name", name="role_of_organisation"),
    )
    op.create_index("ix_role_organisation_id", "role", ["organisation_id"])
    _digests("invitation", expires=True)


def _second_factors() -> None:
    op.create_table(
        "second_factor",
        sa.Column("person_id", sa.String(26), nullable=False),
        sa.Column("encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", moment),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("person_id"),
    )
    _digests("recovery_code", expires=False)


def _digests(table: str, *, expires: bool) -> None:
    """Make a table of secrets of people, known by their digests."""
    op.create_table(
        table,
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("person_id", sa.String(26), nullable=False),
        *([sa.Column("expires", moment, nullable=False)] if expires else []),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(f"ix_{table}_person_id", table, ["person_id"])
