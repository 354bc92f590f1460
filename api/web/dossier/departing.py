"""Saying of a dossier that a restored backup has as it was that it has left: on what evidence, confirmed on a page of its own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.problems import fault_of
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, UsageError
from core.platform import Platform
from core.principal import Right
from flows.engine import departed, reading
from flows.engine.reading import Seen
from flows.registry import FLOWS

router = APIRouter()
_PATH = "/dossiers/{dossier_id}/envoye"


@router.get(_PATH)
def ask(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier) -> Response:
    """Show what it means, and ask on what evidence; the dossier itself, when there is nothing to be said."""
    seen = _operated(platform, visitor, dossier_id)
    if not departed.may_be_said(seen.dossier, FLOWS[seen.dossier.flow]):
        return RedirectResponse(f"/dossiers/{dossier_id}", status_code=303)
    return _asking(request, visitor, seen)


@router.post(_PATH)
def said(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, dossier_id: Identifier) -> Response:
    """Take it as sent; said twice, it is said once."""
    visitor.check(fields.get("csrf"))
    seen = _operated(platform, visitor, dossier_id)
    typed = {name: fields.get(name, "") for name in ("reason", "reference")}
    try:
        departed.decide(platform, FLOWS, visitor.principal, dossier_id, **typed)
    except (UsageError, Conflict) as error:
        fault = fault_of(error)
        return _asking(request, visitor, seen, status=fault.status, trouble=fault.detail, typed=typed)
    return RedirectResponse(f"/dossiers/{dossier_id}?fait=envoye", status_code=303)


def _operated(platform: Platform, visitor: Visitor, dossier_id: str) -> Seen:
    with reading.surveyed(platform.database, visitor.principal) as session:
        seen = reading.seen(session, dossier_id)
    visitor.principal.require(Right.OPERATE, seen.dossier.organisation_id)
    return seen


def _asking(
    request: Request, visitor: Visitor, seen: Seen, *, status: int = 200, trouble: str = "", typed: dict[str, str] | None = None
) -> Response:
    flow, state = FLOWS[seen.dossier.flow], seen.dossier.state
    row = departed.ahead(flow, state)
    return render(
        request,
        "web/dossier/departed.html",
        visitor=visitor,
        status=status,
        seen=seen,
        at_once=row is not None and row.state == state,
        trouble=trouble,
        typed=typed or {"reason": "", "reference": ""},
        longest=departed.LONGEST_REASON,
        longest_reference=departed.LONGEST_REFERENCE,
    )
