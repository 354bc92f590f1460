"""“Acte”: what it is, where it stands, its clock, the letters, and what can be done now; and the part that follows the work."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import downloads
from api.acts import finding
from api.acts.finding import Whole
from api.web.acts.papers import budget_shown
from api.web.acts.publication import publishing_of
from api.web.acts.standing import MOVING
from api.web.acts.telling import Telling, tell
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.platform import Platform
from flows.engine import reading

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_DONE = frozenset({"depot", "reponse", "annulation", "contentieux", "renvoi", "publication", "oubli", "retrait"})
_NO_MORE, _UNCHANGED = 286, 204  # htmx: take this answer and stop asking; nothing has changed


@router.get("/actes/{act_id}")
def shown(
    request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier, fait: Annotated[str, Query(max_length=20)] = ""
) -> HTMLResponse:
    """Show an act; ``fait`` says what the visitor has just done."""
    telling = tell(platform, visitor, act_id)
    done = fait if fait in _DONE else ""
    return render(request, "web/acts/act.html", visitor=visitor, done=done, **context(request, platform, visitor, telling))


@router.get("/actes/{act_id}/suivi")
def followed(request: Request, platform: Parts, visitor: SignedIn, act_id: Identifier, version: str = "") -> Response:
    """Return the following part, or nothing when nothing has changed since the version that the browser shows."""
    telling = tell(platform, visitor, act_id)
    moves = telling.seen.dossier.state in MOVING
    if version == telling.version and moves:
        return Response(status_code=_UNCHANGED)
    shown = {**context(request, platform, visitor, telling), "swapped": True}
    return render(request, "web/acts/following.html", visitor=visitor, status=200 if moves else _NO_MORE, **shown)


@router.get("/actes/{act_id}/fichiers/{act_file_id}/tampon")
def stamped(
    platform: Parts,
    visitor: SignedIn,
    act_id: Identifier,
    act_file_id: Identifier,
    publie: Annotated[date | None, Query()] = None,
) -> Response:
    """Give a copy of a PDF with the préfecture's stamp on each page, and the day of publication when it is told."""
    with reading.opened(platform.database, visitor.principal) as session:
        found = finding.whole(session, act_id)
        kept = reading.file_of(session, act_id, act_file_id)
    return downloads.copy(*finding.stamped(platform, found, kept, publie), "application/pdf")


def context(request: Request, platform: Platform, visitor: Visitor, telling: Telling) -> dict[str, Any]:
    """Return what the templates of an act are given."""
    dossier = telling.seen.dossier
    return {
        "telling": telling,
        "dossier": dossier,
        "act": telling.act,
        "publishing": publishing_of(request, platform, visitor, telling.seen),
        "budget": budget_shown(platform, Whole(telling.seen, telling.act, ())),
        "moves": dossier.state in MOVING and dossier.parked is None,
        "trouble": telling.seen.step.trouble if telling.seen.step else None,
        # Once the préfecture has the act, what was remarked before it left is no more to be mended.
        "problems": dossier.problems if telling.acknowledged else telling.seen.problems,
        "swapped": False,
    }
