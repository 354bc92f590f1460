"""Contacts: kept once an address in an organisation, searched with those of the organisations above."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.folding import folded
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.engine.reading import counted
from flows.mail.book import reach
from flows.mail.book.models import Contact, ContactGroup, GroupMember
from schemas.mail import addresses

_messages = Catalogue("flows.mail.book")
LONGEST_NAME, LONGEST_NOTE = 200, 500


@dataclass(frozen=True, slots=True)
class Told:
    """A contact as somebody writes it."""

    address: str
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: just after this contact."""

    sought: str
    id: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, by name.

    Attributes:
        after: where the next one starts; None on the last.
    """

    contacts: tuple[Contact, ...]
    after: Place | None


def check(told: Told) -> Told:
    """Return a contact without the spaces around what was written; without a name, its address is its name.

    Raises:
        UsageError: the address is none, a text is too long or holds what no line of a mail may.
    """
    name, note, address = " ".join(told.name.split()), " ".join(told.note.split()), told.address.strip()
    addresses.check(address)
    for text, most in ((name, LONGEST_NAME), (note, LONGEST_NOTE)):
        if len(text) > most:
            raise UsageError(_messages("text.long", most=most, found=len(text)))
        if not text.isprintable():
            raise UsageError(_messages("text.control"))
    return Told(address, name or address, note)


def add(platform: Platform, principal: Principal, organisation_id: str, told: Told) -> Contact:
    """Add a contact to the book of an organisation.

    Raises:
        NotFound, Forbidden: see ``reach.require``.
        UsageError: see ``check``.
        Conflict: the address is there already.
    """
    reach.require(principal, organisation_id)
    added = made(organisation_id, check(told))
    try:
        with platform.database.writing(principal) as session:
            session.add(added)
    except IntegrityError as error:
        raise Conflict(_messages("contact.there", address=added.address)) from error
    return added


def made(organisation_id: str, told: Told) -> Contact:
    """Return the row of a contact that was checked."""
    row = Contact(organisation_id=organisation_id, name="", address="", normal="", sought="")
    write(row, told)
    return row


def write(contact: Contact, told: Told) -> None:
    """Write what was told, and checked, into a contact; another address has not bounced yet."""
    normal = addresses.normal(told.address)
    if normal != contact.normal:
        contact.bounced = None
    contact.name, contact.address, contact.normal, contact.note = told.name, told.address, normal, told.note
    contact.sought = folded(f"{told.name} {told.address}")[:500]


def change(platform: Platform, principal: Principal, contact_id: str, told: Told) -> Contact:
    """Mend a contact; a send that is on its way keeps the address that it left with.

    Raises:
        NotFound: there is none, or not here; Forbidden: see ``reach.require``.
        UsageError: see ``check``.
        Conflict: another contact has that address.
    """
    checked = check(told)
    try:
        with platform.database.writing(principal) as session:
            contact = own(session, principal, contact_id)
            write(contact, checked)
    except IntegrityError as error:
        raise Conflict(_messages("contact.there", address=checked.address)) from error
    return contact


def confirm(platform: Platform, principal: Principal, contact_id: str) -> None:
    """Note that an address from which mails came back is right all the same.

    Raises:
        NotFound, Forbidden: see ``change``.
    """
    with platform.database.writing(principal) as session:
        own(session, principal, contact_id).bounced = None


def delete(platform: Platform, principal: Principal, contact_id: str) -> None:
    """Delete a contact that is in no group; what was sent to it stays as it is.

    Raises:
        NotFound, Forbidden: see ``change``.
        Conflict: it is in a group.
    """
    try:
        with platform.database.writing(principal) as session:
            contact = own(session, principal, contact_id)
            _refuse_grouped(platform, contact)
            session.delete(contact)
    except IntegrityError as error:  # put into a group at this very moment
        raise Conflict(_messages("contact.grouped.below")) from error


def _refuse_grouped(platform: Platform, contact: Contact) -> None:
    # A group of an organisation below may hold it too, which whoever deletes need not see: its name is not told.
    with platform.database.reading(PLATFORM) as whole:
        held = groups_of(whole, contact.id)
    names = ", ".join(one.name for one in held if one.organisation_id == contact.organisation_id)
    if names:
        raise Conflict(_messages("contact.grouped", groups=names))
    if held:
        raise Conflict(_messages("contact.grouped.below"))


def own(session: ScopedSession, principal: Principal, contact_id: str) -> Contact:
    """Return a contact that the principal may change.

    Raises:
        NotFound, Forbidden: see ``change``.
    """
    found = session.exec(select(Contact).where(Contact.id == contact_id)).first()
    if found is None:
        raise NotFound(_messages("contact.unknown"))
    reach.require(principal, found.organisation_id)
    return found


def groups_of(session: Session, contact_id: str) -> list[ContactGroup]:
    """Return the groups that a contact is in, by name."""
    held = select(ContactGroup).join(GroupMember, col(GroupMember.group_id) == col(ContactGroup.id))
    return list(session.exec(held.where(GroupMember.contact_id == contact_id).order_by(ContactGroup.name)))


def search(
    platform: Platform,
    principal: Principal,
    organisation_id: str,
    text: str = "",
    *,
    after: Place | None = None,
    limit: int = 50,
    bounced: bool = False,
) -> Page:
    """Return contacts that an organisation may write to, by name: its own and those from above.

    Args:
        platform: its parts.
        principal: who looks.
        organisation_id: for whom.
        text: words, each of which the name or the address must hold; capitals and accents do not count.
        after: where the page starts.
        limit: of the page.
        bounced: only those whose mails came back.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    here = tuple_(col(Contact.sought), col(Contact.id))
    with reach.opened(platform, principal, organisation_id) as session:
        wanted = _sought(session, organisation_id, text, bounced=bounced)
        if after is not None:
            wanted = wanted.where(here > tuple_(after.sought, after.id))
        found = list(session.exec(wanted.order_by(col(Contact.sought), col(Contact.id)).limit(limit + 1)))
    shown = found[:limit]
    return Page(tuple(shown), Place(shown[-1].sought, shown[-1].id) if len(found) > limit else None)


def how_many(
    platform: Platform, principal: Principal, organisation_id: str, text: str, *, bounced: bool = False
) -> tuple[int, bool]:
    """Return how many contacts ``search`` finds in all, as ``flows.engine.reading.counted`` counts.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    with reach.opened(platform, principal, organisation_id) as session:
        return counted(session, _sought(session, organisation_id, text, bounced=bounced))


def _sought(session: ScopedSession, organisation_id: str, text: str, *, bounced: bool) -> SelectOfScalar[Contact]:
    wanted = select(Contact).where(col(Contact.organisation_id).in_(reach.above(session, organisation_id)))
    for word in folded(text).split()[:10]:
        wanted = wanted.where(col(Contact.sought).contains(word, autoescape=True))
    return wanted.where(col(Contact.bounced).is_not(None)) if bounced else wanted


def known(platform: Platform, principal: Principal, organisation_id: str, normals: Collection[str]) -> dict[str, Contact]:
    """Return the contacts of some addresses, by address as it is compared; that of the nearest organisation counts.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    found: dict[str, Contact] = {}
    wanted = sorted(set(normals))
    with reach.opened(platform, principal, organisation_id) as session:
        reached = reach.above(session, organisation_id)
        for first in range(0, len(wanted), 500):
            some = wanted[first : first + 500]
            rows = select(Contact).where(col(Contact.organisation_id).in_(reached), col(Contact.normal).in_(some))
            for contact in sorted(session.exec(rows), key=lambda one: reached.index(one.organisation_id)):
                found[contact.normal] = contact
    return found
