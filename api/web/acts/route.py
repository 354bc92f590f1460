"""“Actes dans le parapheur”: whether acts are signed here before they leave, in which circuit, and acts of which natures."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.types.routing import choices
from api.web.visitor import Administers, Parts, Visitor
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.knowledge import route_of
from flows.actes.settings import ROUTE, ActesRoute
from flows.parapheur.routing import Way, send_through
from schemas.actes.codes import NATURES
from signing.parapheur.typology import Protocol

router = APIRouter()
_PATH, _PAGE = "/administration/actes/parapheur", "web/acts/route.html"
_ACTS = Way(ROUTE, Protocol.ACTES)


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the way of the acts; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Send acts through the parapheur, or no longer."""
    visitor.check(sheet.text("csrf"))
    given = _given(sheet)
    try:
        route = ActesRoute.model_validate(given) if given["subtype"] else None
        with platform.database.writing(PLATFORM) as session:
            send_through(session, platform.secrets, visitor.principal, place.id, _ACTS, route)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, given=given)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), given=given)
    return gone(place, _PATH, "route" if route else "sans-route")


def _given(sheet: Sheet) -> dict[str, Any]:
    natures = tuple(code for code in NATURES if str(code) in sheet.texts("natures"))
    return {"natures": natures, **{name: sheet.text(name) for name in ("subtype", "emitter", "visibility")}}


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    route = route_of(platform, place.id)
    values: dict[str, Any] = {
        "natures": [(str(one.code), one.label) for one in NATURES.values()],
        "sent": [NATURES[code].label for code in route.natures] if route else [],
        **choices(platform, place, _ACTS, route),
        **said,
    }
    ticked = values["given"].get("natures", tuple(NATURES))
    return shown(request, _PAGE, visitor, place, ticked=[str(code) for code in ticked], **values)
