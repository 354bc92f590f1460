"""Groups of the address book: made, renamed, shared with the organisations below, filled and emptied."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.administered import Filled as Table
from api.web.mails.book import BOOK
from api.web.mails.sheet import REFUSED
from api.web.mails.shelf import Here, shelf_of
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail.book import contacts, groups, reach
from flows.mail.book.models import ContactGroup

router = APIRouter()
_t = Catalogue("api.web.mails")
_GROUP = f"{BOOK}/groupes/{{group_id}}"
_FOUND = 50
_DONE = frozenset({"forme", "modifie", "ajoutes", "retire"})


@router.post(f"{BOOK}/groupes")
def made(request: Request, platform: Parts, visitor: SignedIn, here: Here, fields: Fields) -> Response:
    """Make a group, and go on with its contacts."""
    visitor.check(fields.get("csrf"))
    try:
        group = groups.make(platform, visitor.principal, here.id, fields.get("name", ""), shared=bool(fields.get("shared")))
    except REFUSED as error:
        fault = fault_of(error)
        values: dict[str, Any] = {"here": here, "typed": fields, "trouble": fault.detail}
        return render(request, "web/mails/new_group.html", visitor=visitor, status=fault.status, **values)
    return RedirectResponse(f"{_GROUP.format(group_id=group.id)}?fait=forme", status_code=303)


@router.get(f"{BOOK}/groupe")
def ask(request: Request, platform: Parts, visitor: SignedIn, here: Here) -> HTMLResponse:
    """Ask for the name of a new group."""
    del platform
    values: dict[str, Any] = {"here": here, "typed": {"shared": "1"}, "trouble": ""}
    return render(request, "web/mails/new_group.html", visitor=visitor, **values)


@router.get(_GROUP)
def group(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    group_id: Identifier,
    q: Annotated[str, Query(max_length=100)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a group with its contacts; ``q`` looks for others to be put in."""
    return _shown(request, platform, visitor, _owner(platform, visitor, group_id), text=q.strip(), done=fait)


@router.post(_GROUP)
def changed(request: Request, platform: Parts, visitor: SignedIn, group_id: Identifier, sheet: Table) -> Response:
    """Do what the button says to a group: change it, put contacts in, take one out, delete it."""
    visitor.check(sheet.text("csrf"))
    found = _owner(platform, visitor, group_id)
    reach.require(visitor.principal, found.organisation_id)
    deed, _, contact_id = sheet.text("do").partition(".")
    done = {"put": "ajoutes", "out": "retire", "delete": "supprime"}.get(deed, "modifie")
    try:
        if deed == "put":
            groups.put(platform, visitor.principal, group_id, sheet.texts("contact"))
        elif deed == "out":
            groups.take_out(platform, visitor.principal, group_id, contact_id)
        elif deed == "delete":
            groups.delete(platform, visitor.principal, group_id)
            return RedirectResponse(shelf_of(platform, visitor, found.organisation_id).at(BOOK, fait="supprime"), status_code=303)
        else:
            groups.change(platform, visitor.principal, group_id, sheet.text("name"), shared="shared" in sheet)
    except REFUSED as error:
        fault = fault_of(error)
        return _shown(request, platform, visitor, found, trouble=fault.detail, status=fault.status)
    return RedirectResponse(f"{_GROUP.format(group_id=group_id)}?fait={done}", status_code=303)


def _owner(platform: Platform, visitor: Visitor, group_id: str) -> ContactGroup:
    """Return a group that some organisation of the visitor may send to.

    Raises:
        NotFound: there is none.
    """
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(ContactGroup).where(ContactGroup.id == group_id)).first()
        if found is not None:
            below = {one for one in visitor.principal.grants if found.organisation_id in reach.above(session, one)}
            if found.organisation_id in visitor.principal.grants or (found.shared and below):
                return found
    raise NotFound(_t("group.unknown"))


def _shown(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    found: ContactGroup,
    *,
    text: str = "",
    trouble: str = "",
    status: int = 200,
    done: str = "",
) -> HTMLResponse:
    own = found.organisation_id in visitor.principal.grants
    here = shelf_of(platform, visitor, found.organisation_id if own else "")
    seen, members = groups.one(platform, visitor.principal, here.id, found.id)
    held = {one.id for one in members}
    sought = contacts.search(platform, visitor.principal, here.id, text, limit=_FOUND).contacts if text else ()
    values: dict[str, Any] = {
        "here": here,
        "group": seen.group,
        "members": members,
        "inherited": seen.inherited,
        "text": text,
        "sought": [one for one in sought if one.id not in held],
        "trouble": trouble,
        "done": done if done in _DONE else "",
    }
    return render(request, "web/mails/group.html", visitor=visitor, status=status, **values)
