"""The tree of organisations: platform → collectivité → service. Everything belongs to one of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Column
from sqlmodel import Field, Session, SQLModel, col, select

from core import clock
from core.database import UtcDateTime
from core.errors import NotFound
from core.identifiers import Siren, Siret, new_id
from core.messages import Catalogue

_messages = Catalogue("core")


class OrganisationKind(StrEnum):
    """The levels of the tree."""

    PLATFORM = "platform"
    COLLECTIVITE = "collectivite"
    SERVICE = "service"


class Organisation(SQLModel, table=True):
    """A node of the tree.

    Attributes:
        path: identifiers from the root to this node, each between slashes, so that a subtree is a prefix.
        kind: one of ``OrganisationKind``.
        siren: nine digits; empty for the platform itself when it has none.
        siret: fourteen digits, when the organisation is an establishment.
    """

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    parent_id: str | None = Field(default=None, foreign_key="organisation.id", max_length=26, index=True)
    path: str = Field(max_length=255, index=True, unique=True)
    kind: str = Field(max_length=20)
    name: str = Field(max_length=200)
    siren: str | None = Field(default=None, max_length=9, index=True)
    siret: str | None = Field(default=None, max_length=14, index=True)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


def add_organisation(
    session: Session,
    name: str,
    kind: OrganisationKind,
    *,
    parent: Organisation | None = None,
    siret: Siret | None = None,
    siren: Siren | None = None,
) -> Organisation:
    """Add a node below its parent; the SIREN comes from the SIRET when only that is given."""
    identifier = new_id()
    organisation = Organisation(
        id=identifier,
        parent_id=parent.id if parent else None,
        path=f"{parent.path if parent else '/'}{identifier}/",
        kind=kind,
        name=name,
        siren=siren or (siret.siren if siret else None),
        siret=siret,
    )
    session.add(organisation)
    session.flush()
    return organisation


def organisation_of(session: Session, number: str) -> Organisation:
    """Return the organisation of a SIREN or SIRET; of a SIREN, the highest in the tree.

    Raises:
        UsageError: the number is neither a SIREN nor a SIRET.
        NotFound: no such organisation here.
    """
    digits = "".join(number.split())
    wanted = Organisation.siret == Siret(digits) if len(digits) == Siret.length else Organisation.siren == Siren(digits)
    found = session.exec(select(Organisation).where(wanted).order_by(Organisation.path)).first()
    if found is None:
        raise NotFound(_messages("organisation.unknown", number=digits))
    return found


def subtree(session: Session, root_path: str) -> list[str]:
    """Return the identifiers of a node and of all below it."""
    return list(session.exec(select(Organisation.id).where(col(Organisation.path).startswith(root_path))))
