"""Roles: named sets of rights. Some are built in; an organisation may define its own, for itself and for all below it.

A membership names its role, so that a role that changes changes what its holders may do. Who holds which is in ``people``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, Session, col, select

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.principal import Principal, Right

_messages = Catalogue("core")
_LONGEST = 60
OPERATOR = "exploitant"
BUILT_IN: Mapping[str, frozenset[Right]] = {
    "agent": frozenset({Right.READ, Right.DEPOSIT}),
    "signataire": frozenset({Right.ACT}),
    "archiviste": frozenset({Right.READ, Right.ARCHIVE}),
    "contrôleur": frozenset({Right.CONTROL}),
    "administrateur": frozenset({Right.READ, Right.ADMINISTER}),
    OPERATOR: frozenset({Right.OPERATE, Right.SURVEY, Right.ADMINISTER}),
}


class Role(Owned, table=True):
    """A role that an organisation defined."""

    __table_args__ = (UniqueConstraint("organisation_id", "name", name="role_of_organisation"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    name: str = Field(max_length=_LONGEST)
    rights: list[str] = Field(sa_column=Column(JsonValue, nullable=False))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


def roles_at(session: Session, organisation: Organisation) -> dict[str, frozenset[Right]]:
    """Return the roles that can be given in an organisation: built in, then its own and those of the organisations above."""
    built_in = {
        name: rights for name, rights in BUILT_IN.items() if name != OPERATOR or organisation.kind == OrganisationKind.PLATFORM
    }
    return built_in | defined_at(session, organisation.path)


def defined_at(session: Session, path: str) -> dict[str, frozenset[Right]]:
    """Return the roles defined on a path of the tree; the nearest definition of a name holds."""
    above = path.strip("/").split("/")
    found = session.exec(select(Role).where(col(Role.organisation_id).in_(above))).all()
    ordered = sorted(found, key=lambda role: above.index(role.organisation_id))
    return {role.name: frozenset(Right(right) for right in role.rights) for role in ordered}


def rights_of(session: Session, organisation: Organisation, role: str) -> frozenset[Right]:
    """Return the rights that a role gives in an organisation.

    Raises:
        NotFound: there is no such role there; the message names those that are.
    """
    known = roles_at(session, organisation)
    if role not in known:
        raise NotFound(_messages("role.unknown", found=role[:_LONGEST], known=", ".join(known)))
    return known[role]


def require_over(principal: Principal, organisation: Organisation, rights: Collection[Right]) -> None:
    """Go on only if the principal administers the organisation: to administer is to say who may do what there.

    Raises:
        Forbidden: they do not; or exploitation, or the control of the State over the archives, is to be given or taken over,
            which is for those who exploit there: whoever is controlled does not choose who controls.
    """
    principal.require(Right.ADMINISTER, organisation.id)
    if not {Right.OPERATE, Right.CONTROL}.isdisjoint(rights) and not principal.may(Right.OPERATE, organisation.id):
        raise Forbidden(_messages("role.beyond", name=organisation.name))


def require_all_held(principal: Principal, organisation: Organisation, rights: Collection[Right]) -> None:
    """Go on only if the principal holds there whatever somebody holds whose account they would take over.

    Raises:
        Forbidden: a new password for somebody who signs, made by somebody who does not, would let them sign in that name.
    """
    require_over(principal, organisation, rights)
    if not all(principal.may(right, organisation.id) for right in rights):
        raise Forbidden(_messages("role.beyond", name=organisation.name))


def define(session: Session, principal: Principal, organisation: Organisation, name: str, rights: Collection[Right]) -> Role:
    """Add a role to an organisation.

    Raises:
        Forbidden: the principal does not administer it, or does not hold these rights there.
        UsageError: the name is not fit, or there is no right.
        Conflict: the name is taken.
    """
    called = _fit(name, rights)
    require_over(principal, organisation, rights)
    if called in BUILT_IN or called in defined_at(session, organisation.path):
        raise Conflict(_messages("role.taken", name=called))
    role = Role(organisation_id=organisation.id, name=called, rights=sorted(rights))
    session.add(role)
    session.flush()
    return role


def change(session: Session, principal: Principal, role: Role, rights: Collection[Right]) -> None:
    """Change what a role gives, to all who hold it.

    Raises:
        Forbidden: the principal does not hold what it gives, or gave.
        UsageError: there is no right.
    """
    _fit(role.name, rights)
    organisation = session.get_one(Organisation, role.organisation_id)
    require_over(principal, organisation, {*rights, *map(Right, role.rights)})
    role.rights = sorted(rights)


def _fit(name: str, rights: Collection[Right]) -> str:
    called = " ".join(name.split())
    if not (0 < len(called) <= _LONGEST and called.isprintable()):
        raise UsageError(_messages("role.name", longest=_LONGEST))
    if not rights:
        raise UsageError(_messages("role.empty"))
    return called
