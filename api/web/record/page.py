"""The page of a record: what was sealed, in which places it stands, how long it is kept and hidden and why, how to verify it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import FileResponse, Response
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api import downloads
from api.web.archive.corrections.telling import told
from api.web.dossier.page import Identifier
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from archive.correction.history import made_of
from archive.correction.models import CorrectionState
from archive.finding.certificate import certificate
from archive.finding.dip import write_dip
from archive.finding.files import count_of, file_of, files_of, taken
from archive.finding.seeing import record_of, require_kept
from archive.finding.timeline import timeline
from archive.models import Record
from archive.places.extending import EXTENDED
from archive.places.places import copies_of
from archive.proof.ers.records import chains_of
from archive.proof.proving import standing_of
from archive.retention.explaining import access_explained_for, explained_for
from archive.retention.holds import held
from archive.watch.incidents import OPENED, words_of
from archive.watch.restoring import COPIED, RESTORED
from core import clock
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine import reading

router = APIRouter()
_t = Catalogue("api.web.record")
Rank = Annotated[int, Path(ge=1, le=100_000)]
_MOST_FILES = 500


@router.get("/archives/{record_id}")
def shown(request: Request, platform: Parts, visitor: SignedIn, record_id: Identifier) -> HTMLResponse:
    """Show a record."""
    with reading.opened(platform.database, visitor.principal) as session:
        record = record_of(session, record_id)
        standing = standing_of(session, record.entry_id)
        copies = sorted(copies_of(session, record.id), key=lambda copy: copy.place)
        files, count = files_of(session, record.id, limit=_MOST_FILES), count_of(session, record.id)
        organisation = session.exec(select(Organisation).where(Organisation.id == record.organisation_id)).one()
    with platform.database.reading(PLATFORM) as session:  # a rule, or a hold, may be that of an organisation above
        kept, hidden = explained_for(session, record), access_explained_for(session, record)
        frozen, entries = held(session, {record.id}), timeline(session, record)
        renewed, corrections = chains_of(session, record.id), told(session, made_of(session, record.id))
    return render(
        request,
        "web/record/record.html",
        visitor=visitor,
        record=record,
        copies=copies,
        locked=min((copy.locked_until for copy in copies), default=None),
        standing=standing,
        organisation=organisation,
        files=files,
        more=count - len(files),
        held=bool(frozen),
        renewed=bool(renewed),
        kept=kept,
        hidden=hidden,
        corrections=[one for one in corrections if one.correction.state != CorrectionState.DECLINED],
        entries=[(entry, _more_of(entry)) for entry in entries],
        today=clock.in_paris(clock.now()).date(),
        archivist=visitor.principal.may(Right.ARCHIVE, record.organisation_id),
    )


@router.get("/archives/{record_id}/preuve")
def evidence(platform: Parts, visitor: SignedIn, record_id: Identifier) -> FileResponse:
    """Give the evidence out."""
    _readable(platform, visitor, record_id)
    return downloads.evidence(platform, visitor.principal, record_id)


@router.get("/archives/{record_id}/enregistrement")
def evidence_record(platform: Parts, visitor: SignedIn, record_id: Identifier) -> FileResponse:
    """Give the evidence record out."""
    record = _readable(platform, visitor, record_id)
    return downloads.evidence_record(platform, record.id)


@router.get("/archives/{record_id}/communication")
def handed_out(platform: Parts, visitor: SignedIn, record_id: Identifier) -> FileResponse:
    """Give the files out with what explains and proves them."""
    record = _readable(platform, visitor, record_id)
    return downloads.zipped(f"archive-{record.id}.zip", partial(write_dip, platform, record.id))


@router.get("/archives/{record_id}/fichiers/{rank}")
def file(platform: Parts, visitor: SignedIn, record_id: Identifier, rank: Rank) -> FileResponse:
    """Give a file of the package out, once it was found to be what was sealed."""
    record = _readable(platform, visitor, record_id)
    with reading.opened(platform.database, visitor.principal) as session:
        wanted = file_of(session, record.id, rank)
    with taken(platform, record) as package:
        return downloads.whole(wanted.name, wanted.media_type or "application/octet-stream", partial(package.take, wanted))


@router.get("/archives/{record_id}/certificat")
def certified(platform: Parts, visitor: SignedIn, record_id: Identifier) -> Response:
    """Give a certificate out, for which every copy is read back."""
    with reading.opened(platform.database, visitor.principal) as session:
        record = record_of(session, record_id)
    return downloads.copy(f"certificat-{record.id}.pdf", certificate(platform, record), "application/pdf")


def _readable(platform: Platform, visitor: Visitor, record_id: str) -> Record:
    """Return a record that the visitor may read and that was not destroyed."""
    with reading.opened(platform.database, visitor.principal) as session:
        record = record_of(session, record_id)
    require_kept(record)
    return record


def _more_of(entry: JournalEntry) -> str:
    """Return what the words of an entry leave out: what was wrong, and in which place; nothing of any other record."""
    place = entry.facts.get("place") if entry.kind in {OPENED, RESTORED, COPIED, EXTENDED} else ""
    where = _t("timeline.place", place=place) if place else ""
    return ", ".join(filter(None, (words_of(entry.facts["kind"]).name if entry.kind == OPENED else "", where)))
