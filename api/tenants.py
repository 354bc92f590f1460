"""Which organisation is meant: by SIREN, SIRET or identifier, among those that the principal may know of."""

from __future__ import annotations

from dataclasses import replace

from sqlmodel import Session, col, select

from api.words import messages
from core.errors import NotFound
from core.organisations import Organisation, organisation_of, subtree
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_IDENTIFIER = 26


def organisation_named(platform: Platform, principal: Principal, wanted: str) -> Organisation:
    """Return an organisation.

    Raises:
        UsageError: the number cannot be one.
        NotFound: there is none, or the principal holds no right there: the two are not told apart.
    """
    with platform.database.reading(PLATFORM) as session:
        found = _found(session, wanted.strip())
    if found is None or not (principal.everywhere or found.id in principal.grants):
        raise NotFound(messages("organisation.unknown"))
    return found


def _found(session: Session, wanted: str) -> Organisation | None:
    if len(wanted) == _IDENTIFIER:
        return session.exec(select(Organisation).where(Organisation.id == wanted)).first()
    try:
        return organisation_of(session, wanted)
    except NotFound:
        return None


def below(platform: Platform, organisation: Organisation) -> tuple[str, ...]:
    """Return the identifiers of an organisation and of all below it."""
    with platform.database.reading(PLATFORM) as session:
        return tuple(subtree(session, organisation.path))


def where(platform: Platform, principal: Principal, right: Right) -> list[Organisation]:
    """Return the organisations where a right is held, by name."""
    held = [identifier for identifier in principal.organisations if principal.may(right, identifier)]
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(Organisation).where(col(Organisation.id).in_(held)).order_by(Organisation.name)))


def holding(principal: Principal, *rights: Right) -> Principal:
    """Return the principal as it is where it holds one of these rights, and nowhere else."""
    wanted = frozenset(rights)
    return replace(principal, grants={where: held for where, held in principal.grants.items() if held & wanted})
