"""“Configuration”: the whole set-up as a file, to keep it or to give it to another organisation."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.administered import Filled, Here, shown
from api.web.circuits.page import as_file
from api.web.visitor import Administers, Parts
from core.errors import Conflict, UsageError
from signing.parapheur import blueprint

router = APIRouter()
_PATH, _PAGE = "/administration/configuration", "web/setup/configuration.html"


@router.get(_PATH)
def page(
    request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "", ajouts: int = 0, laisses: int = 0
) -> HTMLResponse:
    """Show what can be exported; ``fait`` says what the visitor has just done, with how much was added and left."""
    with platform.database.reading(visitor.principal) as session:
        plan = blueprint.draw(session, place.id)
    return shown(request, _PAGE, visitor, place, plan=plan, built=(ajouts, laisses) if fait == "repris" else None)


@router.get(f"{_PATH}/export.json")
def export(platform: Parts, visitor: Administers, place: Here) -> Response:
    """Give the whole set-up as a file."""
    with platform.database.reading(visitor.principal) as session:
        plan = blueprint.draw(session, place.id)
    return as_file(plan, f"parapheur-{place.organisation.siren or place.id}.json")


@router.post(f"{_PATH}/reprise")
def take(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Add what a file holds and the organisation has not."""
    visitor.check(sheet.text("csrf"))
    try:
        plan = blueprint.read(sheet.file("file"))
        with platform.database.writing(visitor.principal) as session:
            built = blueprint.build(session, visitor.principal, place.id, plan)
    except (UsageError, Conflict) as refused:
        with platform.database.reading(visitor.principal) as session:
            plan = blueprint.draw(session, place.id)
        return shown(request, _PAGE, visitor, place, status=400, plan=plan, built=None, trouble=str(refused))
    told = place.at(_PATH, fait="repris", ajouts=str(built.added), laisses=str(built.left))
    return RedirectResponse(told, status_code=303)
