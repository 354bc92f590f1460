"""Received invoices over the API: found, read with their files, acknowledged; and what Chorus Pro is to be told of them."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from api import cursors, downloads, records
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.bodies import described, said_in
from api.v1.dossiers import BYTES
from api.v1.invoice_shapes import (
    AcknowledgementAsked,
    HandoverShape,
    InvoiceFileList,
    InvoiceFileShape,
    InvoiceHistory,
    InvoiceLine,
    InvoicePage,
    InvoiceShape,
    StatusesAsked,
)
from core import clock
from core.principal import Right
from flows.engine import reading as dossiers
from flows.engine.reading import Place
from flows.invoices import deciding, handing, reading
from flows.invoices.models import HandoverState
from flows.invoices.reading import Query as Wanted

router = APIRouter(prefix="/v1", tags=["Factures"])
Moment = Annotated[datetime, AfterValidator(clock.as_utc)]
InvoiceId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]


class HandoverWanted(StrEnum):
    """Where the hand-over of invoices stands that are looked for."""

    TO_TAKE = "to_take"
    OFFERED = "offered"
    TAKEN = "taken"
    REFUSED = "refused"


_STATES = {one: HandoverState(one.value.replace("to_take", "offered")) for one in HandoverWanted}


def _followed(platform: Parts, caller: Caller, invoice_id: InvoiceId) -> str:
    with platform.database.reading(caller) as session:
        owner = reading.one(session, invoice_id).invoice.organisation_id
    caller.require(Right.DEPOSIT, owner)
    return invoice_id


Followed = Annotated[str, Depends(_followed)]
"""The invoice of the path; who may not deposit for its organisation is told so before the body is looked at."""


@router.get("/invoices", summary="List received invoices")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    handover: Annotated[
        HandoverWanted | None,
        Query(
            description="Of the present cycle; `to_take`: offered, and neither suspended nor ended since, whatever `state` says."
        ),
    ] = None,
    state: Annotated[list[str] | None, Query(max_length=20, description="Name of a state; may be repeated.")] = None,
    status: Annotated[list[str] | None, Query(max_length=20, description="At Chorus Pro; may be repeated.")] = None,
    service: Annotated[str, Query(max_length=100, description="Code service, whole.")] = "",
    supplier: Annotated[str, Query(max_length=80, description="Identifier, or its first digits.")] = "",
    number: Annotated[str, Query(max_length=100, description="As the supplier wrote it, whole.")] = "",
    engagement: Annotated[str, Query(max_length=100, description="Numéro d’engagement, whole.")] = "",
    contract: Annotated[str, Query(max_length=100, description="Numéro de marché, whole.")] = "",
    mandate: Annotated[str, Query(max_length=50, description="Number of the mandat, whole.")] = "",
    late: Annotated[bool, Query(description="Only those whose term is over and that nobody has mandated.")] = False,
    moved_since: Annotated[Moment | None, Query(description="Status changed at Chorus Pro then or later.")] = None,
    q: Annotated[str, Query(max_length=100, description="A part of the number or of the supplier’s name.")] = "",
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> InvoicePage:
    """Return a page of invoices, newest first."""
    place, today = cursors.read(cursor), _today()
    wanted = Wanted(
        organisations=below(platform, organisation_named(platform, caller, organisation)) if organisation else (),
        text=q.strip(),
        number=number,
        supplier=supplier,
        service=service,
        engagement=engagement,
        contract=contract,
        mandate=mandate,
        statuses=tuple(status or ()),
        states=reading.TO_TAKE if handover is HandoverWanted.TO_TAKE else tuple(state or ()),
        handover=_STATES.get(handover) if handover else None,
        due_before=today if late else None,
        moved_since=moved_since,
    )
    with dossiers.opened(platform.database, caller) as session:
        rows = reading.search(session, wanted, reading.Place(place.id) if place else None, limit + 1)
        total, exact = reading.how_many(session, wanted)
    last = rows[limit - 1] if len(rows) > limit else None
    return InvoicePage(
        invoices=[InvoiceLine.of_row(row, today) for row in rows[:limit]],
        total=total,
        total_exact=exact,
        # Identifiers follow each other in time: the moment of the place is not looked at.
        next=cursors.written(Place(last.since, last.invoice.dossier_id)) if last else None,
    )


@router.get("/invoices/{invoice_id}", summary="Show an invoice")
def shown(platform: Parts, caller: Caller, invoice_id: InvoiceId) -> InvoiceShape:
    """Return an invoice in full: where it stands, its files and their marks, its hand-overs, its life at Chorus Pro."""
    with dossiers.opened(platform.database, caller) as session:
        return InvoiceShape.of(reading.one(session, invoice_id), records.record_of(session, invoice_id), _today())


@router.get("/invoices/{invoice_id}/files", summary="List the files of an invoice")
def files(platform: Parts, caller: Caller, invoice_id: InvoiceId) -> InvoiceFileList:
    """Return the files of an invoice, oldest first; those that are dangerous are marked."""
    with dossiers.opened(platform.database, caller) as session:
        return InvoiceFileList(files=InvoiceFileShape.all_of(reading.one(session, invoice_id)))


@router.get(
    "/invoices/{invoice_id}/files/{invoice_file_id}",
    summary="Download a file of an invoice",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
def file(platform: Parts, caller: Caller, invoice_id: InvoiceId, invoice_file_id: InvoiceId) -> StreamingResponse:
    """Return a file as it was kept; a connection cut before the end means that the store altered it. See its mark first."""
    with dossiers.opened(platform.database, caller) as session:
        reading.one(session, invoice_id)
        kept = dossiers.file_of(session, invoice_id, invoice_file_id)
    return downloads.document(platform, kept)


@router.get("/invoices/{invoice_id}/history", summary="Follow an invoice at Chorus Pro")
def history(platform: Parts, caller: Caller, invoice_id: InvoiceId) -> InvoiceHistory:
    """Return the statuses that an invoice went through, and those that are to be told, oldest first."""
    with dossiers.opened(platform.database, caller) as session:
        seen = reading.one(session, invoice_id)
        return InvoiceHistory.of(seen.steps, seen.targets)


@router.post(
    "/invoices/{invoice_id}/acknowledgement",
    summary="Say that an invoice was taken, or why it was refused",
    openapi_extra=described(AcknowledgementAsked),
)
def acknowledged(
    platform: Parts, caller: Caller, invoice: Followed, said: Annotated[AcknowledgementAsked, said_in(AcknowledgementAsked)]
) -> HandoverShape:
    """Keep what the finance software says. Said again, it changes nothing; it counts however late it comes.

    409 when the invoice was not handed over yet, and when it is refused after it was taken.
    """
    handover = handing.acknowledge(
        platform,
        caller,
        invoice,
        taken=said.taken,
        reason=said.reason,
        software_reference=said.software_reference,
        delivery=said.delivery,
    )
    return HandoverShape.of(handover)


@router.post(
    "/invoices/{invoice_id}/statuses",
    status_code=202,
    summary="Have Chorus Pro told what becomes of an invoice",
    openapi_extra=described(StatusesAsked),
)
def told(
    platform: Parts, caller: Caller, invoice: Followed, asked: Annotated[StatusesAsked, said_in(StatusesAsked)]
) -> InvoiceHistory:
    """Write down statuses to be told, in their order; asked for again, they are not told twice.

    Chorus Pro is told within minutes; `history` says what became of each. 409 when the invoice is paid or rejected already.
    """
    targets = [deciding.Asked(one.status, one.reason, one.reason_code, one.mandate) for one in asked.statuses]
    deciding.ask(platform, caller, invoice, targets)
    with platform.database.reading(caller) as session:  # who may say it may be told what became of it
        seen = reading.one(session, invoice)
        return InvoiceHistory.of(seen.steps, seen.targets)


def _today() -> date:
    return clock.in_paris(clock.now()).date()
