"""The people that an administrator sees: those who have a role where something is administered; at the root, everybody."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, tuple_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.errors import NotFound
from core.folding import folded
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.people import Membership, Person

_messages = Catalogue("core")
_WORDS = 8


@dataclass(frozen=True, slots=True)
class Page:
    """A page of people, by name.

    Attributes:
        roles: what each has where the administrator looks, by person: role and organisation.
        total: how many there are on all pages.
        after, before: the person from whom the next and the previous page go on, when there is one.
    """

    people: list[Person]
    roles: dict[str, list[tuple[str, str]]]
    total: int
    after: str = ""
    before: str = ""


def sees_everybody(session: Session, administered: Collection[str]) -> bool:
    """Tell whether the platform's root is among the organisations that are administered."""
    roots = session.exec(select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)).all()
    return any(root in administered for root in roots)


def page(session: Session, administered: Collection[str], text: str, size: int, *, after: str = "", before: str = "") -> Page:
    """Return a page of people.

    Args:
        session: of the platform; the narrowing is done here.
        administered: the organisations that the administrator administers.
        text: words that name and address must all hold, whatever their case and accents; empty for everybody.
        size: how many people a page holds.
        after: the last person of the page before.
        before: the first person of the page after.
    """
    wanted = _seen(session, administered)
    for word in folded(text).split()[:_WORDS]:
        wanted = wanted.where(col(Person.sought).contains(word, autoescape=True))
    total = session.exec(select(func.count()).select_from(wanted.subquery())).one()
    place, forwards = tuple_(col(Person.sought), col(Person.id)), not before
    if corner := session.get(Person, after or before):
        here = tuple_(corner.sought, corner.id)
        wanted = wanted.where(place > here if forwards else place < here)
    order = [column.asc() if forwards else column.desc() for column in (col(Person.sought), col(Person.id))]
    found = list(session.exec(wanted.order_by(*order).limit(size + 1)))
    more, found = len(found) > size, found[:size]
    if not forwards:
        found.reverse()
    goes_on, came_from = (more, bool(after)) if forwards else (True, more)
    return Page(
        found,
        _roles(session, administered, [person.id for person in found]),
        total,
        after=found[-1].id if found and goes_on else "",
        before=found[0].id if found and came_from else "",
    )


def person(session: Session, administered: Collection[str], person_id: str) -> Person:
    """Return one of the people that are seen.

    Raises:
        NotFound: nobody, or nobody who is seen from there: not told apart.
    """
    found = session.exec(_seen(session, administered).where(col(Person.id) == person_id)).first()
    if found is None:
        raise NotFound(_messages("person.unseen"))
    return found


def _seen(session: Session, administered: Collection[str]) -> SelectOfScalar[Person]:
    if sees_everybody(session, administered):
        return select(Person)
    there = select(Membership.person_id).where(col(Membership.organisation_id).in_(administered))
    return select(Person).where(col(Person.id).in_(there))


def _roles(session: Session, administered: Collection[str], people: list[str]) -> dict[str, list[tuple[str, str]]]:
    found = select(Membership.person_id, Membership.role, Organisation.name).join(Organisation)
    found = found.where(col(Membership.person_id).in_(people), col(Membership.organisation_id).in_(administered))
    roles: dict[str, list[tuple[str, str]]] = {}
    for person_id, role, name in session.exec(found.order_by(Organisation.path, Membership.role)):
        roles.setdefault(person_id, []).append((role, name))
    return roles
