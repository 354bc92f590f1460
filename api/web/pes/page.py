"""The pages of the PES of a dossier, for whoever may read the dossier."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from api.web.pages import render
from api.web.pes import taken, view
from api.web.pes.view import Around
from api.web.viewer.view import ZOOMS, Addresses, Asked, image_response
from api.web.viewer.view import view as viewed
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.engine import reading
from flows.engine.models import DossierFile
from flows.engine.reading import Seen
from schemas.pes.shelf import shelved

router = APIRouter()
messages = Catalogue("api.web.pes")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
Rank = Annotated[int, Path(ge=1, le=1_000_000_000)]
Beginning = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]
_LARGEST_REPORT = 4 << 20
_NO_MORE = 286  # htmx: take this answer, and stop asking
_ROLES = ("signed", "pes")


@router.get("/dossiers/{dossier_id}/pes")
def shown(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier) -> HTMLResponse:
    """Show the flow: its header, its bordereaux, its pièces."""
    seen, kept = _seen(platform, visitor, dossier_id)
    around = replace(_around(visitor, seen, kept), report=_report(platform, seen))
    context = view.overview(platform, kept, request.query_params, around)
    return render(request, "web/pes/pes.html", visitor=visitor, dossier=seen.dossier, **context)


@router.get("/dossiers/{dossier_id}/pes/lecture")
def progress(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, vu: str = "") -> Response:
    """Say how far the reading has come; ``vu`` is set by a page that shows something already."""
    seen, kept = _seen(platform, visitor, dossier_id)
    state = shelved(platform, kept.sha256, patience=0)
    context = view.progress(kept, state, _around(visitor, seen, kept))
    over = state.whole or state.trouble is not None
    answer = render(request, "web/pes/progress.html", visitor=visitor, status=_NO_MORE if over else 200, **context)
    if not vu and (over or state.path is not None):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get("/dossiers/{dossier_id}/pes/pieces/{rank}")
def piece(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, rank: Rank) -> HTMLResponse:
    """Show a mandat or a titre with its lines."""
    seen, kept = _seen(platform, visitor, dossier_id)
    context = view.piece(platform, kept, rank, request.query_params, _around(visitor, seen, kept))
    return render(request, "web/pes/piece_page.html", visitor=visitor, dossier=seen.dossier, **context)


@router.get("/dossiers/{dossier_id}/pes/pj")
def documents(request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier) -> HTMLResponse:
    """Show the supporting documents, and what names none."""
    seen, kept = _seen(platform, visitor, dossier_id)
    context = view.documents(platform, kept, request.query_params, _around(visitor, seen, kept))
    return render(request, "web/pes/documents_page.html", visitor=visitor, dossier=seen.dossier, **context)


@router.get("/dossiers/{dossier_id}/pes/pj/{rank}")
def document(platform: Parts, visitor: SignedIn, dossier_id: Identifier, rank: Rank) -> FileResponse:
    """Give a supporting document out."""
    _, kept = _seen(platform, visitor, dossier_id)
    return taken.download(platform, kept, rank)


@router.get("/dossiers/{dossier_id}/pes/pj/{rank}/apercu")
def document_pages(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    dossier_id: Identifier,
    rank: Rank,
    page: Beginning = 1,
    zoom: int = ZOOMS[0],
) -> HTMLResponse:
    """Show the pages of a supporting document."""
    return _viewed(request, platform, visitor, (dossier_id, rank), Asked(page, zoom if zoom in ZOOMS else ZOOMS[0]))


@router.get("/dossiers/{dossier_id}/pes/pj/{rank}/texte")
def document_text(
    request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, rank: Rank, page: Beginning = 1
) -> HTMLResponse:
    """Show the text of a supporting document, page by page."""
    return _viewed(request, platform, visitor, (dossier_id, rank), Asked(page, text=True))


@router.get("/dossiers/{dossier_id}/pes/pj/{rank}/pages/{number}.webp")
def document_image(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    dossier_id: Identifier,
    rank: Rank,
    number: Rank,
    width: Annotated[int, Query(alias="l", ge=1, le=10_000)],
) -> Response:
    """Give a page of a supporting document out as an image."""
    _, kept = _seen(platform, visitor, dossier_id)
    return image_response(platform, taken.as_kept(platform, kept, rank), number, width, request)


def _viewed(request: Request, platform: Platform, visitor: Visitor, place: tuple[str, int], asked: Asked) -> HTMLResponse:
    dossier_id, rank = place
    seen, kept = _seen(platform, visitor, dossier_id)
    around = _around(visitor, seen, kept)
    base = f"{around.base}/pj/{rank}"
    document = taken.as_kept(platform, kept, rank)
    viewer = viewed(platform, document, Addresses(base, f"{base}/apercu"), asked, title=document.name)
    return render(
        request, "web/pes/document_page.html", visitor=visitor, viewer=viewer, dossier=seen.dossier, kept=document, around=around
    )


def _seen(platform: Platform, visitor: Visitor, dossier_id: str) -> tuple[Seen, DossierFile]:
    """Return a dossier and the flow that it holds, as it leaves: signed when it was."""
    with reading.opened(platform.database, visitor.principal) as session:
        seen = reading.seen(session, dossier_id)
    newest = {kept.role: kept for kept in seen.files}
    kept = next((newest[role] for role in _ROLES if role in newest), None)
    if kept is None:
        raise NotFound(messages("pes.absent"))
    return seen, kept


def _around(visitor: Visitor, seen: Seen, kept: DossierFile) -> Around:
    dossier = seen.dossier
    return Around(
        base=f"/dossiers/{dossier.id}/pes",
        raw=f"/dossiers/{dossier.id}/fichiers/{kept.id}",
        acquit=dossier.facts.get("acquit"),
        invalid=any(problem["rule"] == "R06" for problem in seen.problems),
        plain=visitor.principal.may(Right.OPERATE, dossier.organisation_id),
    )


def _report(platform: Platform, seen: Seen) -> dict[str, Any] | None:
    """Return the newest verdict on the signatures that the dossier keeps; None when it keeps none."""
    kept = next((one for one in reversed(seen.files) if one.role == "report"), None)
    if kept is None or kept.size > _LARGEST_REPORT:
        return None
    with platform.objects.reading(kept.sha256) as source:
        report: dict[str, Any] = json.loads(source.read(_LARGEST_REPORT))
    return report
