"""“HELIOS”: whether the PES of an organisation go through the parapheur, in which subtype, sent by which desk."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.helios.knowledge import route_of
from flows.parapheur.routing import PES, Way, send_through
from flows.parapheur.settings import ParapheurRoute
from signing.parapheur import desks, trays, typology
from signing.parapheur.models import Visibility

router = APIRouter()
_PATH, _PAGE = "/administration/helios", "web/types/routing.html"


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the way of the PES; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Send the PES through the parapheur, or no longer."""
    visitor.check(sheet.text("csrf"))
    given = {name: sheet.text(name) for name in ("subtype", "emitter", "visibility")}
    try:
        route = ParapheurRoute.model_validate(given) if given["subtype"] else None
        with platform.database.writing(PLATFORM) as session:
            send_through(session, platform.secrets, visitor.principal, place.id, PES, route)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, given=given)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), given=given)
    return gone(place, _PATH, "route" if route else "sans-route")


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    return shown(request, _PAGE, visitor, place, **choices(platform, place, PES, route_of(platform, place.id)) | said)


def choices(platform: Platform, place: Place, way: Way, route: ParapheurRoute | None) -> dict[str, Any]:
    """Return what a page on a way through the parapheur shows: the route in force, and what may be chosen instead."""
    with platform.database.reading(PLATFORM) as session:
        kinds = [kind for kind in typology.kinds(session, place.id) if kind.signing.protocol is way.protocol]
        senders = [desk for desk in desks.desks_of(session, place.id) if desk.closed is None and desk.may_create]
        own = session.get(Configuration, (place.id, way.name)) is not None
        named = trays.names(session, [route.emitter]) if route else {}
        through = typology.kind_of(session, route.subtype).full_name if route else ""
    return {
        "route": route,
        "own": own,
        "through": through,
        "sender": named.get(route.emitter, "") if route else "",
        "kinds": [(kind.id, kind.full_name) for kind in kinds],
        "senders": [(desk.id, desk.name) for desk in senders],
        "visibilities": list(Visibility),
        "given": route.model_dump() if route and own else {"subtype": "", "emitter": "", "visibility": "confidential"},
    }
