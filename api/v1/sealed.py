"""Sealed records over the API, and the evidence that anyone can verify."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse

from api import cursors, downloads, records
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.dossiers import Identifier
from api.v1.shapes import CopyShape, ProvenRecord, RecordPage, RecordShape
from archive.places.places import copies_of
from archive.proof.proving import standing_of
from flows.engine import reading

router = APIRouter(prefix="/v1", tags=["Archives"])
ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}, "description": "The evidence file."}


@router.get("/records", summary="List sealed records")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RecordPage:
    """Return a page of records, newest first."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    with reading.opened(platform.database, caller) as session:
        found, after = records.records(session, meant, limit, cursors.read(cursor))
    return RecordPage(records=[RecordShape.of(record) for record in found], next=cursors.written(after))


@router.get("/records/{record_id}", summary="Show a sealed record")
def shown(platform: Parts, caller: Caller, record_id: Identifier) -> ProvenRecord:
    """Return a record and where its proof stands."""
    with reading.opened(platform.database, caller) as session:
        record = records.record(session, record_id)
        standing = standing_of(session, record.entry_id)
        copies = [CopyShape(**copy.model_dump(include=set(CopyShape.model_fields))) for copy in copies_of(session, record.id)]
    return ProvenRecord(
        **RecordShape.of(record).model_dump(),
        copies=copies,
        position=standing.position,
        head_size=standing.head_size,
        stamped=standing.stamped,
    )


@router.get("/records/{record_id}/evidence", summary="Download the evidence", response_class=FileResponse, responses={200: ZIP})
def evidence(platform: Parts, caller: Caller, record_id: Identifier) -> FileResponse:
    """Return what proves a record without this platform; 503 while its proof waits for a timestamp."""
    with reading.opened(platform.database, caller) as session:
        records.record(session, record_id)
    return downloads.evidence(platform, caller, record_id)
