"""People, the roles they hold in organisations, and their web sessions."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import Column
from sqlmodel import Field, Session, SQLModel, select

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Unauthenticated
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.principal import Principal, Right

_messages = Catalogue("core")
_hasher = PasswordHasher()
# Verified when nobody has the address, so that an unknown address takes as long to refuse as a wrong password.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))
SESSION_LIFETIME = timedelta(hours=8)


class Person(SQLModel, table=True):
    """Somebody who signs in."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    email: str = Field(max_length=254, unique=True)
    name: str = Field(max_length=120)
    password_hash: str = Field(max_length=255)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class Membership(Owned, table=True):
    """A role, that is a set of rights, held by a person in an organisation and in all below it."""

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    role: str = Field(max_length=60)
    rights: list[str] = Field(sa_column=Column(JsonValue, nullable=False))


class WebSession(SQLModel, table=True):
    """A signed-in browser; the cookie's value is kept as a digest only."""

    __tablename__ = "web_session"

    digest: str = Field(primary_key=True, max_length=64)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    csrf: str = Field(max_length=64)
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


def add_person(session: Session, email: str, name: str, password: str) -> Person:
    """Add a person; the password is kept as an Argon2id hash."""
    person = Person(email=email.strip().lower(), name=name, password_hash=_hasher.hash(password))
    session.add(person)
    session.flush()
    return person


def grant_role(session: Session, person: Person, organisation: Organisation, role: str, rights: set[Right]) -> None:
    """Give a person a role in an organisation and in all below it."""
    session.add(Membership(organisation_id=organisation.id, person_id=person.id, role=role, rights=sorted(rights)))


def sign_in(session: Session, email: str, password: str) -> tuple[str, WebSession]:
    """Open a web session; return the cookie's value and the session.

    Raises:
        Unauthenticated: unknown address or wrong password; the message does not say which.
    """
    person = session.exec(select(Person).where(Person.email == email.strip().lower())).first()
    try:
        _hasher.verify(person.password_hash if person else _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError) as error:
        raise Unauthenticated(_messages("person.unknown")) from error
    if person is None:
        raise Unauthenticated(_messages("person.unknown"))
    cookie = secrets.token_urlsafe(32)
    opened = WebSession(
        digest=_digest(cookie),
        person_id=person.id,
        csrf=secrets.token_urlsafe(32),
        expires=clock.now() + SESSION_LIFETIME,
    )
    session.add(opened)
    return cookie, opened


def sign_out(session: Session, cookie: str) -> None:
    """Close a web session, if it is still open."""
    if opened := session.get(WebSession, _digest(cookie)):
        session.delete(opened)


def person_behind(session: Session, cookie: str) -> tuple[Principal, WebSession]:
    """Return who is behind a cookie, with their rights.

    Raises:
        Unauthenticated: no such session, or it has expired.
    """
    opened = session.get(WebSession, _digest(cookie))
    if opened is None or opened.expires <= clock.now():
        raise Unauthenticated(_messages("person.session_expired"))
    person = session.get(Person, opened.person_id)
    if person is None:
        raise Unauthenticated(_messages("person.gone"))
    return principal_of(session, person), opened


def principal_of(session: Session, person: Person) -> Principal:
    """Return the principal of a person: every organisation of every subtree in which a role is held."""
    grants: dict[str, frozenset[Right]] = {}
    held = session.exec(select(Membership, Organisation.path).join(Organisation).where(Membership.person_id == person.id)).all()
    for membership, path in held:
        rights = frozenset(Right(right) for right in membership.rights)
        for identifier in subtree(session, path):
            grants[identifier] = grants.get(identifier, frozenset()) | rights
    return Principal(f"person:{person.id}", grants, name=person.name)


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
