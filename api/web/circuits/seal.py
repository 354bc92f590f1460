"""“Cachet”: the server's seal of an organisation. Whose key it is and until when; its secret is never shown."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, gone, reason, shown
from api.web.visitor import Administers, Parts, Visitor
from core import clock
from core.errors import Conflict, NotFound, UsageError
from core.platform import Platform
from core.principal import PLATFORM
from signing.parapheur import seal_keeping
from signing.parapheur.seal_keeping import NewSeal

router = APIRouter()
_PATH, _PAGE = "/administration/cachet", "web/circuits/seal.html"
_WARNED = 60


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the seal; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def keep(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Put a seal in place, or change what it says."""
    visitor.check(sheet.text("csrf"))
    given = {name: sheet.text(name) for name in ("quality", "city", "postal_code")}
    try:
        wanted = NewSeal(sheet.file("pkcs12"), sheet.text("password"), **given)
        with platform.database.writing(PLATFORM) as session:
            seal_keeping.keep(session, platform.secrets, visitor.principal, place.id, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, given=given)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), given=given)
    return gone(place, _PATH, "garde")


@router.post(f"{_PATH}/retrait")
def withdraw(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Take the organisation's own seal away."""
    visitor.check(sheet.text("csrf"))
    try:
        with platform.database.writing(PLATFORM) as session:
            seal_keeping.withdraw(session, visitor.principal, place.id)
    except (Conflict, NotFound) as refused:
        return _shown(request, platform, visitor, place, status=409, trouble=str(refused))
    return gone(place, _PATH, "retire")


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        seal = seal_keeping.shown(session, platform.secrets, place.id)
        users = seal_keeping.users_of(session, place.id)
    values: dict[str, Any] = {"given": {}, "seal": seal, "users": users, "left": None}
    if seal is not None and seal.expires is not None:
        values["left"] = _days_left(seal.expires)
    return shown(request, _PAGE, visitor, place, **values | {"warned": _WARNED} | said)


def _days_left(expires: datetime) -> int:
    return (expires - clock.now()).days
