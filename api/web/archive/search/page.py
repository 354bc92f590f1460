"""“Archives”: a search over all that a visitor may read, newest first, narrowed by what stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.archive import typed
from api.web.archive.search.tiles import tiles_of
from api.web.archive.tabs import home_of
from api.web.archive.waiting import Row, for_archives
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from archive.finding import search
from archive.finding.models import RecordState
from archive.finding.search import Page, Wanted
from core import clock
from core.errors import Forbidden, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.principal import Right
from flows.engine import reading
from schemas.seda.model import FinalAction

router = APIRouter()
_t = Catalogue("api.web.archive.search")
_A_PAGE = 25
_HIGHEST = 2**62
_OPEN = {"oui": True, "non": False}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the search is narrowed by, as its address says it."""

    q: str
    type: str
    annee: str
    organisation: str
    producteur: str
    etat: str
    sort: str
    ouvert: str
    echeance: str
    regle: str
    empreinte: str

    def said(self) -> dict[str, str]:
        """Return those that narrow, by their names."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name))}

    def wanted(self, after: int | None) -> Wanted:
        """Return what is to be found.

        Raises:
            UsageError: a filter that cannot be read.
        """
        return Wanted(
            text=self.q,
            kinds=(self.type,) if self.type else (),
            producers=(self.producteur,) if self.producteur else (),
            years=(_year(self.annee),) if self.annee else (),
            organisations=(self.organisation,) if self.organisation else (),
            states=(_state(self.etat),) if self.etat else (),
            rule=self.regle,
            final_action=_action(self.sort) if self.sort else "",
            open=_OPEN.get(self.ouvert),
            digest=self.empreinte,
            due_by=typed.day(self.echeance, _t("filter.day", found=self.echeance)) if self.echeance else None,
            after=after,
            limit=_A_PAGE,
        )


def _filters(
    q: Annotated[str, Query(max_length=200)] = "",
    type_: Annotated[str, Query(alias="type", max_length=20)] = "",
    annee: Annotated[str, Query(max_length=4)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
    producteur: Annotated[str, Query(max_length=60)] = "",
    etat: Annotated[str, Query(max_length=10)] = "",
    sort: Annotated[str, Query(max_length=10)] = "",
    ouvert: Annotated[str, Query(max_length=3)] = "",
    echeance: Annotated[str, Query(max_length=10)] = "",
    regle: Annotated[str, Query(max_length=60)] = "",
    empreinte: Annotated[str, Query(max_length=128)] = "",
) -> Filters:
    said = (q, type_, annee, organisation, producteur, etat, sort, ouvert, echeance, regle, empreinte)
    return Filters(*(one.strip() for one in said))


@router.get("/archives")
def found(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Annotated[Filters, Depends(_filters)],
    apres: Annotated[int | None, Query(ge=1, le=_HIGHEST)] = None,
) -> Response:
    """Show what was found; whoever reads no records is shown the first page of the archive that is theirs."""
    if not visitor.where(Right.READ):
        home = home_of(visitor)
        if home is None:
            raise Forbidden(_t("home.none"))
        return RedirectResponse(home, status_code=303)
    with reading.opened(platform.database, visitor.principal) as session:
        organisations = reading.organisations(session)
    page, trouble = Page((), search.Counts(), None), ""
    try:
        page = search.find(platform, visitor.principal, filters.wanted(apres))
    except UsageError as error:
        trouble = str(error)
    owners = {line.record.organisation_id for line in page.lines} | {name for name, _ in _counts(page).organisations}
    with reading.opened(platform.database, visitor.principal) as session:
        names = dict(session.exec(select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(owners))).all())
    tiles, waiting = tiles_of(platform, visitor), for_archives(platform, visitor)
    return _shown(request, visitor, filters, page, trouble, apres, names, organisations, tiles, waiting)


def _shown(
    request: Request,
    visitor: SignedIn,
    filters: Filters,
    page: Page,
    trouble: str,
    after: int | None,
    names: Mapping[str, str],
    organisations: list[Organisation],
    tiles: object,
    waiting: Row,
) -> HTMLResponse:
    return render(
        request,
        "web/archive/search/search.html",
        visitor=visitor,
        status=400 if trouble else 200,
        page=page,
        counts=_counts(page),
        filters=filters,
        narrowed=filters.said(),
        trouble=trouble,
        after=after,
        names=names,
        several=len(organisations) > 1,
        managed=set(visitor.where(Right.ARCHIVE)),
        states=list(RecordState),
        actions=list(FinalAction),
        today=clock.in_paris(clock.now()).date(),
        tiles=tiles,
        waiting=waiting,
        next=_address(filters, page.next) if page.next else None,
        first=_address(filters, None) if after else None,
    )


def _counts(page: Page) -> search.Counts:
    return page.counts or search.Counts()


def _address(filters: Filters, after: int | None) -> str:
    said = filters.said() | ({"apres": str(after)} if after else {})
    return f"/archives?{urlencode(said)}" if said else "/archives"


def _year(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == len("2026")):
        raise UsageError(_t("filter.year", found=text))
    return int(text)


def _state(text: str) -> RecordState:
    with suppress(ValueError):
        return RecordState(text)
    raise UsageError(_t("filter.unknown", found=text))


def _action(text: str) -> str:
    if text not in list(FinalAction):
        raise UsageError(_t("filter.unknown", found=text))
    return text
