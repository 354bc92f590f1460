"""“Facture”: as on paper, where it stands, its term, its life at Chorus Pro; and the part that follows the work."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.web.invoices import figures
from api.web.invoices.standing import MOVING, Deed
from api.web.invoices.telling import Telling, found, tell, version_of
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from schemas.invoices.wording import messages as paper_words

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
Lines = Annotated[int, Query(ge=1, le=10_000)]
_DONE = frozenset(deed.value for deed in Deed)
_NO_MORE, _UNCHANGED = 286, 204  # htmx: take this answer and stop asking; nothing has changed


@router.get("/factures/{invoice_id}")
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    invoice_id: Identifier,
    lignes: Lines = 1,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show an invoice, with a page of its lines; ``fait`` says what the visitor has just done."""
    telling = tell(platform, visitor, invoice_id, lignes)
    done = fait if fait in _DONE else ""
    return render(request, "web/invoices/invoice.html", visitor=visitor, done=done, **context(telling))


@router.get("/factures/{invoice_id}/suivi")
def followed(
    request: Request, platform: Parts, visitor: SignedIn, invoice_id: Identifier, lignes: Lines = 1, version: str = ""
) -> Response:
    """Return the following part, or nothing when nothing has changed since the version that the browser shows."""
    whole, _ = found(platform, visitor, invoice_id)
    moves = whole.seen.dossier.state in MOVING
    if version == version_of(whole) and moves:
        return Response(status_code=_UNCHANGED)
    told = {**context(tell(platform, visitor, invoice_id, lignes)), "swapped": True}
    return render(request, "web/invoices/following.html", visitor=visitor, status=200 if moves else _NO_MORE, **told)


def context(telling: Telling) -> dict[str, Any]:
    """Return what the templates of an invoice are given."""
    dossier = telling.seen.dossier
    return {
        "telling": telling,
        "dossier": dossier,
        "invoice": telling.invoice,
        "paper": telling.paper,
        "p": paper_words,
        "money": figures.money,
        "quantity": figures.quantity,
        "rate": figures.rate,
        "moves": dossier.state in MOVING and dossier.parked is None,
        "trouble": telling.seen.step.trouble if telling.seen.step else None,
        "swapped": False,
    }
