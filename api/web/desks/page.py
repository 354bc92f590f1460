"""“Bureaux”: the tree of desks, and one desk with its seats. What may be done is decided in ``signing.parapheur``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.administered import Filled, Here, Identifier, Place, Sheet, gone, place_of, shown
from api.web.preferences import certificates
from api.web.visitor import Administers, Parts, Visitor
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.helios.knowledge import route_of
from signing.parapheur import administration, desks
from signing.parapheur.administration import DeskDetails
from signing.parapheur.models import Capacity, Desk

router = APIRouter()
router.include_router(certificates.router)
_t = Catalogue("api.web.desks")
_PATH = "/administration/bureaux"


@router.get(_PATH)
def listed(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the tree; ``fait`` says what the visitor has just done."""
    with platform.database.reading(visitor.principal) as session:
        found = desks.desks_of(session, place.id)
        held = desks.seats_of(session, [desk.id for desk in found])
    opened = [desk for desk in found if desk.closed is None]
    there = {desk.id for desk in opened}
    below: dict[str, list[Desk]] = {}
    for desk in opened:
        below.setdefault(desk.parent_id if desk.parent_id in there else "", []).append(desk)
    return shown(
        request,
        "web/desks/desks.html",
        visitor,
        place,
        done=fait,
        below=below,
        seats=held,
        closed=[desk for desk in found if desk.closed is not None],
        count=len(opened),
    )


@router.get(f"{_PATH}/ajout")
def ask(request: Request, platform: Parts, visitor: Administers, place: Here) -> HTMLResponse:
    """Show the form by which a desk is added."""
    return _form(request, platform, visitor, place, DeskDetails("", ""))


@router.post(f"{_PATH}/ajout")
def add(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Add a desk, and show it so that people may be seated."""
    visitor.check(sheet.text("csrf"))
    wanted = _details(sheet)
    try:
        with platform.database.writing(visitor.principal) as session:
            desk = administration.add_desk(session, visitor.principal, place.id, wanted)
    except (UsageError, Conflict) as refused:
        return _form(request, platform, visitor, place, wanted, status=400, trouble=str(refused))
    return gone(place, f"{_PATH}/{desk.id}", "ajout")


@router.get(f"{_PATH}/{{desk_id}}")
def one(request: Request, platform: Parts, visitor: Administers, desk_id: Identifier, fait: str = "") -> HTMLResponse:
    """Show a desk; ``fait`` says what the visitor has just done."""
    return _desk(request, platform, visitor, desk_id, done=fait)


@router.post(f"{_PATH}/{{desk_id}}")
def change(request: Request, platform: Parts, visitor: Administers, desk_id: Identifier, sheet: Filled) -> Response:
    """Change a desk."""
    visitor.check(sheet.text("csrf"))
    wanted = _details(sheet)
    try:
        with platform.database.writing(visitor.principal) as session:
            desk = _administered(session, platform, visitor, desk_id)
            administration.change_desk(session, visitor.principal, desk, wanted)
    except (UsageError, Conflict) as refused:
        return _desk(request, platform, visitor, desk_id, status=400, trouble=str(refused), given=wanted)
    return _gone(platform, visitor, desk, "change")


@router.post(f"{_PATH}/{{desk_id}}/sieges")
def seat(request: Request, platform: Parts, visitor: Administers, desk_id: Identifier, sheet: Filled) -> Response:
    """Give a person a seat at the desk."""
    visitor.check(sheet.text("csrf"))
    try:
        capacity = _capacity(sheet)
        with platform.database.writing(visitor.principal) as session:
            desk = _administered(session, platform, visitor, desk_id)
            administration.seat(session, visitor.principal, desk, sheet.text("person"), capacity)
    except UsageError as refused:
        return _desk(request, platform, visitor, desk_id, status=400, trouble=str(refused))
    return _gone(platform, visitor, desk, "siege")


@router.post(f"{_PATH}/{{desk_id}}/sieges/retrait")
def unseat(platform: Parts, visitor: Administers, desk_id: Identifier, sheet: Filled) -> RedirectResponse:
    """Take a seat away."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        desk = _administered(session, platform, visitor, desk_id)
        administration.unseat(session, visitor.principal, desk, sheet.text("person"), _capacity(sheet))
    return _gone(platform, visitor, desk, "retrait")


@router.post(f"{_PATH}/{{desk_id}}/fermeture")
def close(request: Request, platform: Parts, visitor: Administers, desk_id: Identifier, sheet: Filled) -> Response:
    """Close the desk, or say who would be left without it."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(visitor.principal) as session:
            desk = _administered(session, platform, visitor, desk_id)
            _refuse_routed(platform, desk)
            administration.close_desk(session, visitor.principal, desk)
    except Conflict as refused:
        return _desk(request, platform, visitor, desk_id, status=409, trouble=str(refused))
    return _gone(platform, visitor, desk, "ferme")


@router.post(f"{_PATH}/{{desk_id}}/reouverture")
def reopen(platform: Parts, visitor: Administers, desk_id: Identifier, sheet: Filled) -> RedirectResponse:
    """Open a closed desk again."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        desk = _administered(session, platform, visitor, desk_id)
        administration.reopen_desk(session, visitor.principal, desk)
    return _gone(platform, visitor, desk, "rouvert")


def _administered(session: Session, platform: Platform, visitor: Visitor, desk_id: str) -> Desk:
    """Return a desk of an organisation that the visitor administers; another is not told from one that does not exist."""
    desk = desks.desk_of(session, desk_id)
    place_of(platform, visitor, desk.organisation_id)
    return desk


def _refuse_routed(platform: Platform, desk: Desk) -> None:
    """Go on only if the PES of the organisation do not come from the desk."""
    route = route_of(platform, desk.organisation_id)
    if route is not None and route.emitter == desk.id:
        raise Conflict(_t("close.route", desk=desk.name))


def _gone(platform: Platform, visitor: Visitor, desk: Desk, done: str) -> RedirectResponse:
    return gone(place_of(platform, visitor, desk.organisation_id), f"{_PATH}/{desk.id}", done)


def _details(sheet: Sheet) -> DeskDetails:
    return DeskDetails(
        sheet.text("name"),
        sheet.text("short_name"),
        sheet.text("description"),
        sheet.text("parent") or None,
        "may_create" in sheet,
        "may_act" in sheet,
        "may_chain" in sheet,
        sheet.texts("associated"),
    )


def _capacity(sheet: Sheet) -> Capacity:
    try:
        return Capacity(sheet.text("capacity"))
    except ValueError as error:
        raise UsageError(_t("seat.capacity")) from error


def _others(session: ScopedSession, organisation_id: str, besides: str = "") -> list[tuple[str, str]]:
    """Return the open desks of an organisation as a form offers them."""
    found = desks.desks_of(session, organisation_id)
    return [(desk.id, desk.name) for desk in found if desk.closed is None and desk.id != besides]


def _form(
    request: Request, platform: Platform, visitor: Visitor, place: Place, given: DeskDetails, *, status: int = 200, **said: Any
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        others = _others(session, place.id)
    return shown(request, "web/desks/add.html", visitor, place, status=status, given=given, others=others, **said)


def _desk(
    request: Request, platform: Platform, visitor: Visitor, desk_id: str, *, status: int = 200, **said: Any
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        desk = _administered(session, platform, visitor, desk_id)
        place = place_of(platform, visitor, desk.organisation_id)
        seats = desks.seats_of(session, [desk.id])[desk.id]
        values: dict[str, Any] = {
            "desk": desk,
            "given": said.pop("given", None) or _as_details(desk),
            "others": _others(session, place.id, desk.id),
            "seats": [(capacity, [person for held, person in seats if held is capacity]) for capacity in Capacity],
            "seatable": [(person.id, person.name) for person in desks.seatable(session, place.organisation)],
            "users": desks.users_of(session, desk),
        }
    return shown(request, "web/desks/desk.html", visitor, place, status=status, **values | said)


def _as_details(desk: Desk) -> DeskDetails:
    return DeskDetails(
        desk.name,
        desk.short_name,
        desk.description,
        desk.parent_id,
        desk.may_create,
        desk.may_act,
        desk.may_chain,
        tuple(desk.associated),
    )
