"""What is done with an elimination beside its visa: its list edited, proposed, agreed, ordered, given up; its papers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled, Identifier
from api.web.archive.eliminations.page import ONE, page, part_of
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.elimination import deciding, lists
from core.errors import NotFound, TabellionError
from core.messages import Catalogue
from core.platform import Platform

router = APIRouter()
_t = Catalogue("api.web.archive.eliminations")
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}
_PAPERS = {
    "bordereau": ("bordereau-d-elimination.pdf", "application/pdf"),
    "certificate": ("certificat-d-elimination.pdf", "application/pdf"),
    "visa_document": ("visa.pdf", "application/pdf"),
    "listing": ("liste.csv", "text/csv"),
}


def _done(
    request: Request, platform: Platform, visitor: Visitor, elimination_id: str, done: str, act: Callable[[], object]
) -> Response:
    """Do something, and show the elimination: what was done, or why it could not be."""
    part_of(platform, visitor, elimination_id)
    try:
        act()
    except TabellionError as error:
        fault = fault_of(error)
        return page(request, platform, visitor, elimination_id, trouble=fault.detail, status=fault.status)
    return RedirectResponse(f"{ONE.format(elimination_id=elimination_id)}?fait={done}", status_code=303)


@router.post(f"{ONE}/liste")
def edited(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, sheet: Filled) -> Response:
    """Put the ticked lines on the list, or take them off it."""
    visitor.check(sheet.text("csrf"))
    chosen, wanted = sheet.text("do") == "on", sheet.texts("record")
    return _done(
        request,
        platform,
        visitor,
        elimination_id,
        "liste",
        lambda: lists.edit(platform, visitor.principal, elimination_id, wanted, chosen=chosen),
    )


@router.post(f"{ONE}/proposition")
def proposed(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, fields: Fields) -> Response:
    """Propose the list to the producer."""
    visitor.check(fields.get("csrf"))
    act = lambda: deciding.propose(platform, visitor.principal, elimination_id)  # noqa: E731
    return _done(request, platform, visitor, elimination_id, "proposee", act)


@router.post(f"{ONE}/accord")
def agreed(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, fields: Fields) -> Response:
    """Agree for the producer."""
    visitor.check(fields.get("csrf"))
    act = lambda: deciding.agree(platform, visitor.principal, elimination_id)  # noqa: E731
    return _done(request, platform, visitor, elimination_id, "accord", act)


@router.post(f"{ONE}/execution")
def ordered(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, fields: Fields) -> Response:
    """Order the destruction."""
    visitor.check(fields.get("csrf"))
    act = lambda: deciding.order(platform, visitor.principal, elimination_id)  # noqa: E731
    return _done(request, platform, visitor, elimination_id, "ordre", act)


@router.post(f"{ONE}/abandon")
def abandoned(request: Request, platform: Parts, visitor: SignedIn, elimination_id: Identifier, fields: Fields) -> Response:
    """Give the elimination up."""
    visitor.check(fields.get("csrf"))
    act = lambda: lists.abandon(platform, visitor.principal, elimination_id)  # noqa: E731
    return _done(request, platform, visitor, elimination_id, "abandon", act)


@router.get(f"{ONE}/bordereau.pdf")
def bordereau(platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Give the printed bordereau."""
    return _paper(platform, visitor, elimination_id, "bordereau")


@router.get(f"{ONE}/liste-proposee.csv")
def listing(platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Give the list that the bordereau names by its digest."""
    return _paper(platform, visitor, elimination_id, "listing")


@router.get(f"{ONE}/visa.pdf")
def visa_document(platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Give the visa that was signed on paper."""
    return _paper(platform, visitor, elimination_id, "visa_document")


@router.get(f"{ONE}/certificat.pdf")
def certificate(platform: Parts, visitor: SignedIn, elimination_id: Identifier) -> Response:
    """Give the certificate."""
    return _paper(platform, visitor, elimination_id, "certificate")


def _paper(platform: Platform, visitor: Visitor, elimination_id: str, paper: str) -> Response:
    digest = getattr(part_of(platform, visitor, elimination_id), paper)
    if digest is None:
        raise NotFound(_t("no_paper"))
    name, media_type = _PAPERS[paper]
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:  # twenty megabytes at most, and checked before they leave
        path = Path(folder) / name
        platform.objects.fetch(digest, path)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', **_HARMLESS}
        return Response(path.read_bytes(), media_type=media_type, headers=headers)
