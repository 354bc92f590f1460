"""“Demandes de communication”: what somebody outside asks to read, who decides, and the link that is made for them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.problems import fault_of
from api.web.archive.picking import Named, Picked, Picking, picked
from api.web.archive.requests.parts import LONGEST, Part, field_of, parts_of, ranks_in
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from archive.finding import links, requests
from archive.finding.models import ReadingRequest, RequestState
from archive.finding.requests import Asked
from core import clock
from core.errors import Conflict, Forbidden, NotFound, TabellionError, UsageError
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
PATH = "/archives/demandes"
_A_PAGE = 50
_ONE = f"{PATH}/{{request_id}}"
_FIELDS = ("requester", "contact", "reason")
_DONE = frozenset({"enregistree", "accordee", "refusee"})
_COLOURS = {
    RequestState.ASKED.value: "amber",
    RequestState.AGREED.value: "blue",
    RequestState.REFUSED.value: "red",
    RequestState.GIVEN.value: "green",
}


@router.get(PATH)
def listed(
    request: Request, platform: Parts, visitor: SignedIn, apres: Annotated[str, Query(max_length=26)] = ""
) -> HTMLResponse:
    """Show the requests, newest first."""
    with platform.database.reading(visitor.principal) as session:
        rows = requests.listed(session, apres, _A_PAGE + 1)
        found = rows[:_A_PAGE]
        owners = {one.organisation_id for one in found}
        names = dict(session.exec(select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(owners))).all())
    return render(
        request,
        "web/archive/requests/list.html",
        visitor=visitor,
        requests=found,
        names=names,
        colours=_COLOURS,
        mine={one.id for one in found if one.state == RequestState.ASKED and requests.decides(visitor.principal, one)},
        may_ask=bool(visitor.where(Right.ARCHIVE)),
        more=f"{PATH}?apres={found[-1].id}" if len(rows) > _A_PAGE else "",
    )


@router.get(f"{PATH}/nouvelle")
def ask(request: Request, platform: Parts, visitor: SignedIn, archive: Named = None) -> HTMLResponse:
    """Show the form, for records that the address names."""
    records = picked(platform, visitor, archive or ())
    return _form(request, visitor, dict.fromkeys(_FIELDS, ""), records, parts_of(platform, visitor, records, {}))


@router.post(PATH)
def asked(request: Request, platform: Parts, visitor: SignedIn, form: Picking) -> Response:
    """Write a request down."""
    visitor.check(form.fields.get("csrf"))
    said = {name: form.fields.get(name, "") for name in _FIELDS}
    try:
        parts = {record: ranks for record in form.records if (ranks := ranks_in(form.fields.get(field_of(record), "")))}
        wish = Asked(said["requester"], said["contact"], said["reason"], form.records, parts)
        identifier = requests.make(platform, visitor.principal, wish)
    except (UsageError, NotFound, Forbidden) as error:
        fault = fault_of(error)
        shown = picked(platform, visitor, form.records)
        wanted = parts_of(platform, visitor, shown, form.fields)
        return _form(request, visitor, said, shown, wanted, status=fault.status, trouble=fault.detail)
    return RedirectResponse(f"{PATH}/{identifier}?fait=enregistree", status_code=303)


@router.get(_ONE)
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    request_id: Identifier,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show a request; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, request_id, done=fait if fait in _DONE else "")


@router.post(f"{_ONE}/reponse")
def decided(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, request_id: Identifier) -> Response:
    """Agree to a request, or refuse it."""
    visitor.check(fields.get("csrf"))
    agreed, answer = fields.get("decision") == "accord", fields.get("answer", "")
    try:
        requests.decide(platform, visitor.principal, request_id, answer, agreed=agreed)
    except (UsageError, Conflict, Forbidden) as error:
        return _troubled(request, platform, visitor, request_id, error, answer)
    return RedirectResponse(f"{PATH}/{request_id}?fait={'accordee' if agreed else 'refusee'}", status_code=303)


@router.post(f"{_ONE}/lien")
def linked(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, request_id: Identifier) -> Response:
    """Make a link for the reader and show it, this once."""
    visitor.check(fields.get("csrf"))
    try:
        secret = links.new_link(platform, visitor.principal, request_id)
    except (Conflict, Forbidden) as error:
        return _troubled(request, platform, visitor, request_id, error)
    return _page(request, platform, visitor, request_id, link=links.address(platform.settings, secret))


def _form(
    request: Request,
    visitor: Visitor,
    said: dict[str, str],
    records: Picked,
    parts: list[Part],
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    return render(
        request,
        "web/archive/requests/new.html",
        visitor=visitor,
        status=status,
        said=said,
        picked=records,
        parts=parts,
        trouble=trouble,
        longest=requests.LONGEST,
        longest_name=requests.LONGEST_NAME,
        longest_part=LONGEST,
        most=requests.MOST_RECORDS,
    )


def _troubled(
    request: Request, platform: Platform, visitor: Visitor, request_id: str, error: TabellionError, answer: str = ""
) -> HTMLResponse:
    fault = fault_of(error)
    return _page(request, platform, visitor, request_id, status=fault.status, trouble=fault.detail, answer=answer)


def _page(
    request: Request, platform: Platform, visitor: Visitor, request_id: str, *, status: int = 200, **told: str
) -> HTMLResponse:
    with platform.database.reading(visitor.principal) as session:
        seen = requests.seen(session, request_id)
        organisation = session.exec(select(Organisation).where(Organisation.id == seen.request.organisation_id)).one()
    one, principal = seen.request, visitor.principal
    waiting = one.state == RequestState.ASKED
    shown: dict[str, Any] = {"done": "", "trouble": "", "answer": "", "link": ""} | told
    return render(
        request,
        "web/archive/requests/request.html",
        visitor=visitor,
        status=status,
        one=one,
        records=seen.records,
        parts=seen.parts,
        organisation=organisation,
        colour=_COLOURS[one.state],
        people=_people(platform, one),
        decides=waiting and requests.decides(principal, one),
        waiting=waiting,
        links=one.state in {RequestState.AGREED, RequestState.GIVEN} and principal.may(Right.ARCHIVE, one.organisation_id),
        reads=principal.may(Right.READ, one.organisation_id),
        today=clock.in_paris(clock.now()).date(),
        longest=requests.LONGEST,
        **shown,
    )


def _people(platform: Platform, request: ReadingRequest) -> dict[str, str]:
    """Return the names of those who acted, by how the journal calls them."""
    actors = {actor for actor in (request.made_by, request.decided_by) if actor and actor.startswith("person:")}
    identifiers = [actor.partition(":")[2] for actor in actors]
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(identifiers)))
        return {f"person:{identifier}": name for identifier, name in found}
