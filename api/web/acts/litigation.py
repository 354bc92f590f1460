"""“Le contentieux est terminé”: the day and how it ended, behind a page that says what follows from it."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.acts.telling import Telling, tell
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import UsageError
from core.messages import Catalogue
from core.principal import Right
from flows.actes import litigation

router = APIRouter()
_PATH = "/actes/{act_id}/contentieux"
_t = Catalogue("api.web.acts")


@router.get(_PATH)
def ask(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Show what it means to say so."""
    telling = tell(platform, visitor, act_id)
    visitor.principal.require(Right.DEPOSIT, telling.seen.dossier.organisation_id)
    if not telling.settles:
        return RedirectResponse(f"/actes/{act_id}", status_code=303)
    return _form(request, visitor, telling, {})


@router.post(_PATH)
def settled(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, act_id: Identifier) -> Response:
    """Note the end of the litigation; what cannot be noted comes back as it was typed."""
    visitor.check(fields.get("csrf"))
    telling = tell(platform, visitor, act_id)
    try:
        litigation.settle(platform, visitor.principal, act_id, _day(fields.get("ended", "")), fields.get("result", ""))
    except UsageError as error:
        return _form(request, visitor, telling, fields, fault_of(error).detail)
    return RedirectResponse(f"/actes/{act_id}?fait=contentieux", status_code=303)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(_t("settle.day")) from error


def _form(request: Request, visitor: Visitor, telling: Telling, typed: dict[str, str], trouble: str = "") -> HTMLResponse:
    return render(
        request,
        "web/acts/litigation.html",
        visitor=visitor,
        status=400 if trouble else 200,
        dossier=telling.seen.dossier,
        act=telling.act,
        today=telling.today,
        typed=typed,
        trouble=trouble,
        longest=litigation.LONGEST_RESULT,
    )
