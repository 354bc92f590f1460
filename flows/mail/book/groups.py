"""Groups of contacts: an organisation sends to its own, and to those that an organisation above shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, or_, select

from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.mail.book import reach
from flows.mail.book.models import Contact, ContactGroup, GroupMember

_messages = Catalogue("flows.mail.book")
LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """A group as a list shows it: how many contacts it holds, and whether it is that of an organisation above."""

    group: ContactGroup
    members: int
    inherited: bool


def check(name: str) -> str:
    """Return the name of a group without the spaces around it.

    Raises:
        UsageError: empty, too long, or with what no line holds.
    """
    shown = " ".join(name.split())
    if not shown or len(shown) > LONGEST_NAME or not shown.isprintable():
        raise UsageError(_messages("group.name", most=LONGEST_NAME))
    return shown


def make(platform: Platform, principal: Principal, organisation_id: str, name: str, *, shared: bool = True) -> ContactGroup:
    """Make a group.

    Args:
        platform: its parts.
        principal: who makes it.
        organisation_id: whose.
        name: of the group.
        shared: organisations below may send to it.

    Raises:
        NotFound, Forbidden: see ``reach.require``.
        UsageError: see ``check``.
        Conflict: there is one of that name.
    """
    reach.require(principal, organisation_id)
    group = ContactGroup(organisation_id=organisation_id, name=check(name), shared=shared)
    try:
        with platform.database.writing(principal) as session:
            session.add(group)
    except IntegrityError as error:
        raise Conflict(_messages("group.there", name=group.name)) from error
    return group


def change(platform: Platform, principal: Principal, group_id: str, name: str, *, shared: bool) -> None:
    """Rename a group, share it or keep it to its organisation.

    Raises:
        NotFound: there is none, or not here; Forbidden: see ``reach.require``.
        UsageError, Conflict: see ``make``.
    """
    called = check(name)
    try:
        with platform.database.writing(principal) as session:
            group = _own(session, principal, group_id)
            group.name, group.shared = called, shared
    except IntegrityError as error:
        raise Conflict(_messages("group.there", name=called)) from error


def delete(platform: Platform, principal: Principal, group_id: str) -> None:
    """Delete a group; its contacts stay, and so does whatever was sent to them.

    Raises:
        NotFound, Forbidden: see ``change``.
    """
    with platform.database.writing(principal) as session:
        group = _own(session, principal, group_id)
        for membership in session.exec(select(GroupMember).where(GroupMember.group_id == group.id)):
            session.delete(membership)
        session.flush()
        session.delete(group)


def put(platform: Platform, principal: Principal, group_id: str, contact_ids: Sequence[str]) -> int:
    """Put contacts into a group, its organisation's or those from above; return how many were not in it yet.

    Raises:
        NotFound: no such group, or a contact that its organisation does not reach; Forbidden: see ``reach.require``.
    """
    wanted = list(dict.fromkeys(contact_ids))
    with platform.database.writing(principal) as session:
        group = _own(session, principal, group_id)
        with platform.database.reading(PLATFORM) as whole:
            reached = reach.above(whole, group.organisation_id)
            there = select(Contact.id).where(col(Contact.id).in_(wanted), col(Contact.organisation_id).in_(reached))
            if len(whole.exec(there).all()) != len(wanted):
                raise NotFound(_messages("contact.unknown"))
        held = set(session.exec(select(GroupMember.contact_id).where(GroupMember.group_id == group.id)))
        fresh = [one for one in wanted if one not in held]
        for contact_id in fresh:
            session.add(GroupMember(group_id=group.id, contact_id=contact_id, organisation_id=group.organisation_id))
    return len(fresh)


def take_out(platform: Platform, principal: Principal, group_id: str, contact_id: str) -> None:
    """Take a contact out of a group; the contact stays in the book.

    Raises:
        NotFound: no such group, or the contact is not in it; Forbidden: see ``reach.require``.
    """
    with platform.database.writing(principal) as session:
        group = _own(session, principal, group_id)
        membership = session.exec(
            select(GroupMember).where(GroupMember.group_id == group.id, GroupMember.contact_id == contact_id)
        ).first()
        if membership is None:
            raise NotFound(_messages("contact.unknown"))
        session.delete(membership)


def _own(session: ScopedSession, principal: Principal, group_id: str) -> ContactGroup:
    found = session.exec(select(ContactGroup).where(ContactGroup.id == group_id)).first()
    if found is None:
        raise NotFound(_messages("group.unknown"))
    reach.require(principal, found.organisation_id)
    return found


def reached(platform: Platform, principal: Principal, organisation_id: str) -> list[SeenGroup]:
    """Return the groups that an organisation may send to, by name.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    with reach.opened(platform, principal, organisation_id) as session:
        wanted = select(ContactGroup).where(_open_to(reach.above(session, organisation_id), organisation_id))
        groups = list(session.exec(wanted.order_by(col(ContactGroup.name), col(ContactGroup.id))))
        counted = select(GroupMember.group_id, func.count()).where(col(GroupMember.group_id).in_([one.id for one in groups]))
        sizes = dict(session.exec(counted.group_by(col(GroupMember.group_id))).all())
    return [SeenGroup(one, sizes.get(one.id, 0), one.organisation_id != organisation_id) for one in groups]


def one(platform: Platform, principal: Principal, organisation_id: str, group_id: str) -> tuple[SeenGroup, tuple[Contact, ...]]:
    """Return a group that an organisation may send to, and its contacts by name, as they are now.

    Raises:
        NotFound: there is none that it may send to; Forbidden: see ``reach.opened``.
    """
    with reach.opened(platform, principal, organisation_id) as session:
        open_to = _open_to(reach.above(session, organisation_id), organisation_id)
        group = session.exec(select(ContactGroup).where(ContactGroup.id == group_id, open_to)).first()
        if group is None:
            raise NotFound(_messages("group.unknown"))
        held = select(Contact).join(GroupMember, col(GroupMember.contact_id) == col(Contact.id))
        members = tuple(session.exec(held.where(GroupMember.group_id == group.id).order_by(col(Contact.sought))))
    return SeenGroup(group, len(members), group.organisation_id != organisation_id), members


def _open_to(reached_from: Sequence[str], organisation_id: str) -> ColumnElement[bool]:
    """Return the condition under which a group serves an organisation."""
    from_above = col(ContactGroup.organisation_id).in_(reached_from) & col(ContactGroup.shared).is_(True)
    return or_(col(ContactGroup.organisation_id) == organisation_id, from_above)
