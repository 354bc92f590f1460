"""“Courriers”: the list, narrowed by what stands in the address, in pages that go forwards and backwards from a send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import cursors
from api.web.mails.standing import colour
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from core import clock
from flows.engine import reading as dossiers
from flows.mail import reading
from flows.mail.kinds import BUILT_IN
from flows.mail.reading import Wanted
from flows.mail.standing import Standing

router = APIRouter()
_A_PAGE = 25
_DONE = frozenset({"abandon"})
_NOBODY = "-"
"""No organisation, kind or text has this name: a filter that names nothing finds nothing."""


def _filters(
    q: Annotated[str, Query(max_length=100)] = "",
    etat: Annotated[str, Query(max_length=20)] = "",
    type_: Annotated[str, Query(alias="type", max_length=40)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> dict[str, str]:
    return {"q": q.strip(), "etat": etat, "type": type_, "organisation": organisation}


Filters = Annotated[dict[str, str], Depends(_filters)]
"""What the list is narrowed by, as its address says it."""


@router.get("/courriers")
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Filters,
    apres: Annotated[str, Query(max_length=200)] = "",
    avant: Annotated[str, Query(max_length=200)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a page of the list; ``fait`` says what the visitor has just done."""
    with dossiers.opened(platform.database, visitor.principal) as session:
        organisations = dossiers.organisations(session)
    standing = filters["etat"]
    known = standing in list(Standing)
    wanted = Wanted(
        organisations=(filters["organisation"],) if filters["organisation"] else (),
        standing=Standing(standing) if known else None,
        kind=filters["type"] if known or not standing else _NOBODY,
        text=filters["q"],
        after=cursors.read(apres),
        before=cursors.read(avant),
        limit=_A_PAGE,
    )
    page = reading.list_mails(platform.database, visitor.principal, wanted)
    return render(
        request,
        "web/mails/list.html",
        visitor=visitor,
        page=page,
        colours={one.dossier_id: colour(one.standing, failed=one.failed > 0, parked=bool(one.parked)) for one in page.lines},
        filters=filters,
        filtered=any(filters.values()),
        standings=list(Standing),
        kinds=list(BUILT_IN),
        organisations=organisations,
        names={one.id: one.name for one in organisations},
        today=clock.in_paris(clock.now()).date(),
        returns=len(reading.unsettled(platform.database, visitor.principal)),
        most=reading.MOST,
        done=fait if fait in _DONE else "",
        next=_address(filters, apres=cursors.written(page.after)),
        previous=_address(filters, avant=cursors.written(page.before)),
    )


def _address(filters: Mapping[str, str], **place: str | None) -> str | None:
    if not any(place.values()):
        return None
    return f"/courriers?{urlencode({name: value for name, value in {**filters, **place}.items() if value})}"
