"""“Gels”: what nobody destroys, why, who answers for it, and when somebody is to look at it again; put and lifted."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import func
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.tenants import holding
from api.web.administered import Identifier, Place, place_of
from api.web.archive import typed
from api.web.archive.managing import Managed
from api.web.archive.picking import Named, Picked, Picking, picked, place_for
from api.web.archive.rules.page import owners
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.elimination.bordereau import title_of
from archive.models import Record
from archive.retention import holds
from archive.retention.holds import LONGEST_OWNER, LONGEST_REASON, MOST, Wanted
from archive.retention.models import RecordHeld, RecordHold
from core import clock
from core.errors import NotFound, TabellionError
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
_t = Catalogue("api.web.archive.holds")
PATH = "/archives/gels"
_NEW, _ONE = f"{PATH}/nouveau", f"{PATH}/{{hold_id}}"
_A_PAGE, _RECORDS = 25, 200
_LIFTED = "leves"
_DONE = frozenset({"gele", "leve"})
_FIELDS = ("reason", "owner", "review")


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    etat: Annotated[str, Query(max_length=10)] = "",
    apres: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Show the holds that stand, or those that were lifted, newest first."""
    lifted = etat == _LIFTED
    stands = col(RecordHold.lifted).is_not(None) if lifted else col(RecordHold.lifted).is_(None)
    query = select(RecordHold).where(stands).order_by(col(RecordHold.id).desc()).limit(_A_PAGE + 1)
    if apres:
        query = query.where(col(RecordHold.id) < apres)
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        found = session.exec(query).all()
        shown_now = found[:_A_PAGE]
        sizes = _sizes(session, [hold.id for hold in shown_now])
    with platform.database.reading(PLATFORM) as session:
        names = owners(session, [hold.organisation_id for hold in shown_now])
    more = f"?apres={shown_now[-1].id}" + (f"&etat={_LIFTED}" if lifted else "") if len(found) > _A_PAGE else ""
    values: dict[str, Any] = {
        "holds": shown_now,
        "sizes": sizes,
        "names": names,
        "lifted": lifted,
        "more": more,
        "today": _today(),
    }
    return render(request, "web/archive/holds/list.html", visitor=visitor, **values)


@router.get(_NEW)
def ask(
    request: Request, platform: Parts, visitor: SignedIn, place: Managed, archive: Named = None, organisation: str = ""
) -> HTMLResponse:
    """Ask what is to be held, and why; ``archive`` names records already, and with them whose they are."""
    where = place if organisation else place_for(platform, visitor, place, archive or ())
    return _form(request, visitor, where, dict.fromkeys(_FIELDS, ""), picked(platform, visitor, archive or ()))


@router.post(PATH)
def put(request: Request, platform: Parts, visitor: SignedIn, place: Managed, form: Picking) -> Response:
    """Put records under a hold."""
    visitor.check(form.fields.get("csrf"))
    given = {name: form.fields.get(name, "").strip() for name in _FIELDS}
    try:
        wanted = Wanted(given["reason"], given["owner"], typed.day(given["review"], _t("wrong.review")), form.records)
        identifier = holds.put(platform, visitor.principal, place.id, wanted)
    except TabellionError as error:
        fault = fault_of(error)
        shown = picked(platform, visitor, form.records)
        return _form(request, visitor, place, given, shown, trouble=fault.detail, status=fault.status)
    return RedirectResponse(f"{PATH}/{identifier}?fait=gele", status_code=303)


@router.get(_ONE)
def one(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    hold_id: Identifier,
    apres: Annotated[str, Query(max_length=26)] = "",
    fait: Annotated[str, Query(max_length=10)] = "",
) -> HTMLResponse:
    """Show a hold with a page of its records; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, hold_id, after=apres, done=fait if fait in _DONE else "")


@router.post(f"{_ONE}/levee")
def lifted(request: Request, platform: Parts, visitor: SignedIn, hold_id: Identifier, fields: Fields) -> Response:
    """Lift a hold, with the reason."""
    visitor.check(fields.get("csrf"))
    _own(platform, visitor, hold_id)
    why = fields.get("reason", "")
    try:
        holds.lift(platform, visitor.principal, hold_id, why)
    except TabellionError as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, hold_id, trouble=fault.detail, why=why, status=fault.status)
    return RedirectResponse(f"{PATH}/{hold_id}?fait=leve", status_code=303)


def _own(platform: Platform, visitor: Visitor, hold_id: str) -> RecordHold:
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        found = session.exec(select(RecordHold).where(RecordHold.id == hold_id)).first()
    if found is None:
        raise NotFound(_t("none"))
    return found


def _today() -> date:
    return clock.in_paris(clock.now()).date()


def _sizes(session: Session, identifiers: list[str]) -> dict[str, int]:
    grouped = (
        select(RecordHeld.hold_id, func.count()).where(col(RecordHeld.hold_id).in_(identifiers)).group_by(RecordHeld.hold_id)
    )
    return dict(session.exec(grouped).all())


def _form(
    request: Request,
    visitor: Visitor,
    place: Place,
    given: dict[str, str],
    records: Picked,
    *,
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    values: dict[str, Any] = {"csrf": visitor.csrf, "place": place, "given": given, "trouble": trouble, "picked": records}
    values |= {"longest_reason": LONGEST_REASON, "longest_owner": LONGEST_OWNER, "most": MOST}
    return render(request, "web/archive/holds/new.html", visitor=visitor, status=status, **values)


def _page(
    request: Request, platform: Platform, visitor: Visitor, hold_id: str, *, after: str = "", status: int = 200, **said: Any
) -> HTMLResponse:
    hold = _own(platform, visitor, hold_id)
    with platform.database.reading(PLATFORM) as session:
        query = select(Record).join(RecordHeld, col(Record.id) == col(RecordHeld.record_id))
        query = query.where(RecordHeld.hold_id == hold_id, col(RecordHeld.record_id) > after)
        rows = session.exec(query.order_by(RecordHeld.record_id).limit(_RECORDS + 1)).all()
        count = _sizes(session, [hold_id]).get(hold_id, 0)
        waiting = session.exec(
            select(func.count()).select_from(RecordHeld).where(RecordHeld.hold_id == hold_id, ~col(RecordHeld.told))
        ).one()
        people = {actor: _name(session, actor) for actor in (hold.placed_by, hold.lifted_by) if actor}
    place = place_of(platform, visitor, hold.organisation_id, Right.ARCHIVE)
    values: dict[str, Any] = {"csrf": visitor.csrf, "place": place, "hold": hold, "people": people, "today": _today()}
    shown = [(record, title_of(record)) for record in rows[:_RECORDS]]
    more = f"{PATH}/{hold_id}?apres={shown[-1][0].id}" if len(rows) > _RECORDS else ""
    values |= {"records": shown, "count": count, "waiting": waiting, "more": more}
    values |= {"trouble": "", "done": "", "why": "", "longest_reason": LONGEST_REASON}
    return render(request, "web/archive/holds/hold.html", visitor=visitor, status=status, **values | said)


def _name(session: Session, actor: str) -> str:
    person = session.get(Person, actor.removeprefix("person:"))
    return person.name if person else actor
