"""“Corrections”: the rules of a sealed record put right; what waits for the agreement of another person, and what was decided."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.tenants import holding
from api.web.administered import Identifier
from api.web.archive import typed
from api.web.archive.corrections.telling import told
from api.web.archive.rules.page import owners
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.correction import correcting
from archive.correction.correcting import LONGEST_REASON, Access, Retention, Wanted
from archive.correction.models import CorrectionState, RecordCorrection
from archive.elimination.bordereau import title_of
from archive.finding.seeing import record_of, require_kept
from archive.models import Record
from archive.retention import referential
from archive.retention.defaults import PRIVATE_LIFE
from archive.retention.explaining import access_explained_for, explained_for
from archive.retention.rules import Category
from core import clock
from core.errors import NotFound, TabellionError, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Right
from schemas.seda.model import FinalAction

router = APIRouter()
_t = Catalogue("api.web.archive.corrections")
PATH = "/archives/corrections"
_OF_RECORD, _ONE = "/archives/{record_id}/correction", f"{PATH}/{{correction_id}}"
_A_PAGE = 25
_FIELDS = ("reason", "access", "access_from", "closed", "appraisal", "appraisal_from", "final_action")
_DONE = frozenset({"corrigee", "proposee", "accordee", "retiree"})
_DECIDED = "decidees"
_COLOURS = {
    CorrectionState.PROPOSED.value: "amber",
    CorrectionState.APPLIED.value: "green",
    CorrectionState.DECLINED.value: "red",
}


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    etat: Annotated[str, Query(max_length=10)] = "",
    apres: Annotated[str, Query(max_length=26)] = "",
) -> HTMLResponse:
    """Show the corrections that wait for somebody, or those that were decided, newest first."""
    decided = etat == _DECIDED
    waits = RecordCorrection.state == CorrectionState.PROPOSED.value
    query = select(RecordCorrection).where(col(RecordCorrection.state) != CorrectionState.PROPOSED.value if decided else waits)
    if apres:
        query = query.where(col(RecordCorrection.id) < apres)
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE, Right.CONTROL)) as session:
        found = session.exec(query.order_by(col(RecordCorrection.id).desc()).limit(_A_PAGE + 1)).all()
    shown_now = found[:_A_PAGE]
    with platform.database.reading(PLATFORM) as session:
        records = session.exec(select(Record).where(col(Record.id).in_([one.record_id for one in shown_now])))
        titles = {record.id: title_of(record) or record.id for record in records}
        names = owners(session, [one.organisation_id for one in shown_now])
        rows = told(session, shown_now)
    more = f"{PATH}?apres={shown_now[-1].id}" + (f"&etat={_DECIDED}" if decided else "") if len(found) > _A_PAGE else ""
    values: dict[str, Any] = {"rows": rows, "titles": titles, "names": names, "decided": decided, "more": more}
    return render(request, "web/archive/corrections/list.html", visitor=visitor, colours=_COLOURS, **values)


@router.get(_OF_RECORD)
def ask(request: Request, platform: Parts, visitor: SignedIn, record_id: Identifier) -> HTMLResponse:
    """Ask what is to be corrected of a record, and why."""
    record = _record(platform, visitor, record_id)
    return _form(request, platform, visitor, record, dict.fromkeys(_FIELDS, "") | {"appraisal_from": record.dated.isoformat()})


@router.post(_OF_RECORD)
def corrected(request: Request, platform: Parts, visitor: SignedIn, record_id: Identifier, fields: Fields) -> Response:
    """Correct the rules of a record, or propose it where another person has to agree."""
    visitor.check(fields.get("csrf"))
    record = _record(platform, visitor, record_id)
    given = {name: fields.get(name, "").strip() for name in _FIELDS}
    try:
        identifier = correcting.correct(platform, visitor.principal, record.id, _wanted(given))
    except TabellionError as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, record, given, trouble=fault.detail, status=fault.status)
    with platform.database.reading(PLATFORM) as session:
        applied = session.get_one(RecordCorrection, identifier).state == CorrectionState.APPLIED
    return RedirectResponse(f"{PATH}/{identifier}?fait={'corrigee' if applied else 'proposee'}", status_code=303)


def _wanted(given: dict[str, str]) -> Wanted:
    """Return what a form asks for.

    Raises:
        UsageError: a day is none, or stands where nothing is chosen.
    """
    access, retention = None, None
    if given["closed"]:
        if given["access_from"]:
            raise UsageError(_t("wrong.closed"))
        access = Access(given["access"] or PRIVATE_LIFE.identifier, None)
    elif given["access"]:
        access = Access(given["access"], typed.day(given["access_from"], _t("wrong.day")))
    elif given["access_from"]:
        raise UsageError(_t("wrong.access"))
    action = next((one for one in FinalAction if one.value == given["final_action"]), None)
    if given["appraisal"]:
        retention = Retention(given["appraisal"], typed.day(given["appraisal_from"], _t("wrong.day")), action)
    elif action:
        raise UsageError(_t("wrong.appraisal"))
    return Wanted(given["reason"], access, retention)


@router.get(_ONE)
def one(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    correction_id: Identifier,
    fait: Annotated[str, Query(max_length=10)] = "",
) -> HTMLResponse:
    """Show a correction; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, correction_id, done=fait if fait in _DONE else "")


@router.post(f"{_ONE}/accord")
def agreed(request: Request, platform: Parts, visitor: SignedIn, correction_id: Identifier, fields: Fields) -> Response:
    """Agree to a correction that another person proposed."""
    return _decided(request, platform, visitor, correction_id, fields, agrees=True)


@router.post(f"{_ONE}/retrait")
def declined(request: Request, platform: Parts, visitor: SignedIn, correction_id: Identifier, fields: Fields) -> Response:
    """Refuse a correction, or withdraw it."""
    return _decided(request, platform, visitor, correction_id, fields, agrees=False)


def _decided(
    request: Request, platform: Platform, visitor: Visitor, correction_id: str, fields: dict[str, str], *, agrees: bool
) -> Response:
    visitor.check(fields.get("csrf"))
    _own(platform, visitor, correction_id)
    try:
        (correcting.agree if agrees else correcting.decline)(platform, visitor.principal, correction_id)
    except TabellionError as error:
        fault = fault_of(error)
        return _page(request, platform, visitor, correction_id, trouble=fault.detail, status=fault.status)
    return RedirectResponse(f"{PATH}/{correction_id}?fait={'accordee' if agrees else 'retiree'}", status_code=303)


def _record(platform: Platform, visitor: Visitor, record_id: str) -> Record:
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE)) as session:
        record = record_of(session, record_id)
    require_kept(record)
    return record


def _own(platform: Platform, visitor: Visitor, correction_id: str) -> RecordCorrection:
    with platform.database.reading(holding(visitor.principal, Right.ARCHIVE, Right.CONTROL)) as session:
        found = session.exec(select(RecordCorrection).where(RecordCorrection.id == correction_id)).first()
    if found is None:
        raise NotFound(_t("none"))
    return found


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    record: Record,
    given: dict[str, str],
    *,
    trouble: str = "",
    status: int = 200,
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        rules = {
            category.value: [
                (known.delay.identifier, f"{known.delay.identifier} – {known.delay.label}")
                for known in referential.in_force(session, record.organisation_id, category)
            ]
            for category in (Category.APPRAISAL, Category.ACCESS)
        }
        said = explained_for(session, record), access_explained_for(session, record)
        waits = correcting.proposal_on(session, record.id)
    values: dict[str, Any] = {"csrf": visitor.csrf, "record": record, "given": given, "trouble": trouble, "rules": rules}
    values |= {"said": said, "waits": waits, "longest_reason": LONGEST_REASON, "today": clock.in_paris(clock.now()).date()}
    values["actions"] = [(action.value, _t(f"action.{action.value}")) for action in FinalAction]
    return render(request, "web/archive/corrections/new.html", visitor=visitor, status=status, **values)


def _page(
    request: Request, platform: Platform, visitor: Visitor, correction_id: str, *, status: int = 200, **said: Any
) -> HTMLResponse:
    correction = _own(platform, visitor, correction_id)
    principal, where = visitor.principal, correction.organisation_id
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, correction.record_id)
        (row,) = told(session, [correction])
        names = owners(session, [where])
    values: dict[str, Any] = {
        "csrf": visitor.csrf,
        "one": correction,
        "told": row,
        "record": record,
        "title": title_of(record) or record.id,
        "organisation": names[where],
        "colour": _COLOURS[correction.state],
        "agrees": correcting.decides(principal, correction),
        "withdraws": correction.state == CorrectionState.PROPOSED and principal.may(Right.ARCHIVE, where),
        "reads": principal.may(Right.READ, where),
        "trouble": "",
        "done": "",
    }
    return render(request, "web/archive/corrections/correction.html", visitor=visitor, status=status, **values | said)
