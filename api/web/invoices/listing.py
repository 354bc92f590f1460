"""“Factures”: the list, narrowed by what stands in the address, and those whose term of payment presses; in pages by key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.web.invoices.figures import money
from api.web.invoices.standing import GROUPS, colour, countdown
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from api.words import messages
from connectors.chorus.statuses import Status, word
from core import clock
from core.errors import UsageError
from flows.engine import reading as dossiers
from flows.invoices import reading
from flows.invoices.models import HandoverState
from flows.invoices.reading import Order, Place
from flows.invoices.reading import Query as Wanted

router = APIRouter()
_A_PAGE = 25
_PARKED, _OFFERED = "arret", "a-prendre"
DUE = "echeance"
_PLACE = re.compile(r"([0-9A-Z]{26})(?:\.(\d{4}-\d{2}-\d{2}))?")


def _filters(
    q: Annotated[str, Query(max_length=100)] = "",
    etat: Annotated[str, Query(max_length=20)] = "",
    statut: Annotated[str, Query(max_length=60)] = "",
    service: Annotated[str, Query(max_length=100)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> dict[str, str]:
    return {"q": q.strip(), "etat": etat, "statut": statut, "service": service, "organisation": organisation}


Filters = Annotated[dict[str, str], Depends(_filters)]
"""What the list is narrowed by, as its address says it; a filter that names nothing finds nothing."""


@router.get("/factures")
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Filters,
    vue: Annotated[str, Query(max_length=20)] = "",
    apres: Annotated[str, Query(max_length=40)] = "",
    avant: Annotated[str, Query(max_length=40)] = "",
) -> HTMLResponse:
    """Show a page of the list; ``vue`` shows what presses, first what is due first."""
    today = clock.in_paris(clock.now()).date()
    view = DUE if vue == DUE else ""
    wanted = _wanted(filters, Order.DUE if view else Order.NEWEST)
    with dossiers.opened(platform.database, visitor.principal) as session:
        page = reading.page(session, wanted, _A_PAGE, _place(apres, wanted.order), _place(avant, wanted.order))
        counts = reading.counts(session, wanted.organisations)
        services = reading.services(session, wanted.organisations)
        organisations = dossiers.organisations(session)
    return render(
        request,
        "web/invoices/list.html",
        visitor=visitor,
        page=page,
        view=view,
        counts=counts,
        most=reading.COUNTED_UP_TO,
        filters=filters,
        filtered=any(filters.values()),
        groups=[*GROUPS, _OFFERED, _PARKED],
        statuses=[(str(one), word(one)) for one in Status],
        services=services,
        organisations=organisations,
        names={one.id: one.name for one in organisations},
        countdowns={one.invoice.dossier_id: countdown(one.invoice, today) for one in page.rows},
        colours={one.invoice.dossier_id: colour(one.state, one.parked) for one in page.rows},
        word=word,
        money=money,
        at=lambda **told: _address(filters | {"vue": view} | told),
        pressing=lambda **told: _address({"organisation": filters["organisation"], **told}),
        next=_address({**filters, "vue": view, "apres": _written(page.after, wanted.order)}) if page.after else None,
        previous=_address({**filters, "vue": view, "avant": _written(page.before, wanted.order)}) if page.before else None,
    )


def _wanted(filters: Mapping[str, str], order: Order) -> Wanted:
    state = filters["etat"]
    narrowed = {_OFFERED: reading.TO_TAKE, _PARKED: (), "": ()}.get(state, GROUPS.get(state, ("?",)))
    return Wanted(
        organisations=(filters["organisation"],) if filters["organisation"] else (),
        text=filters["q"],
        service=filters["service"],
        statuses=(filters["statut"],) if filters["statut"] else (),
        states=narrowed,
        parked=True if state == _PARKED else None,
        handover=HandoverState.OFFERED if state == _OFFERED else None,
        order=order,
    )


def _place(text: str, order: Order) -> Place | None:
    if not text:
        return None
    found = _PLACE.fullmatch(text)
    if found is None or (order is Order.DUE) != bool(found[2]):
        raise UsageError(messages("cursor.unknown"))
    try:
        return Place(found[1], date.fromisoformat(found[2]) if found[2] else None)
    except ValueError as error:
        raise UsageError(messages("cursor.unknown")) from error


def _written(place: Place, order: Order) -> str:
    return f"{place.id}.{place.due.isoformat()}" if order is Order.DUE and place.due else place.id


def _address(told: Mapping[str, str]) -> str:
    query = urlencode({name: value for name, value in told.items() if value})
    return f"/factures?{query}" if query else "/factures"
