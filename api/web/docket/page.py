"""The docket of a folder for whoever sees the folder: a page, a tagged PDF, and the print of the whole folder."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import dockets
from api.dockets import Told
from api.web.folder.page import FOLDER, Identifier
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.messages import Catalogue
from core.platform import Platform
from signing.parapheur import access
from signing.parapheur.folders import MOST_ANNEXES
from signing.parapheur.models import DocumentKind

router = APIRouter()
messages = Catalogue("api.web.docket")
_PDF = "application/pdf"
_HARMLESS = {
    # What stands in it came from outsiders: nothing runs or loads in it.
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@router.get(FOLDER + "/bordereau")
def page(request: Request, platform: Parts, visitor: SignedIn, folder_id: Identifier) -> HTMLResponse:
    """Show the docket as a page, whence it is printed."""
    told = _told(platform, visitor, folder_id)
    annexes = [one for one in told.documents if one.kind == DocumentKind.ANNEX.value and one.media_type == _PDF]
    return render(
        request,
        "web/docket/docket.html",
        visitor=visitor,
        docket=dockets.page_of(platform, told),
        title=told.docket.title,
        folder=f"/parapheur/dossiers/{folder_id}",
        annexes=annexes,
    )


@router.get(FOLDER + "/bordereau.pdf")
def pdf(platform: Parts, visitor: SignedIn, folder_id: Identifier) -> Response:
    """Give the docket out."""
    return _given(messages("file.docket", folder=folder_id), dockets.pdf_of(platform, _told(platform, visitor, folder_id)))


@router.get(FOLDER + "/impression.pdf")
def whole(
    platform: Parts,
    visitor: SignedIn,
    folder_id: Identifier,
    annexe: Annotated[list[str], Query(max_length=MOST_ANNEXES)] = [],  # noqa: B006 - FastAPI copies it
) -> Response:
    """Give the print of the folder out: its documents, the annexes that are chosen, its docket."""
    told = _told(platform, visitor, folder_id)
    return _given(messages("file.print", folder=folder_id), dockets.print_of(platform, told, annexe))


def _told(platform: Platform, visitor: Visitor, folder_id: str) -> Told:
    see = partial(access.seen, principal=visitor.principal, folder_id=folder_id)
    return dockets.told_of(platform, visitor.principal, folder_id, see)


def _given(name: str, octets: bytes) -> Response:
    headers = _HARMLESS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(octets, media_type=_PDF, headers=headers)
