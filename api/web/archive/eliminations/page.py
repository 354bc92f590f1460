"""“Éliminations”: the list of them, a new analysis, and one: its lines, where it stands, what may be done with it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled, Identifier, Place, place_of
from api.web.archive import typed
from api.web.archive.rules.page import owners, table_of
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.elimination import bordereau, lists
from archive.elimination.analysis import Criteria
from archive.elimination.bordereau import kind_in_words, known_kinds, reason_in_words, title_of
from archive.elimination.models import Elimination
from archive.elimination.states import Outcome, State
from archive.elimination.taking_part import RIGHTS, taking_part
from archive.retention.holds import standing_on
from archive.retention.models import RecordHold
from core import clock
from core.errors import Forbidden, TabellionError
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
_t = Catalogue("api.web.archive.eliminations")
PATH = "/archives/eliminations"
ONE = f"{PATH}/{{elimination_id}}"
_NEW = f"{PATH}/nouvelle"
_A_PAGE, _LINES = 25, 50
_SHOWN = ("chosen", "off", "conflict", "refused", *(outcome.value for outcome in Outcome if outcome))
_COLOURS = {State.DONE: "green", State.REFUSED: "red", State.ABANDONED: "red", State.DRAFT: "blue"}
DONE = frozenset({"liste", "proposee", "accord", "visa", "refus", "ordre", "abandon"})


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    etat: Annotated[str, Query(max_length=12)] = "",
    apres: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Show the eliminations in which the visitor has a part, newest first; ``etat`` narrows them to a state."""
    query = select(Elimination).order_by(col(Elimination.id).desc()).limit(_A_PAGE + 1)
    state = State(etat) if etat in set(State) else None
    if state:
        query = query.where(Elimination.state == state.value)
    if apres:
        query = query.where(col(Elimination.id) < apres)
    here = taking_part(visitor.principal)
    if not here.grants:
        raise Forbidden(_t("no_part"))
    with platform.database.reading(here) as session:
        found = session.exec(query).all()
        shown = found[:_A_PAGE]
        sizes = lists.sizes(session, [one.id for one in shown])
    with platform.database.reading(PLATFORM) as session:
        names = owners(session, [one.organisation_id for one in shown])
    return render(
        request,
        "web/archive/eliminations/list.html",
        visitor=visitor,
        eliminations=shown,
        sizes=sizes,
        names=names,
        colours={one.id: _COLOURS.get(State(one.state), "amber") for one in shown},
        may_make=bool(visitor.where(Right.ARCHIVE)),
        state=state,
        more=f"{PATH}?{urlencode({'etat': state or '', 'apres': shown[-1].id})}" if len(found) > _A_PAGE else "",
    )


def _place(platform: Platform, visitor: Visitor, organisation: str) -> Place:
    if not visitor.where(Right.ARCHIVE):
        raise Forbidden(_t("not_allowed"))
    return place_of(platform, visitor, organisation, Right.ARCHIVE)


@router.get(_NEW)
def ask(
    request: Request, platform: Parts, visitor: SignedIn, organisation: Annotated[str, Query(max_length=26)] = ""
) -> HTMLResponse:
    """Ask on which day to look, and at what."""
    place = _place(platform, visitor, organisation)
    return _form(request, visitor, place, {"as_of": _today().isoformat()}, ())


@router.post(PATH)
def made(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    sheet: Filled,
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> Response:
    """Analyse, and keep what was found as a list."""
    visitor.check(sheet.text("csrf"))
    place = _place(platform, visitor, organisation)
    given = {name: sheet.text(name) for name in ("as_of", "producers", "first", "last")}
    kinds = sheet.texts("kinds")
    try:
        identifier = lists.make(
            platform, visitor.principal, place.id, typed.day(given["as_of"], _t("wrong.day")), _criteria(given, kinds)
        )
    except TabellionError as error:
        fault = fault_of(error)
        return _form(request, visitor, place, given, kinds, trouble=fault.detail, status=fault.status)
    return RedirectResponse(f"{PATH}/{identifier}", status_code=303)


def _criteria(given: dict[str, str], kinds: tuple[str, ...]) -> Criteria:
    producers = tuple(given["producers"].replace(",", " ").split())
    first, last = (typed.day(given[name], _t("wrong.day")) if given[name] else None for name in ("first", "last"))
    return Criteria(kinds, producers, first, last)


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _form(
    request: Request,
    visitor: Visitor,
    place: Place,
    given: dict[str, str],
    kinds: tuple[str, ...],
    *,
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    values: dict[str, Any] = {"csrf": visitor.csrf, "place": place, "given": {"producers": "", "first": "", "last": "", **given}}
    values |= {"kinds": [(kind, kind_in_words(kind)) for kind in known_kinds()], "ticked": kinds, "trouble": trouble}
    return render(request, "web/archive/eliminations/new.html", visitor=visitor, status=status, **values)


@router.get(ONE)
def one(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    elimination_id: Identifier,
    montrer: Annotated[str, Query(max_length=12)] = "",
    apres: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=10)] = "",
) -> HTMLResponse:
    """Show an elimination; ``montrer`` narrows its lines, ``fait`` says what the visitor has just done."""
    done = fait if fait in DONE else ""
    return page(request, platform, visitor, elimination_id, shown=montrer if montrer in _SHOWN else "", after=apres, done=done)


@router.get(f"{ONE}/liste.csv")
def exported(
    platform: Parts, visitor: SignedIn, elimination_id: Identifier, montrer: Annotated[str, Query(max_length=12)] = ""
) -> Response:
    """Give the lines as a table, titles included."""
    elimination = part_of(platform, visitor, elimination_id)
    with platform.database.reading(PLATFORM) as session:
        octets = bordereau.export(session, elimination, montrer if montrer in _SHOWN else "")
    return table_of(octets, f"elimination-{elimination.id}.csv")


def part_of(platform: Platform, visitor: Visitor, elimination_id: str) -> Elimination:
    """Return an elimination in which the visitor has a part.

    Raises:
        NotFound: there is none.
    """
    with platform.database.reading(taking_part(visitor.principal)) as session:
        return lists.visible(session, elimination_id)


def page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    elimination_id: str,
    *,
    shown: str = "",
    after: str = "",
    done: str = "",
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    """Return the page of an elimination."""
    elimination = part_of(platform, visitor, elimination_id)
    with platform.database.reading(PLATFORM) as session:
        lines, more = lists.lines(session, elimination.id, shown=shown, after=after, limit=_LINES)
        values: dict[str, Any] = {
            "organisation": session.get_one(Organisation, elimination.organisation_id),
            "counts": lists.counts(session, elimination.id),
            "lines": [(one.line, one.record, title_of(one.record), kind_in_words(one.record.kind)) for one in lines],
            "reasons": {reason: reason_in_words(reason) for one in lines for reason in one.line.reasons},
            "holds": _holds(session, visitor, [one.record.id for one in lines]),
            "decisions": _decisions(session, elimination),
        }
    may = {right.name.lower(): visitor.principal.may(right, elimination.organisation_id) for right in (*RIGHTS, Right.READ)}
    values |= {"csrf": visitor.csrf, "elimination": elimination, "may": may, "shown": shown, "facets": _SHOWN}
    values |= {"colour": _COLOURS.get(State(elimination.state), "amber"), "today": _today()}
    values |= {"done": done, "trouble": trouble}
    values["more"] = f"{PATH}/{elimination.id}?apres={more}" + (f"&montrer={shown}" if shown else "") if more else ""
    return render(request, "web/archive/eliminations/elimination.html", visitor=visitor, status=status, **values)


def _holds(session: Session, visitor: Visitor, records: list[str]) -> dict[str, list[RecordHold]]:
    """Return the holds over these records that the visitor may read and lift: why one stands may name people."""
    standing = standing_on(session, records)
    return {
        record: [hold for hold in over if visitor.principal.may(Right.ARCHIVE, hold.organisation_id)]
        for record, over in standing.items()
    }


def _decisions(session: Session, elimination: Elimination) -> list[tuple[str, Any, str]]:
    steps = (
        ("made", elimination.made, elimination.made_by),
        ("agreed", elimination.agreed, elimination.agreed_by),
        ("visa", elimination.visa, elimination.visa_by),
        ("ordered", elimination.ordered, elimination.ordered_by),
    )
    return [(step, at, _name(session, by)) for step, at, by in steps if at is not None]


def _name(session: Session, actor: str | None) -> str:
    person = session.get(Person, (actor or "").removeprefix("person:"))
    return person.name if person else actor or ""
