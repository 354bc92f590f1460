"""The public pages: who publishes here, what a collectivité has published, and one act with its documents and its proof."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import groupby
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api import cursors
from api.publications.answering import gone, page
from api.publications.finding import ACT, METHODS, ORGANISATION, ROOT, Found, Open, address
from api.web.visitor import Parts
from core import clock
from flows.actes import published
from flows.actes.models import ActesPublication
from flows.actes.publishing import INDIVIDUAL
from schemas.actes.codes import NATURES

router = APIRouter()
_A_PAGE, _ORGANISATIONS = 25, 50
_NATURES = tuple(nature for nature in NATURES if nature != INDIVIDUAL)
Words = Annotated[str, Query(max_length=100)]
Code = Annotated[str, Query(max_length=4)]


@router.api_route(ROOT, methods=METHODS)
def organisations(request: Request, platform: Parts, q: Words = "", suite: Annotated[str, Query(max_length=9)] = "") -> Response:
    """Show who publishes here, by name."""
    words = q.strip()
    found, after = published.organisations(platform, words, suite or None, _ORGANISATIONS)
    following = f"{ROOT}?{urlencode({'q': words, 'suite': after})}" if after else ""
    return page(request, "organisations.html", found=found, words=words, further=bool(suite), next=following, organisation=None)


@router.api_route(ORGANISATION, methods=METHODS)
def listed(
    request: Request,
    platform: Parts,
    organisation: Open,
    q: Words = "",
    annee: Code = "",
    nature: Code = "",
    suite: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show what a collectivité has published, newest first; a filter that names nothing finds nothing."""
    filters = {"q": q.strip(), "annee": annee, "nature": nature}
    found = published.listed(
        platform,
        organisation,
        _A_PAGE,
        words=filters["q"],
        year=_whole(annee),
        nature=_whole(nature),
        after=cursors.read(suite),
    )
    here = address(organisation.siren)
    told = {name: value for name, value in {**filters, "suite": cursors.written(found.after)}.items() if value}
    return page(
        request,
        "list.html",
        organisation=organisation,
        found=found,
        days=_by_day(found.rows),
        filters=filters,
        filtered=any(filters.values()),
        further=bool(suite),
        years=published.years(platform, organisation),
        natures=_NATURES,
        next=f"{here}?{urlencode(told)}" if found.after else "",
    )


@router.api_route(ACT, methods=METHODS)
def shown(request: Request, organisation: Open, act: Found) -> Response:
    """Show an act with its documents, or that it was withdrawn: then it gives none, and no word of what it was about."""
    values = {"organisation": organisation, "act": act.publication, "here": address(organisation.siren, act.publication.id)}
    if act.publication.withdrawn is not None:
        return gone(request, "withdrawn.html", **values)
    return page(request, "act.html", cancelled_on=act.cancelled_on, stamped=act.stamped, **values)


def _by_day(rows: Iterable[ActesPublication]) -> list[tuple[date, list[ActesPublication]]]:
    """Return publications under the day, in metropolitan France, on which they came online."""
    return [(day, list(of_day)) for day, of_day in groupby(rows, lambda one: clock.in_paris(one.published).date())]


def _whole(text: str) -> int | None:
    """Return a number; 0, which is neither a year nor a nature, for what is none; None when nothing is written."""
    return (int(text) if text.isascii() and text.isdigit() else 0) if text else None
