"""“Visa du service”: into which circuit invoices go, by service and commitment; rows in order, the first that holds is taken."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.invoices.account import PATH as ACCOUNT_PATH
from api.web.rows import SAVE, button, moved
from api.web.visitor import Administers, Parts, Visitor
from core.configuration import Configuration
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.invoices import configuring, knowledge
from flows.invoices.settings import VISA, InvoiceVisa
from signing.parapheur import desks

router = APIRouter()
_PATH, _PAGE = f"{ACCOUNT_PATH}/visa", "web/invoices/visa.html"
_FIELDS = ("service", "engagement", "subtype", "emitter")
_MOST = 500
_NEW = dict.fromkeys(_FIELDS, "")


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show the rules; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep the rules, or do to their rows what a button says."""
    visitor.check(sheet.text("csrf"))
    pressed, rows = button(sheet.text("do")), _rows(sheet)
    if pressed.act != SAVE:
        added = [*rows, dict(_NEW)] if pressed.act == "add" and len(rows) < _MOST else moved(rows, pressed)
        return _shown(request, platform, visitor, place, rows=list(added), unsaved=True)
    try:
        wanted = InvoiceVisa.model_validate({"routes": rows}) if rows else None
        configuring.keep(platform, visitor.principal, place.id, VISA, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, rows=rows)
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), rows=rows)
    return gone(place, _PATH, "visa" if wanted else "sans-visa")


def _rows(sheet: Sheet) -> list[dict[str, str]]:
    count = min(sheet.number("rows", otherwise=0), _MOST)
    return [{name: sheet.text(f"{name}.{rank}") for name in _FIELDS} for rank in range(count)]


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    kept = knowledge.visa_of(platform, place.id)
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (place.id, VISA)) is not None
        kinds = [(kind.id, kind.full_name) for kind in configuring.kinds(session, place.id)]
        senders = [(desk.id, desk.name) for desk in desks.desks_of(session, place.id) if desk.closed is None and desk.may_create]
    values: dict[str, Any] = {
        "kept": kept,
        "own": own,
        "kinds": kinds,
        "senders": senders,
        "rows": [route.model_dump() for route in kept.routes] if own else [],
        "unsaved": False,
        **said,
    }
    return shown(request, _PAGE, visitor, place, **values)
