"""“Versements”: the list, narrowed by what stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import cursors
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.ingest.models import ArchiveAgreement
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine import reading as dossiers
from flows.transfers import deciding, reading
from flows.transfers.flow import TRANSFER
from flows.transfers.reading import Line, Wanted
from schemas.seda import codes

router = APIRouter()
PATH = "/archives/versements"
_A_PAGE = 25
_DONE = frozenset({"acceptes", "refuses"})
_COLOURS = {"to_accept": "amber", "archived": "green", "rejected": "red", "declined": "red", "tried": "grey", "duplicate": "grey"}


def _filters(
    q: Annotated[str, Query(max_length=255)] = "",
    etat: Annotated[str, Query(max_length=20)] = "",
    accord: Annotated[str, Query(max_length=26)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> dict[str, str]:
    return {"q": q.strip(), "etat": etat, "accord": accord, "organisation": organisation}


Filters = Annotated[dict[str, str], Depends(_filters)]


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Filters,
    apres: Annotated[str, Query(max_length=200)] = "",
    avant: Annotated[str, Query(max_length=200)] = "",
    fait: Annotated[str, Query(max_length=20)] = "",
    nombre: Annotated[int, Query(ge=0, le=deciding.MOST)] = 0,
) -> HTMLResponse:
    """Show a page of the list; ``fait`` and ``nombre`` say what the visitor has just done, and to how many."""
    place = {"after": cursors.read(apres), "before": cursors.read(avant)}
    return list_page(request, platform, visitor, filters, place, done=fait if fait in _DONE else "", count=nombre)


def list_page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    filters: Mapping[str, str],
    place: Mapping[str, Any],
    *,
    status: int = 200,
    **told: Any,
) -> HTMLResponse:
    """Return a page of the list; ``told`` says what became of what the visitor has just done."""
    with dossiers.opened(platform.database, visitor.principal) as session:
        organisations = dossiers.organisations(session)
    wanted = Wanted(
        organisations=(filters["organisation"],) if filters["organisation"] else (),
        states=(filters["etat"],) if filters["etat"] else (),
        agreement=filters["accord"],
        text=filters["q"],
        limit=_A_PAGE,
        **place,
    )
    page = reading.list_transfers(platform.database, visitor.principal, wanted)
    values = {
        "done": "",
        "count": 0,
        "trouble": "",
        "failed": {},
        "typed": {"accepting": "", "code": "", "refusing": ""},
        "ticked": set(),
        "page": page,
        "titles": {line.id: line.title for line in page.lines},
        "colours": {line.id: colour(line.state, line.parked) for line in page.lines},
        "choosable": {line.id for line in page.lines if _may_decide(visitor, line)},
        "refusals": [(code, codes.in_words(code)) for code in deciding.REFUSALS],
        "longest": deciding.LONGEST_COMMENT,
        "deciding": address(filters, path=f"{PATH}/decisions"),
        "filters": filters,
        "filtered": any(filters.values()),
        "states": TRANSFER.states,
        "agreements": _agreements(platform, {line.agreement_id for line in page.lines if line.agreement_id}, visitor),
        "organisations": organisations,
        "names": {one.id: one.name for one in organisations},
        "may_hand": bool(visitor.where(Right.DEPOSIT)),
        "may_agree": bool(visitor.where(Right.ARCHIVE)),
        "next": address(filters, apres=cursors.written(page.after)) if page.after else None,
        "previous": address(filters, avant=cursors.written(page.before)) if page.before else None,
    }
    return render(request, "web/archive/transfers/list.html", visitor=visitor, status=status, **(values | told))


def colour(state: str, parked: str | None) -> str:
    """Return the colour of a state, as tags name them."""
    return "amber" if parked else _COLOURS.get(state, "blue")


def address(filters: Mapping[str, str], path: str = PATH, **more: str | None) -> str:
    """Return the address of the list with its filters."""
    told = {name: value for name, value in {**filters, **more}.items() if value}
    return f"{path}?{urlencode(told)}" if told else path


def _may_decide(visitor: Visitor, line: Line) -> bool:
    return line.state == "to_accept" and visitor.principal.may(Right.ARCHIVE, line.organisation_id)


def _agreements(platform: Platform, named: set[str], visitor: Visitor) -> dict[str, str]:
    """Return the agreements that the filter offers: those that the visitor manages, and those that the transfers shown name."""
    with platform.database.reading(PLATFORM) as session:
        own = col(ArchiveAgreement.organisation_id).in_(visitor.where(Right.ARCHIVE))
        meant = select(ArchiveAgreement).where(own | col(ArchiveAgreement.id).in_(named))
        return {one.id: one.identifier for one in session.exec(meant.order_by(ArchiveAgreement.identifier))}
