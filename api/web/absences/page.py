"""“Absences et délégations”: what is given, what is received, what is planned; and “Je m’absente du … au …”."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.web.administered import Filled, Identifier, Sheet
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from signing.parapheur import absences, desks, typology
from signing.parapheur.absences import Absence
from signing.parapheur.models import Desk

router = APIRouter()
_t = Catalogue("api.web.absences")
_PATH, _PAGE = "/parapheur/absences", "web/absences/absences.html"


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: SignedIn, fait: str = "") -> HTMLResponse:
    """Show the absences; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, done=fait)


@router.post(_PATH)
def announce(request: Request, platform: Parts, visitor: SignedIn, sheet: Filled) -> Response:
    """Let a desk stand in for another."""
    visitor.check(sheet.text("csrf"))
    try:
        wanted = _told(sheet)
        with platform.database.writing(visitor.principal) as session:
            absences.announce(session, visitor.principal, wanted)
    except (UsageError, Conflict, NotFound) as refused:
        return _shown(request, platform, visitor, status=400, trouble=str(refused), sheet=sheet)
    return RedirectResponse(f"{_PATH}?fait=annoncee", status_code=303)


@router.post(f"{_PATH}/{{delegation_id}}/fin")
def end(platform: Parts, visitor: SignedIn, delegation_id: Identifier, sheet: Filled) -> RedirectResponse:
    """End an absence now; one that has not begun never will."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(visitor.principal) as session:
        absences.end(session, visitor.principal, delegation_id)
    return RedirectResponse(f"{_PATH}?fait=finie", status_code=303)


def _told(sheet: Sheet) -> Absence:
    """Return the absence that a form tells; ``of`` names a type, or a subtype after a colon.

    Raises:
        UsageError: a day that is none.
    """
    kind, _, identifier = sheet.text("of").partition(":")
    first, last = _day(sheet.text("first")), _day(sheet.text("last"))
    if first is None:
        raise UsageError(_t("first.missing"))
    return Absence(
        sheet.text("desk"),
        sheet.text("substitute"),
        first,
        last,
        identifier if kind == "type" else None,
        identifier if kind == "subtype" else None,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UsageError(_t("day.wrong", found=text[:20])) from error


def _shown(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    *,
    status: int = 200,
    done: str = "",
    sheet: Sheet | None = None,
    **said: Any,
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        own = absences.looked_after(session, visitor.person_id)
        held = desks.around(session, visitor.person_id).held
        values = {
            "desks": [(desk.id, desk.name) for desk in own],
            "given": absences.given(session, [desk.id for desk in own]),
            "received": absences.received(session, list(held)),
            **_choices(session, own),
        }
    names = ("desk", "substitute", "first", "last", "of")
    values["told"] = {name: sheet.text(name) if sheet else "" for name in names}
    values["today"] = clock.in_paris(clock.now()).date()
    values["done"] = done if f"done.{done}" in words.of_page(_PAGE) else ""
    return render(request, _PAGE, visitor=visitor, status=status, **{"trouble": "", "csrf": visitor.csrf} | values | said)


def _choices(session: Session, own: list[Desk]) -> dict[str, Any]:
    """Return the desks that may stand in, and the types, of every organisation in which the visitor has a desk."""
    organisations = list(dict.fromkeys(desk.organisation_id for desk in own))
    there = [desk for one in organisations for desk in desks.desks_of(session, one) if desk.closed is None and desk.may_act]
    kinds = [kind for one in organisations for kind in typology.kinds(session, one)]
    types = dict.fromkeys((kind.type_id, kind.type_name) for kind in kinds)
    return {
        "substitutes": [(desk.id, desk.name) for desk in there],
        "types": [(f"type:{identifier}", name) for identifier, name in types],
        "subtypes": [(f"subtype:{kind.id}", kind.full_name) for kind in kinds],
    }
