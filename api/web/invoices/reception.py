"""“Réception des factures”: what is fetched through the account, the term of payment, and what Chorus Pro is told by itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import words
from api.web.administered import Filled, Here, Place, Sheet, gone, reason, shown
from api.web.invoices.account import PATH as ACCOUNT_PATH
from api.web.visitor import Administers, Parts, Visitor
from connectors.chorus.answers import Kind
from core import clock
from core.configuration import Configuration
from core.errors import NeedsOperator, UsageError
from core.platform import Platform
from core.principal import PLATFORM
from flows.invoices import configuring, knowledge
from flows.invoices.settings import RECEPTION, InvoiceReception

router = APIRouter()
_PATH, _PAGE = f"{ACCOUNT_PATH}/reception", "web/invoices/reception.html"


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: Administers, place: Here, fait: str = "") -> HTMLResponse:
    """Show what is received; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, place, done=fait)


@router.post(_PATH)
def change(request: Request, platform: Parts, visitor: Administers, place: Here, sheet: Filled) -> Response:
    """Keep what is received."""
    visitor.check(sheet.text("csrf"))
    try:
        wanted = InvoiceReception.model_validate(_given(sheet))
        configuring.keep(platform, visitor.principal, place.id, RECEPTION, wanted)
    except ValidationError as error:
        said = reason(error, words.of_page(_PAGE))
        return _shown(request, platform, visitor, place, status=400, trouble=said, given=_given(sheet))
    except UsageError as refused:
        return _shown(request, platform, visitor, place, status=400, trouble=str(refused), given=_given(sheet))
    return gone(place, _PATH, "reception")


def _given(sheet: Sheet) -> dict[str, Any]:
    told: dict[str, Any] = {name: sheet.text(name) for name in ("since", "overlap_days", "term_days")}
    return {
        **told,
        "open": "open" in sheet,
        "tell": "tell" in sheet,
        "kinds": tuple(one for one in Kind if one.value in sheet.texts("kinds")),
        "structures": tuple(dict.fromkeys(sheet.text("structures").split())),
    }


def _shown(request: Request, platform: Platform, visitor: Visitor, place: Place, **said: Any) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        own = session.get(Configuration, (place.id, RECEPTION)) is not None
    kept = _kept(platform, place)
    today = clock.in_paris(clock.now()).date()
    given = (kept or InvoiceReception(since=today.replace(month=1, day=1))).model_dump(mode="json")
    values: dict[str, Any] = {
        "kept": kept,
        "own": own,
        "given": given,
        "kinds": [(one.value, words.of_page(_PAGE)(f"kind.{one.value}")) for one in Kind],
        **said,
    }
    return shown(request, _PAGE, visitor, place, **values)


def _kept(platform: Platform, place: Place) -> InvoiceReception | None:
    try:
        return knowledge.reception_of(platform, place.id)
    except NeedsOperator:
        return None
