"""People, and the roles that they hold in organisations. How they sign in is in ``door``; their sessions in ``web_sessions``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Column, Index, text
from sqlmodel import Field, Session, SQLModel, select

from core import clock, passwords, roles
from core.database import JsonValue, Owned, UtcDateTime
from core.errors import Unauthenticated, UsageError
from core.folding import folded
from core.identifiers import new_id
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind, subtree
from core.principal import Principal, Right

_messages = Catalogue("core")
_LONGEST_ADDRESS = 254
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class Person(SQLModel, table=True):
    """Somebody who signs in.

    Attributes:
        password_hash: empty until the person has chosen a password.
        sought: name and address as they are searched and sorted: small letters, without accents.
        language: ``fr``, ``en``, or nothing: that of the browser.
        density: ``compact``, or nothing: comfortable.
        suspended: since when the person may not sign in.
    """

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    email: str = Field(max_length=_LONGEST_ADDRESS, unique=True)
    name: str = Field(max_length=120)
    password_hash: str = Field(max_length=255)
    sought: str = Field(default="", max_length=400, index=True, sa_column_kwargs={"server_default": text("''")})
    language: str = Field(default="", max_length=2, sa_column_kwargs={"server_default": text("''")})
    density: str = Field(default="", max_length=10, sa_column_kwargs={"server_default": text("''")})
    suspended: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class Membership(Owned, table=True):
    """A role held by a person in an organisation and in all below it.

    Attributes:
        role: a name of ``roles``, or any other when the rights stand here.
        rights: those given whatever the role says; empty, those of the role as it is now.
    """

    __table_args__ = (Index("membership_once", "person_id", "organisation_id", "role", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    role: str = Field(max_length=60)
    rights: list[str] = Field(sa_column=Column(JsonValue, nullable=False))


def add_person(session: Session, email: str, name: str, password: str | None) -> Person:
    """Add a person; the password is kept as an Argon2id hash; without one, the person chooses it later by a link.

    Raises:
        UsageError: the password is too weak.
    """
    address = normal_address(email)
    if password is not None:
        passwords.check(password, name, address)
    person = Person(email=address, name=name, password_hash="" if password is None else passwords.hashed(password))
    rename(person, name)
    session.add(person)
    session.flush()
    return person


def with_address(session: Session, email: str) -> Person | None:
    """Return whoever has an address, if anybody does."""
    return session.exec(select(Person).where(Person.email == normal_address(email))).first()


def normal_address(email: str) -> str:
    """Return an address as it is kept."""
    return email.strip().lower()


def check_address(email: str) -> None:
    """Go on only if an address can be one.

    Raises:
        UsageError: it cannot.
    """
    if len(email) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(email.strip()):
        raise UsageError(_messages("person.address"))


def rename(person: Person, name: str) -> None:
    """Give a person another name."""
    person.name, person.sought = name, folded(f"{name} {person.email}")[:400]


def choose_password(person: Person, password: str) -> None:
    """Keep another password.

    Raises:
        UsageError: it is too weak.
    """
    passwords.check(password, person.name, person.email)
    person.password_hash = passwords.hashed(password)


def grant_role(
    session: Session, person: Person, organisation: Organisation, role: str, rights: Iterable[Right] = ()
) -> Membership:
    """Give a person a role in an organisation and in all below it; without rights of its own it gives those of its name."""
    held = Membership(organisation_id=organisation.id, person_id=person.id, role=role, rights=sorted(rights))
    session.add(held)
    return held


def sign_in(session: Session, email: str, password: str) -> Person:
    """Return whoever an address and a password name.

    Raises:
        Unauthenticated: unknown address or wrong password, which the message does not tell apart; or a suspended account.
    """
    person = with_address(session, email)
    if not passwords.matches(person.password_hash if person else None, password) or person is None:
        raise Unauthenticated(_messages("person.unknown"))
    if person.suspended:
        raise Unauthenticated(_messages("person.suspended"))
    return person


def memberships(session: Session, person_id: str) -> list[tuple[Membership, Organisation]]:
    """Return the roles of a person with where they are held, from the top of the tree down."""
    held = select(Membership, Organisation).join(Organisation).where(Membership.person_id == person_id)
    return list(session.exec(held.order_by(Organisation.path, Membership.role)).all())


def rights_given(session: Session, membership: Membership, organisation: Organisation) -> frozenset[Right]:
    """Return the rights that a membership gives at this moment; a role that is no more gives none."""
    if membership.rights:
        return frozenset(Right(right) for right in membership.rights)
    if membership.role in roles.BUILT_IN:
        return roles.BUILT_IN[membership.role]
    return roles.defined_at(session, organisation.path).get(membership.role, frozenset())


def principal_of(session: Session, person: Person) -> Principal:
    """Return the principal of a person: every organisation of every subtree in which a role is held."""
    grants: dict[str, frozenset[Right]] = {}
    for membership, organisation in memberships(session, person.id):
        rights = rights_given(session, membership, organisation)
        for identifier in subtree(session, organisation.path):
            grants[identifier] = grants.get(identifier, frozenset()) | rights
    return Principal(f"person:{person.id}", grants, name=person.name)


def home(session: Session, person_id: str) -> str | None:
    """Return the organisation in whose journal stands what happens to a person: the highest of theirs, else the platform."""
    held = memberships(session, person_id)
    if held:
        return held[0][1].id
    root = select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM).order_by(Organisation.path)
    return session.exec(root).first()
