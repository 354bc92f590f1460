"""How far a book reaches: an organisation uses its own, and those of the organisations above it; it changes its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import Session, select

from core.database import ScopedSession
from core.errors import Forbidden, NotFound
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("flows.mail.book")


def above(session: Session, organisation_id: str) -> tuple[str, ...]:
    """Return the identifiers of an organisation and of those above it, the highest first; none when there is no such one."""
    path = session.exec(select(Organisation.path).where(Organisation.id == organisation_id)).first()
    return tuple(path.strip("/").split("/")) if path else ()


@contextmanager
def opened(platform: Platform, principal: Principal, organisation_id: str) -> Iterator[ScopedSession]:
    """Open a session that reads what an organisation may use; what belongs to others must be left out by the query.

    Raises:
        Forbidden: the principal neither reads nor sends there.
    """
    if not (principal.may(Right.READ, organisation_id) or principal.may(Right.DEPOSIT, organisation_id)):
        raise Forbidden(_messages("forbidden"))
    with platform.database.reading(PLATFORM) as session:
        yield session


def require(principal: Principal, organisation_id: str) -> None:
    """Go on only if the principal may change the book of an organisation: whoever sends for it may.

    Raises:
        NotFound: the principal holds no right there, and is not told whether it is.
        Forbidden: the principal does not send for it.
    """
    if not (principal.everywhere or organisation_id in principal.grants):
        raise NotFound(_messages("unknown"))
    if not principal.may(Right.DEPOSIT, organisation_id):
        raise Forbidden(_messages("forbidden"))
