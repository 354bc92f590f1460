"""“Envois vers un SAE”: the list by state, refused transfers again or given up, and the records that wait to be handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import cursors
from api.problems import fault_of
from api.web.administered import Filled
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import TabellionError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import reading as dossiers
from flows.sae import deciding, reading
from flows.sae.flow import SAE
from flows.sae.intake import AT_ONCE
from flows.sae.reading import Wanted

router = APIRouter()
PATH = "/archives/sae"
_WAITING = f"{PATH}/a-verser"
_A_PAGE = 25
_DONE = frozenset({"renvoi", "abandon", "versement"})
_COLOURS = {"accepted": "green", "refused": "red", "given_up": "grey"}


def _filters(
    etat: Annotated[str, Query(max_length=20)] = "", organisation: Annotated[str, Query(max_length=26)] = ""
) -> dict[str, str]:
    return {"etat": etat, "organisation": organisation}


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
    return _list(request, platform, visitor, filters, place, done=fait if fait in _DONE else "", count=nombre)


@router.post(f"{PATH}/renvoi")
def sent_again(request: Request, platform: Parts, visitor: SignedIn, filters: Filters, sheet: Filled) -> Response:
    """Let refused transfers leave again, each under a new identifier, or give them up: as the button says."""
    visitor.check(sheet.text("csrf"))
    decide, done = (deciding.give_up, "abandon") if "abandon" in sheet else (deciding.send_again, "renvoi")
    try:
        count = decide(platform, visitor.principal, sheet.texts("transfer"))
    except TabellionError as error:
        fault = fault_of(error)
        return _list(request, platform, visitor, filters, {}, status=fault.status, trouble=fault.detail)
    return RedirectResponse(_address(PATH, filters, fait=done, nombre=str(count)), status_code=303)


@router.get(_WAITING)
def waiting(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show the records that nobody has handed over yet."""
    return _waiting(request, platform, visitor)


@router.post(_WAITING)
def handed_over(request: Request, platform: Parts, visitor: SignedIn, sheet: Filled) -> Response:
    """Hand records over."""
    visitor.check(sheet.text("csrf"))
    try:
        count = deciding.hand_over(platform, visitor.principal, sheet.texts("record"))
    except TabellionError as error:
        fault = fault_of(error)
        return _waiting(request, platform, visitor, status=fault.status, trouble=fault.detail)
    return RedirectResponse(_address(PATH, {}, fait="versement", nombre=str(count)), status_code=303)


def _list(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    filters: Mapping[str, str],
    place: Mapping[str, Any],
    *,
    status: int = 200,
    **told: Any,
) -> HTMLResponse:
    wanted = Wanted(
        organisations=(filters["organisation"],) if filters["organisation"] else (),
        states=(filters["etat"],) if filters["etat"] else (),
        limit=_A_PAGE,
        **place,
    )
    page = reading.list_transfers(platform.database, visitor.principal, wanted)
    seen = _organisations(platform, visitor.principal)
    values = {
        "done": "",
        "trouble": "",
        "page": page,
        "colours": {line.id: "amber" if line.parked else _COLOURS.get(line.state, "blue") for line in page.lines},
        "chosen": {line.id for line in page.lines if _may_decide(visitor, line)},
        "filters": filters,
        "filtered": any(filters.values()),
        "states": SAE.states,
        "organisations": seen,
        "names": {one.id: one.name for one in seen},
        "manages": bool(visitor.where(Right.ARCHIVE)),
        "administers": bool(visitor.where(Right.ADMINISTER)),
        "again": _address(f"{PATH}/renvoi", filters),
        "next": _address(PATH, filters, apres=cursors.written(page.after)) if page.after else None,
        "previous": _address(PATH, filters, avant=cursors.written(page.before)) if page.before else None,
    }
    return render(request, "web/archive/sae/list.html", visitor=visitor, status=status, **(values | told))


def _may_decide(visitor: Visitor, line: reading.Line) -> bool:
    return deciding.may_be_decided(line.state, line.parked) and visitor.principal.may(Right.ARCHIVE, line.organisation_id)


def _waiting(request: Request, platform: Platform, visitor: Visitor, *, status: int = 200, trouble: str = "") -> HTMLResponse:
    records = reading.waiting_for(platform, visitor.principal)
    names = {one.id: one.name for one in _organisations(platform, visitor.principal)}
    values = {"records": records[:_A_PAGE], "count": len(records), "most": AT_ONCE, "names": names, "trouble": trouble}
    return render(request, "web/archive/sae/waiting.html", visitor=visitor, status=status, **values)


def _organisations(platform: Platform, principal: Principal) -> Sequence[Organisation]:
    with platform.database.reading(reading.seeing(principal)) as session:
        return dossiers.organisations(session)


def _address(path: str, filters: Mapping[str, str], **more: str | None) -> str:
    told = {name: value for name, value in {**filters, **more}.items() if value}
    return f"{path}?{urlencode(told)}" if told else path
