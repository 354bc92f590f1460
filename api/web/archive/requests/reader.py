"""The page of a reader: whoever holds the link sees what it gives, and takes it, once; nobody signs in for it.

Looking uses nothing up: mail servers open links before people do.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api import downloads
from api.problems import fault_of
from api.web.pages import render
from api.web.visitor import Parts
from archive.finding import links
from core.errors import NotFound

router = APIRouter()
_ONE = f"{links.PREFIX}/{{secret}}"
Secret = Annotated[str, Path(max_length=100)]
_PRIVATE = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


@router.get(_ONE)
def shown(request: Request, platform: Parts, secret: Secret) -> HTMLResponse:
    """Show what a link gives."""
    try:
        seen = links.behind(platform, secret)
    except NotFound as error:
        return _nothing(request, error)
    page = render(
        request,
        "web/archive/requests/reader.html",
        trouble="",
        secret=secret,
        seen=seen,
        records=seen.kept,
        gone=len(seen.records) - len(seen.kept),
        size=sum(map(seen.size, seen.kept)),
        ends=seen.request.link_ends,
    )
    page.headers.update(_PRIVATE)
    return page


@router.post(_ONE)
def taken(request: Request, platform: Parts, secret: Secret) -> Response:
    """Give the copies out; the link opens nothing from then on."""
    try:
        answer = downloads.zipped("communication.zip", partial(links.take, platform, secret))
    except NotFound as error:
        return _nothing(request, error)
    answer.headers.update(_PRIVATE)
    return answer


def _nothing(request: Request, error: NotFound) -> HTMLResponse:
    fault = fault_of(error)
    page = render(request, "web/archive/requests/reader.html", status=fault.status, trouble=fault.detail, records=())
    page.headers.update(_PRIVATE)
    return page
