"""The public pages, gathered; an address below them that is none of theirs is answered as a public page too."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.publications import feed, files, open_data, page
from api.publications.finding import METHODS, ROOT
from core.errors import NotFound
from core.messages import Catalogue

router = APIRouter(include_in_schema=False)
_t = Catalogue("api.publications")
for part in (page, files, feed, open_data):
    router.include_router(part.router)


@router.api_route(ROOT + "/{elsewhere:path}", methods=METHODS)
def nowhere() -> Response:
    """Say that an address leads to nothing."""
    raise NotFound(_t("absent.address"))
