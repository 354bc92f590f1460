"""Sealed records over the API: finding them, their files, and the evidence that anyone can verify."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import FileResponse
from sqlmodel import select

from api import cursors, downloads, records
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.dossiers import Identifier
from api.v1.shapes import CopyShape, ProvenRecord, RecordFilePage, RecordFileShape, RecordPage, RecordShape
from api.words import messages
from archive.finding import search
from archive.finding.files import file_of, files_of, taken
from archive.finding.models import RecordState
from archive.finding.search import Wanted
from archive.finding.seeing import record_of
from archive.models import RecordFile
from archive.places.places import copies_of
from archive.proof.proving import standing_of
from core.errors import UsageError
from core.platform import Platform
from core.principal import Principal
from flows.engine import reading

router = APIRouter(prefix="/v1", tags=["Archives"])
ZIP = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}, "description": "The evidence file."}
FILE = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}, "description": "The file."}
DER = FILE | {"description": "The evidence record, DER."}
_NUMBER = "n"  # a place in what a search found: its number, after this letter


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What a search asks for, beside its organisation."""

    q: Annotated[str, Query(max_length=200, description="Words that must all be there; the beginning of one ends with `*`.")] = ""
    kind: Annotated[list[str] | None, Query(max_length=20, description="Name of a flow, or `transfer`; several may stand.")] = (
        None
    )
    producer: Annotated[list[str] | None, Query(max_length=20, description="SIREN or SIRET.")] = None
    year: Annotated[list[int] | None, Query(max_length=50, description="Of the day that the record is of.")] = None
    state: Annotated[list[RecordState] | None, Query(max_length=3)] = None
    rule: Annotated[str, Query(max_length=60, description="Retention rule and version, as records bear them.")] = ""
    final_action: Annotated[Literal["", "Keep", "Destroy"], Query()] = ""
    open: Annotated[bool | None, Query(description="Whether anyone may read it today.")] = None
    digest: Annotated[str, Query(max_length=128, description="Of a file or of the package, hexadecimal.")] = ""
    due_by: Annotated[date | None, Query(description="Those whose retention ends on that day at the latest.")] = None

    def asks(self) -> bool:
        """Tell whether anything is asked at all."""
        return self != Narrowed()

    def wanted(self, organisation: str | None, after: int | None, limit: int) -> Wanted:
        """Return what is to be found."""
        return Wanted(
            text=self.q,
            kinds=tuple(self.kind or ()),
            producers=tuple(self.producer or ()),
            years=tuple(self.year or ()),
            organisations=(organisation,) if organisation else (),
            states=tuple(self.state or ()),
            rule=self.rule,
            final_action=self.final_action,
            open=self.open,
            digest=self.digest,
            due_by=self.due_by,
            after=after,
            limit=limit,
        )


@router.get("/records", summary="List or search sealed records")
def listed(
    platform: Parts,
    caller: Caller,
    narrowed: Annotated[Narrowed, Depends()],
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RecordPage:
    """Return a page of records, newest first: all of them, or those that meet every criterion given."""
    named = organisation_named(platform, caller, organisation) if organisation else None
    if narrowed.asks():
        return _found(platform, caller, narrowed.wanted(named.id if named else None, _after(cursor), limit))
    meant = below(platform, named) if named else ()
    with reading.opened(platform.database, caller) as session:
        found, after, (total, exact) = records.records(session, meant, limit, cursors.read(cursor))
    shapes = [RecordShape.of(record) for record in found]
    return RecordPage(records=shapes, total=total, exact=exact, next=cursors.written(after))


def _found(platform: Platform, caller: Principal, wanted: Wanted) -> RecordPage:
    page = search.find(platform, caller, wanted)
    counts = page.counts or search.Counts()
    return RecordPage(
        records=[RecordShape.of(line.record) for line in page.lines],
        total=counts.total,
        exact=counts.exact,
        next=f"{_NUMBER}{page.next}" if page.next else None,
    )


def _after(cursor: str | None) -> int | None:
    if not cursor:
        return None
    number = cursor.removeprefix(_NUMBER)
    if number == cursor or not (number.isascii() and number.isdigit() and len(number) < len(str(2**63))):
        raise UsageError(messages("cursor.unknown"))
    return int(number)


@router.get("/records/{record_id}", summary="Show a sealed record")
def shown(platform: Parts, caller: Caller, record_id: Identifier) -> ProvenRecord:
    """Return a record and where its proof stands."""
    with reading.opened(platform.database, caller) as session:
        record = record_of(session, record_id)
        standing = standing_of(session, record.entry_id)
        copies = [CopyShape(**copy.model_dump(include=set(CopyShape.model_fields))) for copy in copies_of(session, record.id)]
    return ProvenRecord(
        **RecordShape.of(record).model_dump(),
        copies=copies,
        position=standing.position,
        head_size=standing.head_size,
        stamped=standing.stamped,
    )


@router.get("/records/{record_id}/files", summary="List the files of a sealed record")
def files(
    platform: Parts,
    caller: Caller,
    record_id: Identifier,
    cursor: Annotated[int, Query(ge=0, le=100_000, description="From `next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> RecordFilePage:
    """Return a page of the files of a record, in the order of its manifest."""
    with reading.opened(platform.database, caller) as session:
        record = record_of(session, record_id)
        found = files_of(session, record.id, cursor, limit + 1)
        total, exact = reading.counted(session, select(RecordFile.rank).where(RecordFile.record_id == record.id))
    shown = [RecordFileShape.of(file) for file in found[:limit]]
    after = shown[-1].rank if len(found) > limit else None
    return RecordFilePage(files=shown, total=total, total_exact=exact, next=after)


@router.get(
    "/records/{record_id}/files/{rank}",
    summary="Download a file of a sealed record",
    response_class=FileResponse,
    responses={200: FILE},
)
def file(platform: Parts, caller: Caller, record_id: Identifier, rank: Annotated[int, Path(ge=1, le=100_000)]) -> FileResponse:
    """Return a file of the sealed package, once it was found to be what was sealed."""
    with reading.opened(platform.database, caller) as session:
        record = record_of(session, record_id)
        wanted = file_of(session, record.id, rank)
    with taken(platform, record) as package:
        kind = wanted.media_type or "application/octet-stream"
        return downloads.whole(wanted.name, kind, partial(package.take, wanted))


@router.get("/records/{record_id}/evidence", summary="Download the evidence", response_class=FileResponse, responses={200: ZIP})
def evidence(platform: Parts, caller: Caller, record_id: Identifier) -> FileResponse:
    """Return what proves a record without this platform; 503 while its proof waits for a timestamp."""
    with reading.opened(platform.database, caller) as session:
        record_of(session, record_id)
    return downloads.evidence(platform, caller, record_id)


@router.get(
    "/records/{record_id}/evidence-record",
    summary="Download the evidence record (RFC 4998)",
    response_class=FileResponse,
    responses={200: DER},
)
def evidence_record(platform: Parts, caller: Caller, record_id: Identifier) -> FileResponse:
    """Return the proof that goes on being renewed, DER, to be verified with the package; 503 while no timestamp is over it."""
    with reading.opened(platform.database, caller) as session:
        record = record_of(session, record_id)
    return downloads.evidence_record(platform, record.id)
