"""The list of dossiers: a sentence, filters that stand in the address, pages forwards and backwards."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import cursors
from api.tenants import below, organisation_named
from api.v1.shapes import has_ended
from api.web.archive.waiting import for_others
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from core.errors import NotFound, UsageError
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import reading
from flows.engine.reading import Wanted
from flows.registry import FLOWS

router = APIRouter()
_A_PAGE = 25
_STATES = tuple(dict.fromkeys(state for flow in FLOWS.values() for state in flow.states))


@router.get("/dossiers")
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    q: Annotated[str, Query(max_length=100)] = "",
    etat: str = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
    parked: bool = False,
    apres: Annotated[str, Query(max_length=200)] = "",
    avant: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show a page of the list; a filter that names nothing finds nothing."""
    filters = {"q": q.strip(), "etat": etat, "organisation": organisation, "parked": "1" if parked else ""}
    owners = _meant(platform, visitor.principal, organisation)
    wanted = Wanted(owners, None, (etat,) if etat else (), True if parked else None, text=q.strip())
    with reading.surveyed(platform.database, visitor.principal) as session:
        page = reading.page(session, wanted, _A_PAGE, after=cursors.read(apres), before=cursors.read(avant))
        organisations = reading.organisations(session)
        waiting = reading.parked_count(session)
    return render(
        request,
        "web/dossiers/dossiers.html",
        visitor=visitor,
        page=page,
        filters=filters,
        filtered=any(filters.values()),
        states=_STATES,
        organisations=organisations,
        names={organisation.id: organisation.name for organisation in organisations},
        ended={line.id for line in page.lines if has_ended(line)},
        good=_good_ends(),
        waiting=waiting,
        operates=bool(visitor.where(Right.OPERATE)),
        archives=for_others(platform, visitor),
        next=_address(filters, apres=cursors.written(page.after)),
        previous=_address(filters, avant=cursors.written(page.before)),
    )


def _meant(platform: Platform, principal: Principal, organisation: str) -> tuple[str, ...]:
    if not organisation:
        return ()
    try:
        return below(platform, organisation_named(platform, principal, organisation))
    except (NotFound, UsageError):
        return ("",)


def _good_ends() -> set[str]:
    return {row.state for flow in FLOWS.values() for row in flow.rows.values() if getattr(row, "good", False)}


def _address(filters: dict[str, str], **place: str | None) -> str | None:
    if not any(place.values()):
        return None
    return "/dossiers?" + urlencode({name: value for name, value in {**filters, **place}.items() if value})
