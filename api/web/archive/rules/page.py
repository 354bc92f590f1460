"""“Règles”: the referential of an organisation, which rule applies to which kind of record, and its exchange as a table."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled, Place, Sheet
from api.web.archive.managing import Managed
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.elimination.bordereau import kind_in_words
from archive.retention import changing, exchange, referential
from archive.retention.defaults import KINDS
from archive.retention.exchange import FaultyTable
from archive.retention.explaining import years_of
from archive.retention.rules import Category
from core.errors import TabellionError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

router = APIRouter()
PATH = "/archives/regles"
TABLE = f"{PATH}/table"
_CHOSEN = (Category.APPRAISAL, Category.ACCESS)
Count = Annotated[int, Query(ge=0, le=100_000)]
_DONE = frozenset({"choix", "repris", "version", "retire"})


@router.get(PATH)
def listed(
    request: Request, platform: Parts, visitor: SignedIn, place: Managed, fait: str = "", nombre: Count = 0
) -> HTMLResponse:
    """Show the rules in force, and what applies to each kind of record; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, place, done=fait if fait in _DONE else "", count=nombre)


@router.post(f"{PATH}/choix")
def chosen(request: Request, platform: Parts, visitor: SignedIn, place: Managed, fields: Fields) -> Response:
    """Choose the rules of a kind of record; nothing chosen goes back to what holds above."""
    visitor.check(fields.get("csrf"))
    kind = fields.get("kind", "")
    try:
        for category in _CHOSEN:
            code = fields.get(category.value) or None
            changing.choose(platform, visitor.principal, place.id, kind, category, code)
    except TabellionError as error:
        return _refused(request, platform, visitor, place, error)
    return RedirectResponse(place.at(PATH, fait="choix"), status_code=303)


@router.get(f"{PATH}/table.csv")
def given_out(platform: Parts, place: Managed) -> Response:
    """Give the referential out as a table."""
    with platform.database.reading(PLATFORM) as session:
        return table_of(exchange.given_out(session, place.id), "regles.csv")


@router.post(TABLE)
def taken_in(request: Request, platform: Parts, visitor: SignedIn, place: Managed, sheet: Filled) -> Response:
    """Take a table in: each line is the next version of its rule."""
    visitor.check(sheet.text("csrf"))
    try:
        kept = exchange.take_in(platform, visitor.principal, place.id, sheet.file("table"))
    except TabellionError as error:
        return _refused(request, platform, visitor, place, error)
    return RedirectResponse(place.at(PATH, fait="repris", nombre=str(kept)), status_code=303)


def table_of(octets: bytes, name: str) -> Response:
    """Return a table for spreadsheets, to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return Response(octets, media_type="text/csv; charset=utf-8", headers=headers)


def _refused(request: Request, platform: Platform, visitor: Visitor, place: Place, error: TabellionError) -> HTMLResponse:
    fault = fault_of(error)
    faults = error.faults if isinstance(error, FaultyTable) else ()
    return _page(request, platform, visitor, place, trouble=fault.detail, faults=faults, status=fault.status)


def _page(
    request: Request, platform: Platform, visitor: Visitor, place: Place, *, status: int = 200, **said: Any
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        rules = [(category, referential.in_force(session, place.id, category)) for category in Category]
        names = owners(session, [known.owner for _, found in rules for known in found])
        kinds = _kinds(session, place)
    values: dict[str, Any] = {
        "csrf": visitor.csrf,
        "place": place,
        "rules": rules,
        "owners": names,
        "years": {(category, one.delay.identifier): years_of(one.delay, category) for category, found in rules for one in found},
        "kinds": kinds,
        "trouble": "",
        "faults": (),
        "done": "",
        "count": 0,
    }
    return render(request, "web/archive/rules/list.html", visitor=visitor, status=status, **values | said)


def owners(session: Session, identifiers: list[str | None]) -> dict[str, str]:
    """Return the names of organisations."""
    found = (session.get_one(Organisation, one) for one in dict.fromkeys(identifiers) if one)
    return {one.id: one.name for one in found}


def _kinds(session: Session, place: Place) -> list[dict[str, Any]]:
    made = referential.choices(session, place.id)
    rows = []
    for kind, defaults in KINDS.items():
        sides = []
        for category, default in zip(_CHOSEN, defaults, strict=True):
            choice = made.get((kind, category))
            own = choice is not None and choice.organisation_id == place.id
            sides.append(
                {
                    "category": category,
                    "code": choice.code if choice else default.identifier,
                    "source": "own" if own else "above" if choice else "built",
                    "own": choice.code if choice and own else "",
                }
            )
        rows.append({"kind": kind, "words": kind_in_words(kind), "sides": sides})
    return rows


def typed(sheet: Sheet, *names: str) -> dict[str, str]:
    """Return the values of a form as they were typed."""
    return {name: sheet.text(name) for name in names}
