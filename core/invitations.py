"""Links by which a person chooses a password: the first one, or one in place of a lost one. Each serves once, for a week.

A link serves as long as whoever made it could make it: of rights that were given to the person, or taken from its maker, after
it was made, it opens none.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Column, delete
from sqlmodel import Field, Session, SQLModel, col

from core import clock, journal, lockout, web_sessions
from core.database import UtcDateTime
from core.errors import NotFound
from core.messages import Catalogue
from core.people import Person, choose_password, home, principal_of
from core.principal import Principal
from core.reach import may_be_invited

LIFETIME = timedelta(days=7)
_messages = Catalogue("core")


class Invitation(SQLModel, table=True):
    """A link that was handed over and has not served; its secret is kept as a digest only.

    Attributes:
        maker: who made it, as the journal names actors.
    """

    digest: str = Field(primary_key=True, max_length=64)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    maker: str = Field(max_length=40)
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


def issue(session: Session, person: Person, maker: Principal) -> str:
    """Return the secret of a fresh link, of 256 bits; an earlier one of the same person opens nothing any more."""
    secret = secrets.token_urlsafe(32)
    session.execute(delete(Invitation).where(col(Invitation.person_id) == person.id))
    expires = clock.now() + LIFETIME
    session.add(Invitation(digest=_digest(secret), person_id=person.id, maker=maker.actor, expires=expires))
    session.flush()
    return secret


def invited(session: Session, secret: str) -> Person:
    """Return whose link it is.

    Raises:
        NotFound: unknown, used or expired, the account was suspended, or its maker could not make it any more; not told apart.
    """
    found = session.get(Invitation, _digest(secret))
    person = session.get(Person, found.person_id) if found and found.expires > clock.now() else None
    if found is None or person is None or person.suspended:
        raise NotFound(_messages("invitation.unknown"))
    maker = _principal(session, found.maker)
    if maker is None or not may_be_invited(session, maker, person):
        raise NotFound(_messages("invitation.unknown"))
    return person


def _principal(session: Session, actor: str) -> Principal | None:
    """Return who an actor is at this moment; None for a person who is no more, or is suspended."""
    kind, _, identifier = actor.partition(":")
    if kind != "person":
        return Principal(actor, everywhere=True)  # the machine's operator, from a terminal
    maker = session.get(Person, identifier)
    return None if maker is None or maker.suspended else principal_of(session, maker)


def accept(session: Session, secret: str, password: str) -> Person:
    """Keep the password that an invited person chose; the link has served, and every session that was open is closed.

    Raises:
        NotFound: unknown, used or expired.
        UsageError: the password is too weak; the link still serves.
    """
    person = invited(session, secret)
    choose_password(person, password)
    taken = session.execute(delete(Invitation).where(col(Invitation.digest) == _digest(secret)))
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise NotFound(_messages("invitation.unknown"))
    web_sessions.close_of(session, person.id)
    lockout.unlock(session, person.email)
    if organisation_id := home(session, person.id):
        facts = {"person": person.id}
        journal.write(
            session, organisation_id=organisation_id, kind="person.password_chosen", actor=f"person:{person.id}", facts=facts
        )
    return person


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
