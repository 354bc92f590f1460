"""Acts over the API: followed, cancelled, their files given out; and the classification that they go by."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from api import cursors, downloads, records
from api.acts import finding
from api.publications.finding import root_of
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts, own_organisation
from api.v1.act_followed import Followed
from api.v1.act_sending import ActId
from api.v1.act_shapes import (
    ActFileList,
    ActFileShape,
    ActLine,
    ActMessageShape,
    ActPage,
    ActShape,
    ClassificationShape,
    LitigationShape,
)
from api.v1.bodies import described, said_in
from api.v1.publication_shapes import PublicationShape
from core import clock
from core.database import ScopedSession
from core.errors import NotFound
from core.messages import Catalogue
from flows.actes import following, knowledge, litigation
from flows.engine import reading

router = APIRouter(prefix="/v1", tags=["Actes"])
_t = Catalogue("api.acts")
_OCTETS = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": "The file.",
}
Owner = Annotated[str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")]


@router.get("/acts", summary="List acts")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Owner = None,
    state: Annotated[list[str] | None, Query(max_length=20, description="Name of a state; may be repeated.")] = None,
    nature: Annotated[int | None, Query(ge=1, le=6)] = None,
    number: Annotated[str | None, Query(max_length=40, description="The collectivité’s own, whole.")] = None,
    decided_from: Annotated[date | None, Query(description="First day of decision.")] = None,
    decided_to: Annotated[date | None, Query(description="Last day of decision, included.")] = None,
    q: Annotated[str, Query(max_length=100, description="A part of the number and subject.")] = "",
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ActPage:
    """Return a page of acts, newest first."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    wanted = finding.Wanted(meant, tuple(state or ()), nature, number, decided_from, decided_to, q.strip())
    with reading.opened(platform.database, caller) as session:
        page = finding.page(session, wanted, limit, cursors.read(cursor))
    return ActPage(
        acts=[ActLine.of_act(dossier) for dossier in page.acts],
        total=page.total,
        total_exact=page.exact,
        next=cursors.written(page.after),
    )


@router.get("/acts/classification", summary="Show the classification of the préfecture")
def classification(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; that of the token when absent.")
    ] = None,
    q: Annotated[str, Query(max_length=100, description="Code of a matière, or words of its labels, accents aside.")] = "",
) -> ClassificationShape:
    """Return the natures with their typologies, and the matières; 404 before the préfecture gave any."""
    named = organisation or own_organisation(platform, caller).id
    owner = organisation_named(platform, caller, named).id
    found = knowledge.classification_of(platform, owner)
    if found is None:
        raise NotFound(_t("classification.none"))
    return ClassificationShape.of(owner, found, q.strip())


@router.get("/acts/{act_id}", summary="Show an act")
def shown(request: Request, platform: Parts, caller: Caller, act_id: ActId) -> ActShape:
    """Return an act in full: where it stands, its control of legality, its publication, the messages of both sides."""
    with reading.opened(platform.database, caller) as session:
        return _in_full(session, act_id, root_of(request, platform))


@router.get("/acts/{act_id}/files", summary="List the files of an act")
def files(platform: Parts, caller: Caller, act_id: ActId) -> ActFileList:
    """Return the files of an act, oldest first: its own, what was sent of it, what the State sent."""
    with reading.opened(platform.database, caller) as session:
        found = finding.whole(session, act_id)
        return ActFileList(files=[ActFileShape.of(kept, found.type_of(kept.role)) for kept in found.seen.files])


@router.get(
    "/acts/{act_id}/files/{act_file_id}",
    summary="Download a file of an act",
    response_class=StreamingResponse,
    responses={200: _OCTETS},
)
def file(platform: Parts, caller: Caller, act_id: ActId, act_file_id: ActId) -> StreamingResponse:
    """Return a file as it was kept; a connection cut before the end means that the store altered it."""
    with reading.opened(platform.database, caller) as session:
        finding.whole(session, act_id)
        kept = reading.file_of(session, act_id, act_file_id)
    return downloads.document(platform, kept)


@router.get(
    "/acts/{act_id}/files/{act_file_id}/stamped",
    summary="A copy of a PDF with the préfecture’s stamp on each page",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
)
def stamped(
    platform: Parts,
    caller: Caller,
    act_id: ActId,
    act_file_id: ActId,
    published: Annotated[date | None, Query(description="Day of publication, when the stamp is to say it.")] = None,
) -> Response:
    """Return a stamped copy, once the act is acknowledged (409 before); never the legal original."""
    with reading.opened(platform.database, caller) as session:
        found = finding.whole(session, act_id)
        kept = reading.file_of(session, act_id, act_file_id)
    return downloads.copy(*finding.stamped(platform, found, kept, published), "application/pdf")


@router.post("/acts/{act_id}/cancellation", status_code=201, summary="Ask the State to cancel the transmission of an act")
def cancelled(platform: Parts, caller: Caller, act_id: ActId) -> ActMessageShape:
    """Ask for the cancellation of a transmission (6-1); the act itself is not withdrawn by it. Asked for once, else 409."""
    return ActMessageShape.of(following.cancel(platform, caller, act_id))


@router.post(
    "/acts/{act_id}/litigation",
    status_code=201,
    summary="Say that the litigation about an act is over",
    openapi_extra=described(LitigationShape),
)
def settled(
    request: Request, platform: Parts, caller: Caller, act: Followed, said: Annotated[LitigationShape, said_in(LitigationShape)]
) -> ActShape:
    """Say how the litigation ended: no message of the State does. The act goes to its archiving. Said once, else 409."""
    litigation.settle(platform, caller, act.id, said.ended, said.result)
    with platform.database.reading(caller) as session:  # who may say it may be told what became of it
        return _in_full(session, act.id, root_of(request, platform))


def _in_full(session: ScopedSession, act_id: str, root: str) -> ActShape:
    found = finding.whole(session, act_id)
    publication = PublicationShape.of_act(session, found, root)
    return ActShape.seen(found, _today(), records.record_of(session, act_id), publication)


def _today() -> date:
    return clock.in_paris(clock.now()).date()
