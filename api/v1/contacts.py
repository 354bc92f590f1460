"""The address book over the API: the contacts and groups that an organisation may write to."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from api.tenants import organisation_named
from api.v1.access import Caller, Parts, own_organisation
from api.v1.bodies import described, said_in
from api.v1.mail_shapes import ContactPage, ContactShape, GroupList, GroupShape
from api.words import messages
from core.errors import UsageError
from core.platform import Platform
from core.principal import Principal
from flows.mail.book import contacts, groups
from flows.mail.book.contacts import Place, Told

router = APIRouter(prefix="/v1", tags=["Courriers suivis"])
ContactId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]
Owner = Annotated[
    str | None, Query(max_length=26, description="For whom: SIREN, SIRET or identifier; that of the token when absent.")
]


_PLACE = TypeAdapter(tuple[str, str])


class ContactAsked(BaseModel):
    """A contact."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=320, description="E-mail address; once in a book.")
    name: str = Field("", max_length=contacts.LONGEST_NAME, description="The address when empty.")
    note: str = Field("", max_length=contacts.LONGEST_NOTE)

    @property
    def told(self) -> Told:
        """The contact, as the book is told."""
        return Told(self.address, self.name, self.note)


@router.get("/contacts", summary="Search the address book")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Owner = None,
    q: Annotated[str, Query(max_length=100, description="Words that the name or the address holds.")] = "",
    bounced: Annotated[bool, Query(description="Only those from where mails come back.")] = False,
    cursor: Annotated[str | None, Query(max_length=3000, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ContactPage:
    """Return contacts that an organisation may write to, by name: its own, and those of the organisations above it."""
    owner = _owner(platform, caller, organisation)
    page = contacts.search(platform, caller, owner, q, after=_place(cursor), limit=limit, bounced=bounced)
    total, exact = contacts.how_many(platform, caller, owner, q, bounced=bounced)
    shown = [ContactShape.of(one) for one in page.contacts]
    return ContactPage(contacts=shown, total=total, total_exact=exact, next=_cursor(page.after))


@router.post("/contacts", status_code=201, summary="Add a contact", openapi_extra=described(ContactAsked))
def added(
    platform: Parts, caller: Caller, asked: Annotated[ContactAsked, said_in(ContactAsked)], organisation: Owner = None
) -> ContactShape:
    """Add a contact to the book of an organisation; the right `dossier.deposit` is asked for. 409: the address is there."""
    return ContactShape.of(contacts.add(platform, caller, _owner(platform, caller, organisation), asked.told))


@router.put("/contacts/{contact_id}", summary="Change a contact", openapi_extra=described(ContactAsked))
def changed(
    platform: Parts, caller: Caller, contact_id: ContactId, asked: Annotated[ContactAsked, said_in(ContactAsked)]
) -> ContactShape:
    """Change a contact; mails that have left keep the address that they left with."""
    return ContactShape.of(contacts.change(platform, caller, contact_id, asked.told))


@router.delete("/contacts/{contact_id}", status_code=204, summary="Delete a contact")
def deleted(platform: Parts, caller: Caller, contact_id: ContactId) -> None:
    """Delete a contact; 409 while it is in a group."""
    contacts.delete(platform, caller, contact_id)


@router.get("/contact-groups", summary="List the groups of the address book")
def grouped(platform: Parts, caller: Caller, organisation: Owner = None) -> GroupList:
    """Return the groups that an organisation may write to: its own, and those that organisations above it share."""
    found = groups.reached(platform, caller, _owner(platform, caller, organisation))
    return GroupList(
        groups=[
            GroupShape(
                id=one.group.id,
                organisation_id=one.group.organisation_id,
                name=one.group.name,
                members=one.members,
                inherited=one.inherited,
            )
            for one in found
        ]
    )


def _owner(platform: Platform, caller: Principal, organisation: str | None) -> str:
    return organisation_named(platform, caller, organisation).id if organisation else own_organisation(platform, caller).id


def _cursor(place: Place | None) -> str | None:
    if place is None:
        return None
    return base64.urlsafe_b64encode(json.dumps([place.sought, place.id], ensure_ascii=False).encode()).decode().rstrip("=")


def _place(cursor: str | None) -> Place | None:
    if not cursor:
        return None
    try:
        return Place(*_PLACE.validate_json(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)))
    except (binascii.Error, ValueError) as error:
        raise UsageError(messages("cursor.unknown")) from error
