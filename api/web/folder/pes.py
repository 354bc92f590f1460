"""The PES of a folder, looked into without leaving the decision: pièces, lines, supporting documents."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from api.web.folder.content import Content
from api.web.folder.page import (
    DOCUMENT,
    Beginning,
    Identifier,
    Number,
    Where,
    around_pes,
    document_in,
    folder_page,
    folder_rendered,
    is_pes,
    kept_of,
    read,
)
from api.web.pages import render
from api.web.pes import taken, view
from api.web.pes.view import Around
from api.web.viewer.view import ZOOMS, Addresses, Asked, image_response
from api.web.viewer.view import view as viewed
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.work import KeptFile
from schemas.pes.shelf import shelved

router = APIRouter()
messages = Catalogue("api.web.folder")
PES = DOCUMENT + "/pes"
Rank = Annotated[int, Path(ge=1, le=1_000_000_000)]
_NO_MORE = 286  # htmx: take this answer, and stop asking


@router.get(PES)
def overview(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier
) -> HTMLResponse:
    """Show the flow: its header, its bordereaux, its pièces."""
    where, content, _, _ = _within(request, platform, visitor, folder_id, document_id)
    return folder_page(request, platform, visitor, content, where)


@router.get(PES + "/lecture")
def progress(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier, vu: str = ""
) -> Response:
    """Say how far the reading has come; ``vu`` is set by a page that shows something already."""
    kept = kept_of(document_in(platform, visitor, folder_id, document_id))
    state = shelved(platform, kept.sha256, patience=0)
    base = f"/parapheur/dossiers/{folder_id}/documents/{document_id}"
    context = view.progress(kept, state, Around(f"{base}/pes", base))
    over = state.whole or state.trouble is not None
    answer = render(request, "web/pes/progress.html", visitor=visitor, status=_NO_MORE if over else 200, **context)
    if not vu and (over or state.path is not None):
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get(PES + "/pieces/{rank}")
def piece(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier, rank: Rank
) -> HTMLResponse:
    """Show a mandat or a titre with its lines."""
    where, content, kept, around = _within(request, platform, visitor, folder_id, document_id)
    context = view.piece(platform, kept, rank, request.query_params, around)
    return folder_rendered(request, platform, visitor, content, where, {"part": "piece", **context})


@router.get(PES + "/pj")
def documents(
    request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier
) -> HTMLResponse:
    """Show the supporting documents, and what names none."""
    where, content, kept, around = _within(request, platform, visitor, folder_id, document_id)
    context = view.documents(platform, kept, request.query_params, around)
    return folder_rendered(request, platform, visitor, content, where, {"part": "documents", **context})


@router.get(PES + "/pj/{rank}")
def document(platform: Parts, visitor: SignedIn, folder_id: Identifier, document_id: Identifier, rank: Rank) -> FileResponse:
    """Give a supporting document out."""
    return taken.download(platform, kept_of(document_in(platform, visitor, folder_id, document_id)), rank)


@router.get(PES + "/pj/{rank}/apercu")
def document_pages(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    document_id: Identifier,
    rank: Rank,
    page: Beginning = 1,
    zoom: int = ZOOMS[0],
) -> HTMLResponse:
    """Show the pages of a supporting document."""
    asked = Asked(page, zoom if zoom in ZOOMS else ZOOMS[0])
    return _supporting(request, platform, visitor, (folder_id, document_id, rank), asked)


@router.get(PES + "/pj/{rank}/texte")
def document_text(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    document_id: Identifier,
    rank: Rank,
    page: Beginning = 1,
) -> HTMLResponse:
    """Show the text of a supporting document, page by page."""
    return _supporting(request, platform, visitor, (folder_id, document_id, rank), Asked(page, text=True))


@router.get(PES + "/pj/{rank}/pages/{number}.webp")
def document_image(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    document_id: Identifier,
    rank: Rank,
    number: Number,
    width: Annotated[int, Query(alias="l", ge=1, le=10_000)],
) -> Response:
    """Give a page of a supporting document out as an image."""
    kept = taken.as_kept(platform, kept_of(document_in(platform, visitor, folder_id, document_id)), rank)
    return image_response(platform, kept, number, width, request)


def _supporting(
    request: Request, platform: Platform, visitor: Visitor, place: tuple[str, str, int], asked: Asked
) -> HTMLResponse:
    folder_id, document_id, rank = place
    where, content, kept, around = _within(request, platform, visitor, folder_id, document_id)
    taken_out = taken.as_kept(platform, kept, rank)
    base = f"{around.base}/pj/{rank}"
    shown = viewed(platform, taken_out, Addresses(base, f"{base}/apercu"), asked, title=taken_out.name)
    context: dict[str, Any] = {"part": "supporting", "viewer": shown, "back": f"{around.base}/pj"}
    return folder_rendered(request, platform, visitor, content, where, context)


def _within(
    request: Request, platform: Platform, visitor: Visitor, folder_id: str, document_id: str
) -> tuple[Where, Content, KeptFile, Around]:
    where = Where.of(request, folder_id, document_id)
    content = read(platform, visitor, where)
    if content.current is None or content.current.id != document_id or not is_pes(content, content.current):
        raise NotFound(messages("document.unknown"))
    return where, content, kept_of(content.current), around_pes(visitor, content, content.current)
