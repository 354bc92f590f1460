"""“Versements”: the list, narrowed by what stands in the address, and one: what it holds, what was found, the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import cursors, downloads, records
from api.problems import fault_of
from api.v1.transfer_shapes import Given
from api.web.archive.transfers.tree import tree_of
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.ingest.models import ArchiveAgreement
from core.errors import Conflict, UsageError
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine import reading as dossiers
from flows.engine.table import End
from flows.transfers import deciding, reading
from flows.transfers.flow import TRANSFER
from flows.transfers.names import DRY_RUN
from flows.transfers.reading import SeenTransfer, Wanted
from schemas.seda import codes

router = APIRouter()
PATH = "/archives/versements"
_ONE = f"{PATH}/{{transfer_id}}"
_A_PAGE = 25
_PROBLEMS, _UNITS, _FILES = 100, 500, 200
_DONE = frozenset({"verse", "deja", "accepte", "refuse"})
_NOTHING_TYPED = {"accepting": "", "code": "", "refusing": ""}
_COLOURS = {"to_accept": "amber", "archived": "green", "rejected": "red", "declined": "red", "tried": "grey", "duplicate": "grey"}


def _filters(
    q: Annotated[str, Query(max_length=255)] = "",
    etat: Annotated[str, Query(max_length=20)] = "",
    accord: Annotated[str, Query(max_length=26)] = "",
    organisation: Annotated[str, Query(max_length=26)] = "",
) -> dict[str, str]:
    return {"q": q.strip(), "etat": etat, "accord": accord, "organisation": organisation}


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Annotated[dict[str, str], Depends(_filters)],
    apres: Annotated[str, Query(max_length=200)] = "",
    avant: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show a page of the list."""
    with dossiers.opened(platform.database, visitor.principal) as session:
        organisations = dossiers.organisations(session)
    wanted = Wanted(
        organisations=(filters["organisation"],) if filters["organisation"] else (),
        states=(filters["etat"],) if filters["etat"] else (),
        agreement=filters["accord"],
        text=filters["q"],
        after=cursors.read(apres),
        before=cursors.read(avant),
        limit=_A_PAGE,
    )
    page = reading.list_transfers(platform.database, visitor.principal, wanted)
    agreements = _agreements(platform, {line.agreement_id for line in page.lines if line.agreement_id}, visitor)
    return render(
        request,
        "web/archive/transfers/list.html",
        visitor=visitor,
        page=page,
        colours={line.id: _colour(line.state, line.parked) for line in page.lines},
        filters=filters,
        filtered=any(filters.values()),
        states=TRANSFER.states,
        agreements=agreements,
        organisations=organisations,
        names={one.id: one.name for one in organisations},
        may_hand=bool(visitor.where(Right.DEPOSIT)),
        may_agree=bool(visitor.where(Right.ARCHIVE)),
        next=_address(filters, apres=cursors.written(page.after)),
        previous=_address(filters, avant=cursors.written(page.before)),
    )


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
        entries = dossiers.timeline(session, transfer_id)
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
        "colour": _colour(dossier.state, dossier.parked),
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


def _agreements(platform: Platform, named: set[str], visitor: Visitor) -> dict[str, str]:
    """Return the agreements that the filter offers: those that the visitor manages, and those that the transfers shown name."""
    with platform.database.reading(PLATFORM) as session:
        own = col(ArchiveAgreement.organisation_id).in_(visitor.where(Right.ARCHIVE))
        meant = select(ArchiveAgreement).where(own | col(ArchiveAgreement.id).in_(named))
        return {one.id: one.identifier for one in session.exec(meant.order_by(ArchiveAgreement.identifier))}


def _colour(state: str, parked: str | None) -> str:
    return "amber" if parked else _COLOURS.get(state, "blue")


def _address(filters: Mapping[str, str], **place: str | None) -> str | None:
    if not any(place.values()):
        return None
    return f"{PATH}?{urlencode({name: value for name, value in {**filters, **place}.items() if value})}"
