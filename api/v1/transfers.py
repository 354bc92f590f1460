"""Transfers over the API: a package is handed over, followed, accepted or refused, and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import cursors, downloads, records
from api.acts import finding
from api.deposits import Destination, deposit, refuse_key, said_once
from api.multipart import Form
from api.tenants import below, organisation_named
from api.uploads import Body, Uploads
from api.v1.access import Caller, Parts, own_organisation
from api.v1.act_asked import read_json
from api.v1.bodies import JSON, described, kind_of, said_in, schema_of
from api.v1.dossiers import BYTES
from api.v1.states import StateOf
from api.v1.transfer_shapes import (
    Accepted,
    DecisionAsked,
    DecisionsTaken,
    DecisionTaken,
    Given,
    RefusalAsked,
    TransferLine,
    TransferOfUpload,
    TransferPage,
    TransferShape,
    Verdict,
)
from core import uploads
from core.blobs import Blob
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.uploads import Upload
from flows.engine.intake import Received
from flows.transfers import deciding, intake, reading
from flows.transfers.flow import TRANSFER
from flows.transfers.intake import FIELDS
from flows.transfers.names import DRY_RUN
from flows.transfers.reading import Wanted

router = APIRouter(prefix="/v1", tags=["Versements"])
TransferId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of its dossier, of 26 characters.")]
PATH = "/v1/transfers"
_State = Annotated[str, StateOf(TRANSFER)]
_FIELDS = FIELDS | {"organisation"}
_FORM = "multipart/form-data"
_RAW = ("application/zip", "application/x-tar", "application/gzip", "application/x-bzip2", "application/octet-stream")
_OCTETS = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        _FORM: {
            "schema": {
                "type": "object",
                "required": ["document"],
                "properties": {
                    "organisation": {
                        "type": "string",
                        "description": "SIREN or SIRET of whose archive it becomes; before the package; the token’s when absent.",
                    },
                    "dry_run": {"type": "string", "description": "true: the package is checked, and goes no further."},
                    "document": {"type": "string", "format": "binary", "description": "The package: the last part."},
                },
            }
        },
        **dict.fromkeys(_RAW, _OCTETS),
        JSON: {"schema": schema_of(TransferOfUpload)},
    },
}


@router.post(
    "/transfers",
    status_code=202,
    summary="Hand a package over",
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {"model": TransferShape, "description": "The identical package was handed over before: this is its transfer."},
        202: {"headers": {"Location": {"schema": {"type": "string"}}}},
    },
)
async def handed(
    request: Request,
    response: Response,
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="In place of the body’s; 400 when the two differ.")
    ] = None,
    dry_run: Annotated[bool, Query(description="The package is checked, and goes no further.")] = False,
    name: Annotated[str, Query(max_length=200, description="Name of the package, when it is the body.")] = "versement",
    idempotency_key: Annotated[str | None, Header(description="Makes a repeat harmless: 1 to 200 visible characters.")] = None,
) -> TransferShape:
    """Receive a package, read as it comes; the answer is given once it is kept.

    What it is worth is checked afterwards: follow the transfer. ZIP (also ZIP64), TAR, and TAR compressed by gzip or bzip2 are
    taken, with a SEDA 2.1, 2.2 or 2.3 manifest at the root; which of them it is, the content says. A package that is larger than
    a request may be comes in pieces (see `/v1/uploads`, place `transfers`), and a JSON body names the finished upload.
    """
    given = {"organisation": organisation, DRY_RUN: "true" if dry_run else None}
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")
    received = await turnstile.run(request, _reader(platform, caller, content_type, given, name, idempotency_key))
    response.headers["Location"] = f"{PATH}/{received.dossier.id}"
    if not received.created:
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
    # Whoever hands over may be told what became of it, whether or not they may read the archives.
    return TransferShape.seen(reading.seen(platform.database, PLATFORM, received.dossier.id), None)


def _reader(
    platform: Platform, caller: Principal, content_type: str, given: dict[str, str | None], name: str, key: str | None
) -> Callable[[Body], Received]:
    """Return what reads the body, in a thread, once it is its turn."""

    def read(body: Body) -> Received:
        kind = kind_of(content_type)
        if kind == JSON:
            return _from_upload(platform, caller, read_json(body, TransferOfUpload), given, key)
        if kind in _RAW:
            return deposit(platform, caller, _destination(platform, caller, given), body, name, key)
        form = Form(body, content_type, _FIELDS)
        said = {**form.values, **{field: value for field, value in given.items() if value is not None}}
        said_once("organisation", given["organisation"], form.values.get("organisation"))
        return deposit(platform, caller, _destination(platform, caller, said), form, form.file_name, key)

    return read


def _from_upload(
    platform: Platform, caller: Principal, asked: TransferOfUpload, given: dict[str, str | None], key: str | None
) -> Received:
    refuse_key(key)
    named = said_once("organisation", given["organisation"], asked.organisation)
    owner = organisation_named(platform, caller, named) if named else own_organisation(platform, caller)
    caller.require(Right.DEPOSIT, owner.id)
    standing = uploads.standing(platform, caller, asked.upload)
    said = {DRY_RUN: "true"} if asked.dry_run or given[DRY_RUN] else {}
    if finding.with_key(platform, owner.id, key):  # a repeat, whatever has become of the first
        return _taken(platform, caller, owner.id, standing, key, said)
    if standing.used and (same := intake.earlier(platform.database, owner.id, standing.sha256 or "")):
        return Received(same, False)  # a repeat: the first one has used the upload
    with uploads.using(platform, caller, owner.id, [asked.upload], uploads.TRANSFERS) as (one,):
        return _taken(platform, caller, owner.id, one, key, said)


def _taken(
    platform: Platform, caller: Principal, owner: str, upload: Upload, key: str | None, said: Mapping[str, str]
) -> Received:
    return intake.taken(platform, caller, owner, Blob(upload.sha256 or "", upload.size), upload.name, key, said)


def _destination(platform: Platform, caller: Principal, given: Mapping[str, str | None]) -> Destination:
    said = {name: value for name, value in given.items() if name in FIELDS and value is not None}
    return Destination(TRANSFER.name, given.get("organisation") or own_organisation(platform, caller).id, said)


@router.get("/transfers", summary="List transfers")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    state: Annotated[list[_State] | None, Query(max_length=20, description="May be repeated.")] = None,
    agreement: Annotated[str, Query(max_length=26, description="Identifier of an agreement, of 26 characters.")] = "",
    q: Annotated[str, Query(max_length=255, description="A part of the title, or a whole identifier.")] = "",
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TransferPage:
    """Return a page of transfers, newest first."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    wanted = Wanted(meant, tuple(state or ()), agreement, q.strip(), after=cursors.read(cursor), limit=limit)
    page = reading.list_transfers(platform.database, caller, wanted)
    return TransferPage(
        transfers=[TransferLine.of(line) for line in page.lines],
        total=page.total,
        total_exact=page.exact,
        next=cursors.written(page.after),
    )


@router.get("/transfers/{transfer_id}", summary="Show a transfer")
def shown(platform: Parts, caller: Caller, transfer_id: TransferId) -> TransferShape:
    """Return a transfer in full: who sent what, what the checks found, what was decided."""
    found = reading.seen(platform.database, caller, transfer_id)
    with platform.database.reading(caller) as session:
        return TransferShape.seen(found, records.record_of(session, transfer_id))


@router.get(
    "/transfers/{transfer_id}/{transfer_file}",
    summary="Download a message or a report of a transfer",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
def file(platform: Parts, caller: Caller, transfer_id: TransferId, transfer_file: Given) -> StreamingResponse:
    """Return the manifest, the Acknowledgement, the ArchiveTransferReply, the report of the checks, or that on signatures.

    404 while there is none yet. A transfer that repeats another gives the answers of that one.
    """
    return downloads.document(platform, reading.file_of(platform.database, caller, transfer_id, transfer_file.value))


@router.post("/transfers/decisions", summary="Accept or refuse several transfers", openapi_extra=described(DecisionAsked))
def decided(platform: Parts, caller: Caller, asked: Annotated[DecisionAsked, said_in(DecisionAsked)]) -> DecisionsTaken:
    """Decide of several transfers at once, each in a transaction of its own.

    The answer is 200 even when some, or all, could not be decided: it says of each what became of it. 400, and nothing is
    decided, when the code is none of a refusal or the reason is missing.
    """
    if asked.decision is Verdict.ACCEPT:
        found = deciding.accept_each(platform, caller, asked.transfers, asked.comment)
    else:
        found = deciding.refuse_each(platform, caller, asked.transfers, asked.code, asked.comment)
    return DecisionsTaken(decisions=[DecisionTaken.of(one) for one in found])


@router.post("/transfers/{transfer_id}/accept", summary="Accept a transfer", openapi_extra=described(Accepted))
def accepted(
    platform: Parts, caller: Caller, transfer_id: TransferId, asked: Annotated[Accepted, said_in(Accepted)]
) -> TransferShape:
    """Take a transfer that waits for a decision; it is sealed next.

    The right ``archive.manage`` is asked for. 409 when it does not wait for a decision.
    """
    deciding.accept(platform, caller, transfer_id, asked.comment)
    return _decided(platform, transfer_id)


@router.post("/transfers/{transfer_id}/refuse", summary="Refuse a transfer", openapi_extra=described(RefusalAsked))
def refused(
    platform: Parts, caller: Caller, transfer_id: TransferId, asked: Annotated[RefusalAsked, said_in(RefusalAsked)]
) -> TransferShape:
    """Refuse a transfer that waits for a decision, with a code and a reason.

    A mended one may follow under the same identifier. Right and answers as for the acceptance.
    """
    deciding.refuse(platform, caller, transfer_id, asked.code, asked.comment)
    return _decided(platform, transfer_id)


def _decided(platform: Platform, transfer_id: str) -> TransferShape:
    return TransferShape.seen(reading.seen(platform.database, PLATFORM, transfer_id), None)
