"""One of the “Versements”: what it holds, what was found, the decision."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import downloads, records
from api.problems import fault_of
from api.v1.transfer_shapes import Given
from api.web.archive.transfers.listing import PATH, colour
from api.web.archive.transfers.tree import tree_of
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, UsageError
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine import reading as dossiers
from flows.engine.table import End
from flows.transfers import deciding, reading
from flows.transfers.flow import TRANSFER
from flows.transfers.names import DRY_RUN
from flows.transfers.reading import SeenTransfer
from schemas.seda import codes

router = APIRouter()
_ONE = f"{PATH}/{{transfer_id}}"
_PROBLEMS, _UNITS, _FILES = 100, 500, 200
_DONE = frozenset({"verse", "deja", "accepte", "refuse"})
_NOTHING_TYPED = {"accepting": "", "code": "", "refusing": ""}


@router.get(_ONE)
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    transfer_id: Identifier,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a transfer; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, transfer_id, done=fait if fait in _DONE else "")


@router.post(f"{_ONE}/acceptation")
def accepted(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, transfer_id: Identifier) -> Response:
    """Accept a transfer."""
    visitor.check(fields.get("csrf"))
    comment = fields.get("comment", "")
    try:
        deciding.accept(platform, visitor.principal, transfer_id, comment)
    except (UsageError, Conflict) as error:
        return _refused(request, platform, visitor, transfer_id, error, _NOTHING_TYPED | {"accepting": comment})
    return RedirectResponse(f"{PATH}/{transfer_id}?fait=accepte", status_code=303)


@router.post(f"{_ONE}/refus")
def refused(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, transfer_id: Identifier) -> Response:
    """Refuse a transfer."""
    visitor.check(fields.get("csrf"))
    code, comment = fields.get("code", ""), fields.get("comment", "")
    try:
        deciding.refuse(platform, visitor.principal, transfer_id, code, comment)
    except (UsageError, Conflict) as error:
        return _refused(request, platform, visitor, transfer_id, error, _NOTHING_TYPED | {"code": code, "refusing": comment})
    return RedirectResponse(f"{PATH}/{transfer_id}?fait=refuse", status_code=303)


@router.get(f"{_ONE}/fichiers/{{transfer_file}}")
def file(platform: Parts, visitor: SignedIn, transfer_id: Identifier, transfer_file: Given) -> StreamingResponse:
    """Give a message or a report out."""
    return downloads.document(platform, reading.file_of(platform.database, visitor.principal, transfer_id, transfer_file.value))


def _refused(
    request: Request, platform: Platform, visitor: Visitor, transfer_id: str, error: Exception, typed: dict[str, str]
) -> HTMLResponse:
    fault = fault_of(error)
    return _page(request, platform, visitor, transfer_id, status=fault.status, trouble=fault.detail, typed=typed)


def _page(
    request: Request, platform: Platform, visitor: Visitor, transfer_id: str, *, status: int = 200, **told: Any
) -> HTMLResponse:
    found = reading.seen(platform.database, visitor.principal, transfer_id)
    dossier = found.seen.dossier
    report = reading.report_of(platform, found.seen.files) or {}
    with dossiers.opened(platform.database, visitor.principal) as session:
        entries, _ = dossiers.timeline(session, transfer_id)
        record = records.record_of(session, transfer_id)
    row = TRANSFER.rows[dossier.state]
    deciding_here = dossier.state == "to_accept" and visitor.principal.may(Right.ARCHIVE, dossier.organisation_id)
    shown_problems = report.get("problems") if dossier.facts.get(DRY_RUN) else found.seen.problems
    values = {
        "done": "",
        "trouble": "",
        "typed": _NOTHING_TYPED,
        "found": found,
        "dossier": dossier,
        "transfer": found.transfer,
        "report": report,
        "tree": tree_of(report.get("units", [])[:_UNITS]),
        "files": report.get("files", [])[:_FILES],
        "problems": (shown_problems or [])[:_PROBLEMS],
        "problem_count": len(shown_problems or []),
        "colour": colour(dossier.state, dossier.parked),
        "ended": isinstance(row, End),
        "deciding": deciding_here,
        "refusals": [(code, codes.in_words(code)) for code in deciding.REFUSALS] if deciding_here else [],
        "reply": codes.in_words(found.transfer.code) if found.transfer.code else "",
        "longest": deciding.LONGEST_COMMENT,
        "pieces": _pieces(found),
        "entries": entries,
        "actors": _actors(platform, [entry.actor for entry in entries] + [found.transfer.decided_by or ""]),
        "record": record,
        "shown": {"units": _UNITS, "files": _FILES},
    }
    return render(request, "web/archive/transfers/one.html", visitor=visitor, status=status, **(values | told))


def _pieces(found: SeenTransfer) -> list[str]:
    """Return which messages and reports there are; a repeated transfer has the answers of the one that it repeats."""
    roles = {kept.role for kept in found.seen.files}
    if found.original:
        roles |= {Given.ACKNOWLEDGEMENT, Given.REPLY}
    return [one.value for one in Given if one in roles]


def _actors(platform: Platform, actors: list[str]) -> dict[str, str]:
    people = {actor.removeprefix("person:") for actor in actors if actor.startswith("person:")}
    if not people:
        return {}
    with platform.database.reading(PLATFORM) as session:
        return {f"person:{one.id}": one.name for one in session.exec(select(Person).where(col(Person.id).in_(people)))}
