"""The page of a sealed record: what was sealed, until when it is locked, where its proof stands, how to verify it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import downloads, records
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from archive.places.places import copies_of
from archive.proof.proving import standing_of
from core.organisations import Organisation
from flows.engine import reading

router = APIRouter()


@router.get("/archives/{record_id}")
def shown(request: Request, platform: Parts, visitor: SignedIn, record_id: Identifier) -> HTMLResponse:
    """Show a record."""
    with reading.opened(platform.database, visitor.principal) as session:
        record = records.record(session, record_id)
        standing = standing_of(session, record.entry_id)
        copies = copies_of(session, record.id)
        organisation = session.exec(select(Organisation).where(Organisation.id == record.organisation_id)).one()
    return render(
        request,
        "web/record/record.html",
        visitor=visitor,
        record=record,
        copies=copies,
        locked=min(copy.locked_until for copy in copies),
        standing=standing,
        organisation=organisation,
    )


@router.get("/archives/{record_id}/preuve")
def evidence(platform: Parts, visitor: SignedIn, record_id: Identifier) -> FileResponse:
    """Give the evidence out."""
    with reading.opened(platform.database, visitor.principal) as session:
        records.record(session, record_id)
    return downloads.evidence(platform, visitor.principal, record_id)
