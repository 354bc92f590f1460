"""Dossiers over the API: listed, shown, followed, resumed; their documents given out."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse
from sqlmodel import select

from api import cursors, downloads, records
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.shapes import DossierLine, DossierPage, DossierShape, EntryShape, FileList, FileShape, Timeline
from api.words import label
from core.journal import JournalEntry
from core.principal import Right
from flows.engine import reading, transitions
from flows.engine.diagram import draw
from flows.engine.reading import Wanted
from flows.registry import flow_named

router = APIRouter(prefix="/v1", tags=["Dossiers"])
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]
Owner = Annotated[str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")]
SVG = {"content": {"image/svg+xml": {"schema": {"type": "string"}}}, "description": "The drawing."}
BYTES = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": "The document.",
}


@router.get("/dossiers", summary="List dossiers")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    flow: Annotated[str | None, Query(max_length=40)] = None,
    state: Annotated[list[str] | None, Query(max_length=20, description="May be repeated.")] = None,
    parked: Annotated[bool | None, Query(description="true: those an operator must look at.")] = None,
    created_from: Annotated[date | None, Query(description="First day of deposit, Europe/Paris.")] = None,
    created_to: Annotated[date | None, Query(description="Last day of deposit, included, Europe/Paris.")] = None,
    q: Annotated[str, Query(max_length=100, description="A part of the title, or a whole identifier.")] = "",
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DossierPage:
    """Return a page of dossiers, newest first; `dossier.survey` shows their states, and their identifiers for titles."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    wanted = Wanted(meant, flow, tuple(state or ()), parked, created_from, created_to, q.strip())
    with reading.surveyed(platform.database, caller) as session:
        page = reading.page(session, wanted, limit, after=cursors.read(cursor))
    return DossierPage(
        dossiers=[DossierLine.of(line) for line in page.lines],
        total=page.total,
        total_exact=page.exact,
        next=cursors.written(page.after),
    )


@router.get("/dossiers/{dossier_id}", summary="Show a dossier")
def shown(platform: Parts, caller: Caller, dossier_id: Identifier) -> DossierShape:
    """Return a dossier in full, or how it stands and no more to whoever holds `dossier.survey` only."""
    with reading.surveyed(platform.database, caller) as session:
        found = reading.seen(session, dossier_id, although_eliminated=True)
        return DossierShape.seen(found, records.record_of(session, dossier_id))


@router.get("/dossiers/{dossier_id}/timeline", summary="Follow a dossier")
def timeline(
    platform: Parts,
    caller: Caller,
    dossier_id: Identifier,
    cursor: Annotated[
        str | None, Query(pattern="^[0-9A-Z]{26}$", description="From `next`: the entries before those of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=reading.TIMELINE)] = reading.TIMELINE,
) -> Timeline:
    """Return what happened to a dossier, the last of it, oldest first; `next` leads to what came before."""
    with reading.surveyed(platform.database, caller) as session:
        reading.seen(session, dossier_id, although_eliminated=True)
        entries, more = reading.timeline(session, dossier_id, limit, cursor)
        total, exact = reading.counted(session, select(JournalEntry.id).where(JournalEntry.dossier_id == dossier_id))
    shown = [EntryShape.of(entry) for entry in entries]
    return Timeline(entries=shown, total=total, total_exact=exact, next=entries[0].id if more else None)


@router.get("/dossiers/{dossier_id}/files", summary="List the documents of a dossier")
def files(platform: Parts, caller: Caller, dossier_id: Identifier) -> FileList:
    """Return the documents of a dossier, oldest first."""
    with reading.opened(platform.database, caller) as session:
        found = reading.seen(session, dossier_id)
        return FileList(files=[FileShape.of(kept, found.dossier.flow) for kept in found.files])


@router.get(
    "/dossiers/{dossier_id}/files/{file_id}",
    summary="Download a document",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
def file(platform: Parts, caller: Caller, dossier_id: Identifier, file_id: Identifier) -> StreamingResponse:
    """Return a document, as an attachment; a connection cut before the end means that the store altered it."""
    with reading.opened(platform.database, caller) as session:
        kept = reading.file_of(session, dossier_id, file_id)
    return downloads.document(platform, kept)


@router.post("/dossiers/{dossier_id}/resume", summary="Take a parked dossier up again")
def resume(platform: Parts, caller: Caller, dossier_id: Identifier) -> DossierShape:
    """Take a parked dossier up where it stood; the right ``dossier.operate`` is asked for."""
    with reading.surveyed(platform.database, caller) as session:
        dossier = reading.seen(session, dossier_id).dossier
    caller.require(Right.OPERATE, dossier.organisation_id)
    transitions.resume(platform.database, flow_named(dossier.flow), dossier_id, caller.actor)
    return shown(platform, caller, dossier_id)


@router.get("/dossiers/{dossier_id}/diagram.svg", summary="Draw a dossier’s flow", response_class=Response, responses={200: SVG})
def diagram(platform: Parts, caller: Caller, dossier_id: Identifier) -> Response:
    """Return the flow of a dossier as a drawing, its state marked."""
    with reading.surveyed(platform.database, caller) as session:
        dossier = reading.seen(session, dossier_id, although_eliminated=True).dossier
    drawing = draw(flow_named(dossier.flow), partial(label, flow=dossier.flow), dossier.state, label(f"flow.{dossier.flow}"))
    return Response(drawing, media_type="image/svg+xml")
