"""The documents of a dossier, to be looked at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.marks import dangers_of
from api.web.pages import render
from api.web.viewer.view import ZOOMS, Addresses, Asked, Tab, image_response, view
from api.web.visitor import Parts, SignedIn, Visitor
from api.words import label
from core.platform import Platform
from flows.engine import reading

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
Beginning = Annotated[int, Query(alias="page", ge=1, le=1_000_000)]
_ADDRESS = "/dossiers/{dossier_id}/fichiers/{file_id}"


@router.get(f"{_ADDRESS}/apercu")
def pages(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    dossier_id: Identifier,
    file_id: Identifier,
    page: Beginning = 1,
    zoom: int = ZOOMS[0],
) -> HTMLResponse:
    """Show the pages of a document."""
    return _shown(request, platform, visitor, (dossier_id, file_id), Asked(page, zoom if zoom in ZOOMS else ZOOMS[0]))


@router.get(f"{_ADDRESS}/texte")
def text(
    request: Request, platform: Parts, visitor: SignedIn, dossier_id: Identifier, file_id: Identifier, page: Beginning = 1
) -> HTMLResponse:
    """Show the text of a document, page by page."""
    return _shown(request, platform, visitor, (dossier_id, file_id), Asked(page, text=True))


@router.get(f"{_ADDRESS}/pages/{{number}}.webp")
def image(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    dossier_id: Identifier,
    file_id: Identifier,
    number: Number,
    width: Annotated[int, Query(alias="l", ge=1, le=10_000)],
) -> Response:
    """Give a page out as an image."""
    with reading.opened(platform.database, visitor.principal) as session:
        kept = reading.file_of(session, dossier_id, file_id)
    return image_response(platform, kept, number, width, request)


def _shown(request: Request, platform: Platform, visitor: Visitor, ids: tuple[str, str], asked: Asked) -> HTMLResponse:
    dossier_id, file_id = ids
    with reading.opened(platform.database, visitor.principal) as session:
        kept = reading.file_of(session, dossier_id, file_id)
        seen = reading.seen(session, dossier_id)
    folder = f"/dossiers/{dossier_id}/fichiers"
    tabs = [
        Tab(label(f"role.{one.role}", seen.dossier.flow), f"{folder}/{one.id}/apercu", one.id == file_id) for one in seen.files
    ]
    addresses = Addresses(f"{folder}/{file_id}", f"{folder}/{file_id}/apercu")
    shown = view(platform, kept, addresses, asked, title=kept.name, tabs=tabs if len(tabs) > 1 else ())
    danger = dangers_of(seen.dossier, [kept]).get(kept.id)
    dossier, page = seen.dossier, "web/viewer/document.html"
    return render(request, page, visitor=visitor, viewer=shown, dossier=dossier, kept=kept, danger=danger)
