"""Taking a table of contacts into the book of an organisation, whole or not at all; and giving its book as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from core.database import ScopedSession
from core.errors import Conflict
from core.messages import Catalogue, current_locale, speaking
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.mail.book import contacts, csv_lines, reach
from flows.mail.book.contacts import Told
from flows.mail.book.csv_lines import COLUMNS, Row
from flows.mail.book.models import Contact, ContactGroup, GroupMember
from schemas.mail import addresses

_messages = Catalogue("flows.mail.book")
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """What a table changed: contacts added, contacts written anew, contacts that were so already, groups made."""

    added: int
    changed: int
    same: int
    groups: int


def take(platform: Platform, principal: Principal, organisation_id: str, octets: bytes) -> Taken:
    """Take a table into the book; a contact of the same address is written anew where a cell is filled, and leaves no group.

    Raises:
        NotFound, Forbidden: see ``reach.require``.
        UnreadableInput, UsageError, FaultyLines: see ``csv_lines.read``; nothing was changed then.
        Conflict: somebody changed the same contacts at the same moment.
    """
    reach.require(principal, organisation_id)
    rows = csv_lines.read(octets)
    try:
        with platform.database.writing(principal) as session:
            return _take(session, organisation_id, rows)
    except IntegrityError as error:
        raise Conflict(_messages("csv.meanwhile")) from error


def _take(session: ScopedSession, organisation_id: str, rows: Sequence[Row]) -> Taken:
    there = {one.normal: one for one in session.exec(select(Contact).where(Contact.organisation_id == organisation_id))}
    added = changed = 0
    found: dict[str, Contact] = {}
    for row in rows:
        normal = addresses.normal(row.told.address)
        contact = there.get(normal)
        if contact is None:
            contact, added = contacts.made(organisation_id, row.told), added + 1
        elif (told := _over(contact, row.told)) != _told(contact):
            contacts.write(contact, told)
            changed += 1
        session.add(contact)
        found[normal] = contact
    session.flush()
    made = _group(session, organisation_id, [(found[addresses.normal(row.told.address)], row.groups) for row in rows])
    return Taken(added, changed, len(rows) - added - changed, made)


def _over(contact: Contact, told: Told) -> Told:
    """Return what a line makes of a contact: what it leaves empty stays."""
    name = contact.name if told.name == told.address else told.name
    return Told(told.address, name, told.note or contact.note)


def _group(session: ScopedSession, organisation_id: str, named: Sequence[tuple[Contact, Sequence[str]]]) -> int:
    known = {one.name: one for one in session.exec(select(ContactGroup).where(ContactGroup.organisation_id == organisation_id))}
    fresh = {name: ContactGroup(organisation_id=organisation_id, name=name) for _, names in named for name in names}
    fresh = {name: group for name, group in fresh.items() if name not in known}
    session.add_all(fresh.values())
    session.flush()
    known |= fresh
    held = set(
        session.exec(select(GroupMember.group_id, GroupMember.contact_id).where(GroupMember.organisation_id == organisation_id))
    )
    wanted = {(known[name].id, contact.id) for contact, names in named for name in names}
    for group_id, contact_id in sorted(wanted - held):
        session.add(GroupMember(group_id=group_id, contact_id=contact_id, organisation_id=organisation_id))
    return len(fresh)


def give(platform: Platform, principal: Principal, organisation_id: str) -> Iterator[str]:
    """Return the book of an organisation, without what it has from above, as a table that ``take`` reads; piece by piece.

    Raises:
        Forbidden: see ``reach.opened``.
    """
    with reach.opened(platform, principal, organisation_id) as session:
        of = select(GroupMember.contact_id, ContactGroup.name).join(
            ContactGroup, col(ContactGroup.id) == col(GroupMember.group_id)
        )
        names: dict[str, list[str]] = defaultdict(list)
        for contact_id, name in session.exec(
            of.where(ContactGroup.organisation_id == organisation_id).order_by(ContactGroup.name)
        ):
            names[contact_id].append(name)
    return _pieces(platform, organisation_id, names, current_locale())


def _pieces(platform: Platform, organisation_id: str, names: dict[str, list[str]], locale: str) -> Iterator[str]:
    with speaking(locale):  # a later piece may be read in another thread
        headings = [_messages(f"column.{name}") for name in COLUMNS]
    yield csv_lines.MARK + csv_lines.written([headings])
    here, last = tuple_(col(Contact.sought), col(Contact.id)), ("", "")
    while True:
        with platform.database.reading(PLATFORM) as session:
            wanted = select(Contact).where(Contact.organisation_id == organisation_id, here > tuple_(*last))
            found = list(session.exec(wanted.order_by(col(Contact.sought), col(Contact.id)).limit(_AT_ONCE)))
        if not found:
            return
        yield csv_lines.written([csv_lines.line_of(_told(one), names.get(one.id, ())) for one in found])
        last = (found[-1].sought, found[-1].id)


def _told(contact: Contact) -> Told:
    return Told(contact.address, contact.name, contact.note)
