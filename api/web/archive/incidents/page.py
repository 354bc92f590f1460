"""The incidents of the archive: the list, and one: what was seen, who has it, what to do, what was done.

Whoever operates the platform without reading its documents sees keys and identifiers, never a title.
"""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from sqlmodel import col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import cursors
from api.problems import fault_of
from api.web.archive.watching import watched
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from api.words import moment
from archive.models import Record
from archive.places.places import copies_of, places_of
from archive.watch import incidents, restoring
from archive.watch.incidents import Kind, watcher
from archive.watch.models import Incident
from core.clock import from_iso
from core.errors import Conflict, NotFound, TabellionError, UsageError
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine.reading import Place

router = APIRouter()
_t = Catalogue("api.web.archive.incidents")
PATH = "/archives/incidents"
_ONE = f"{PATH}/{{incident_id}}"
_A_PAGE = 25
_CLOSED = "clos"
_DONE = frozenset({"pris", "clos", "reconstruite"})
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)")


def _filters(
    etat: Annotated[str, Query(max_length=10)] = "",
    nature: Annotated[str, Query(max_length=40)] = "",
    lieu: Annotated[str, Query(max_length=40)] = "",
) -> dict[str, str]:
    return {"etat": etat, "nature": nature, "lieu": lieu}


@router.get(PATH)
def listed(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    filters: Annotated[dict[str, str], Depends(_filters)],
    apres: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show a page of the incidents: those that wait for somebody, or those that are closed."""
    closed, after = filters["etat"] == _CLOSED, cursors.read(apres)
    with watched(platform.database, visitor.principal) as session:
        found = incidents.listed(
            session,
            closed=closed,
            count=_A_PAGE + 1,
            kind=filters["nature"],
            place=filters["lieu"],
            after=(after.created, after.id) if after else None,
        )
        waiting = incidents.counts(session)
    shown, last = found[:_A_PAGE], found[_A_PAGE - 1] if len(found) > _A_PAGE else None
    here = {name: value for name, value in filters.items() if value}
    more = f"{PATH}?{urlencode({**here, 'apres': cursors.written(Place(last.opened, last.id)) or ''})}" if last else None
    return render(
        request,
        "web/archive/incidents/list.html",
        visitor=visitor,
        incidents=shown,
        names={one.id: incidents.words_of(one.kind).name for one in shown},
        owners=_people(platform, shown),
        kinds=[(kind.value, incidents.words_of(kind).name) for kind in Kind],
        places=[place.name for place in places_of(platform)],
        waiting=sum(waiting.values()),
        filters=filters,
        filtered=bool(here),
        closed=closed,
        more=more,
    )


@router.get(_ONE)
def shown(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    incident_id: Identifier,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Show an incident; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, incident_id, done=fait if fait in _DONE else "")


@router.post(f"{_ONE}/prise")
def taken(platform: Parts, visitor: SignedIn, fields: Fields, incident_id: Identifier) -> RedirectResponse:
    """Have the visitor take the incident up."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(watcher(visitor.principal)) as session:
        incidents.own(session, incident_id, visitor.principal.actor, visitor.person_id)
    return RedirectResponse(f"{PATH}/{incident_id}?fait=pris", status_code=303)


@router.post(f"{_ONE}/cloture")
def closed(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, incident_id: Identifier) -> Response:
    """Close the incident with what was done."""
    visitor.check(fields.get("csrf"))
    how = fields.get("how", "")
    try:
        with platform.database.writing(watcher(visitor.principal)) as session:
            incidents.close(session, incident_id, visitor.principal.actor, visitor.person_id, how)
    except (UsageError, Conflict) as error:
        return _troubled(request, platform, visitor, incident_id, error, how=how[: incidents.LONGEST_HOW])
    return RedirectResponse(f"{PATH}/{incident_id}?fait=clos", status_code=303)


@router.post(f"{_ONE}/reconstruction")
def restored(request: Request, platform: Parts, visitor: SignedIn, fields: Fields, incident_id: Identifier) -> Response:
    """Write the copy again from the place that the visitor chose; whoever does it has taken the incident up."""
    visitor.check(fields.get("csrf"))
    source = fields.get("source", "")
    with watched(platform.database, visitor.principal) as session:
        incident = incidents.incident_of(session, incident_id)
    record = _record(platform, incident)
    if record is None or source not in _sources(platform, incident, record):
        raise NotFound(_t("restore.no_source"))
    try:
        with platform.database.writing(watcher(visitor.principal)) as session:
            incidents.own(session, incident_id, visitor.principal.actor, visitor.person_id)
        restoring.restore(platform, record.id, incident.place, source, visitor.principal.actor)
    except TabellionError as error:
        return _troubled(request, platform, visitor, incident_id, error)
    return RedirectResponse(f"{PATH}/{incident_id}?fait=reconstruite", status_code=303)


def _troubled(
    request: Request, platform: Platform, visitor: Visitor, incident_id: str, error: TabellionError, how: str = ""
) -> HTMLResponse:
    fault = fault_of(error)
    return _page(request, platform, visitor, incident_id, status=fault.status, trouble=fault.detail, how=how)


def _page(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    incident_id: str,
    *,
    status: int = 200,
    done: str = "",
    trouble: str = "",
    how: str = "",
) -> HTMLResponse:
    with watched(platform.database, visitor.principal) as session:
        incident = incidents.incident_of(session, incident_id)
        organisation = session.exec(select(Organisation).where(Organisation.id == incident.organisation_id)).one()
    record = _record(platform, incident)
    reads = record is not None and visitor.principal.may(Right.READ, incident.organisation_id) and not record.confidential
    values: dict[str, Any] = {
        "incident": incident,
        "words": incidents.words_of(incident.kind),
        "organisation": organisation,
        "facts": _facts(incident),
        "record": record if reads else None,
        "owner": _people(platform, [incident]).get(incident.owner_id or ""),
        "mine": incident.owner_id == visitor.person_id,
        "sources": _sources(platform, incident, record) if record and incident.closed is None else [],
        "mendable": record is not None and incident.kind in restoring.MENDED,
        "longest": incidents.LONGEST_HOW,
    }
    return render(
        request,
        "web/archive/incidents/incident.html",
        visitor=visitor,
        status=status,
        done=done,
        trouble=trouble,
        how=how,
        **values,
    )


def _facts(incident: Incident) -> list[tuple[str, str, bool]]:
    """Return what was noted: the name of each fact, its value, and whether it is a code, to be compared rather than read."""
    told = [(name, value, _worded(value)) for name, value in incident.facts.items() if value is not None and value != ""]
    return [(_named(name), words, words == str(value)) for name, value, words in told]


def _named(fact: str) -> str:
    """Return the words of a fact, or its bare name where another room noted one of its own."""
    key = f"fact.{fact}"
    return _t(key) if key in _t else fact


def _worded(value: object) -> str:
    """Return a value of a fact as people read it; identifiers, digests and codes of others stay as they are."""
    if isinstance(value, bool):
        return _t("value.true" if value else "value.false")
    if isinstance(value, list):
        return ", ".join(_worded(one) for one in value)
    text = str(value)
    if _MOMENT.fullmatch(text):
        return moment(from_iso(text))
    key = f"value.{text.replace(' ', '_')}"
    return _t(key) if key in _t else text


def _record(platform: Platform, incident: Incident) -> Record | None:
    """Return the record that an incident is about: that of the key it names, of the organisation whose incident it is."""
    named = incident.facts.get("record")
    if not isinstance(named, str):
        return None
    with platform.database.reading(PLATFORM) as session:
        same = (Record.id == named, Record.organisation_id == incident.organisation_id)
        return session.exec(select(Record).where(*same)).first()


def _sources(platform: Platform, incident: Incident, record: Record) -> list[str]:
    """Return the places that a copy may be taken from; the place itself when its sealed version is only covered."""
    if incident.kind not in restoring.MENDED or record.eliminated is not None:
        return []
    known = {place.name for place in places_of(platform)}
    with platform.database.reading(PLATFORM) as session:
        holding = {copy.place for copy in copies_of(session, record.id)} & known
    if incident.place not in holding:
        return []
    return sorted(place for place in holding if place != incident.place or incident.kind == Kind.COPY_HIDDEN)


def _people(platform: Platform, shown: list[Incident]) -> dict[str, str]:
    """Return the names of those who have taken incidents up, by identifier."""
    wanted = {one.owner_id for one in shown if one.owner_id}
    with platform.database.reading(PLATFORM) as session:
        return {person.id: person.name for person in session.exec(select(Person).where(col(Person.id).in_(wanted)))}
