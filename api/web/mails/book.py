"""“Carnet d’adresses”: contacts searched and kept, groups, tables taken in and given out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.administered import Filled as Table
from api.web.mails.sheet import REFUSED
from api.web.mails.shelf import Here, Shelf, shelf_of
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core import clock
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.mail.book import contacts, csv_lines, exchanging, groups
from flows.mail.book.contacts import Place, Told
from flows.mail.book.models import Contact
from flows.mail.book.written import FaultyLines

router = APIRouter()
_t = Catalogue("api.web.mails")
BOOK = "/carnet"
IMPORT = f"{BOOK}/import"
_CONTACT = f"{BOOK}/contacts/{{contact_id}}"
_A_PAGE, _SHOWN = 50, 200
_DONE = frozenset({"ajoute", "modifie", "supprime", "confirme"})


@router.get(BOOK)
def book(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    here: Here,
    q: Annotated[str, Query(max_length=100)] = "",
    vue: Annotated[str, Query(max_length=20)] = "",
    apres: Annotated[str, Query(max_length=600)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show contacts by name; ``vue=retours`` those whose mails come back."""
    return _book(request, platform, visitor, here, text=q.strip(), bounced=vue == "retours", after=apres, done=fait)


@router.post(f"{BOOK}/contacts")
def added(request: Request, platform: Parts, visitor: SignedIn, here: Here, fields: Fields) -> Response:
    """Add a contact."""
    visitor.check(fields.get("csrf"))
    try:
        contacts.add(platform, visitor.principal, here.id, _told(fields))
    except (UsageError, Conflict) as error:
        fault = fault_of(error)
        return _book(request, platform, visitor, here, typed=fields, trouble=fault.detail, status=fault.status)
    return RedirectResponse(here.at(BOOK, fait="ajoute"), status_code=303)


def _told(fields: dict[str, str]) -> Told:
    return Told(fields.get("address", ""), fields.get("name", ""), fields.get("note", ""))


def _book(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    here: Shelf,
    *,
    text: str = "",
    bounced: bool = False,
    after: str = "",
    typed: dict[str, str] | None = None,
    trouble: str = "",
    status: int = 200,
    done: str = "",
) -> HTMLResponse:
    sought, _, last = after.rpartition("|")
    place = Place(sought, last) if last else None
    page = contacts.search(platform, visitor.principal, here.id, text, after=place, limit=_A_PAGE, bounced=bounced)
    view = "retours" if bounced else ""
    shown: dict[str, Any] = {
        "here": here,
        "page": page,
        "text": text,
        "view": view,
        "names": {one.id: one.name for one in here.others},
        "groups": groups.reached(platform, visitor.principal, here.id),
        "next": here.at(BOOK, q=text, vue=view, apres=f"{page.after.sought}|{page.after.id}") if page.after else "",
        "later": bool(after),
        "typed": typed or {},
        "trouble": trouble,
        "done": done if done in _DONE else "",
    }
    return render(request, "web/mails/book.html", visitor=visitor, status=status, **shown)


@router.get(_CONTACT)
def contact(request: Request, platform: Parts, visitor: SignedIn, contact_id: Identifier) -> HTMLResponse:
    """Show a contact, to be changed."""
    return _contact(request, platform, visitor, _own(platform, visitor, contact_id))


@router.post(_CONTACT)
def changed(request: Request, platform: Parts, visitor: SignedIn, contact_id: Identifier, fields: Fields) -> Response:
    """Do what the button says to a contact: change it, confirm its address, delete it."""
    visitor.check(fields.get("csrf"))
    found = _own(platform, visitor, contact_id)
    done = {"confirm": "confirme", "delete": "supprime"}.get(fields.get("do", ""), "modifie")
    try:
        if done == "confirme":
            contacts.confirm(platform, visitor.principal, contact_id)
        elif done == "supprime":
            contacts.delete(platform, visitor.principal, contact_id)
        else:
            contacts.change(platform, visitor.principal, contact_id, _told(fields))
    except REFUSED as error:
        fault = fault_of(error)
        return _contact(request, platform, visitor, found, fields, status=fault.status, trouble=fault.detail)
    return RedirectResponse(shelf_of(platform, visitor, found.organisation_id).at(BOOK, fait=done), status_code=303)


def _own(platform: Platform, visitor: Visitor, contact_id: str) -> Contact:
    """Return a contact that the visitor may change.

    Raises:
        NotFound, Forbidden: see ``contacts.own``.
    """
    with platform.database.reading(visitor.principal) as session:
        return contacts.own(session, visitor.principal, contact_id)


def _contact(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    found: Contact,
    typed: dict[str, str] | None = None,
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        held = contacts.groups_of(session, found.id)
    values = {"name": found.name, "address": found.address, "note": found.note}
    if typed and typed.get("do") == "change":
        values |= {name: typed.get(name, "") for name in values}
    shown: dict[str, Any] = {
        "contact": found,
        "here": shelf_of(platform, visitor, found.organisation_id),
        "groups": held,
        "typed": values,
        "trouble": trouble,
    }
    return render(request, "web/mails/contact.html", visitor=visitor, status=status, **shown)


@router.get(IMPORT)
def ask(request: Request, platform: Parts, visitor: SignedIn, here: Here) -> HTMLResponse:
    """Show what a table may hold, and ask for one."""
    del platform
    return _import(request, visitor, here)


@router.post(IMPORT)
def taken(request: Request, platform: Parts, visitor: SignedIn, here: Here, sheet: Table) -> Response:
    """Take a table in, or say everything that is wrong with it."""
    visitor.check(sheet.text("csrf"))
    try:
        if not (octets := sheet.file("table")):
            raise UsageError(_t("import.none"))
        found = exchanging.take(platform, visitor.principal, here.id, octets)
    except FaultyLines as error:
        return _import(request, visitor, here, trouble=str(error), faults=error.faults, status=400)
    except REFUSED as error:
        fault = fault_of(error)
        return _import(request, visitor, here, trouble=fault.detail, status=fault.status)
    return _import(request, visitor, here, found=found)


def _import(request: Request, visitor: Visitor, here: Shelf, *, status: int = 200, **said: Any) -> HTMLResponse:
    shown = {"trouble": "", "faults": (), "found": None, "here": here, "most": csv_lines.MOST, "shown": _SHOWN, **said}
    return render(request, "web/mails/import.html", visitor=visitor, status=status, **shown)


@router.get(f"{BOOK}/export.csv")
def given(platform: Parts, visitor: SignedIn, here: Here) -> StreamingResponse:
    """Give the book of the organisation as a table."""
    name = f"carnet-{clock.in_paris(clock.now()):%Y%m%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    pieces = exchanging.give(platform, visitor.principal, here.id)
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)
