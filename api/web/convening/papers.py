"""The documents of a convocation: joined to its draft, taken away, read; and the annexes that follow it once it has left."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import downloads
from api.multipart import Files
from api.problems import fault_of
from api.uploads import Body, Document, Uploads
from api.web.acts.page import Identifier
from api.web.convening import meeting, seen
from api.web.convening.meeting import ONE, gone
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.blobs import TooLarge
from core.errors import Conflict, NeedsOperator, NotFound, Refused, Unavailable, UsageError
from core.messages import Catalogue
from core.platform import Platform
from flows.document.intake import media_type_of
from flows.engine.models import DossierFile
from flows.engine.work import KeptFile
from flows.mail.convening import intake, lateness
from flows.mail.convening.intake import Convocation
from flows.mail.keeping import ADDITION, DOCUMENT

router = APIRouter()
JOIN, ADD = f"{ONE}/documents", f"{ONE}/annexes"
_FIELDS = frozenset({"csrf", "kind", "tell"})
_REFUSED = (UsageError, TooLarge, Conflict, NeedsOperator, Unavailable, Refused)
_MAIN, _NOTE = "main", "note"
_MOST = 50
_t = Catalogue("api.web.convening")


@router.post(JOIN)
async def join(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> Response:
    """Join documents to a draft: the convocation itself stands first, then the note, then annexes."""
    turnstile: Uploads = request.app.state.uploads
    found = seen.to_act(platform, visitor, meeting_id)

    def read(body: Body) -> None:
        form = _form_of(request, visitor, body)
        kept = _kept(platform, form, DOCUMENT)
        written = intake.written(platform, visitor.principal, meeting_id)
        wanted = _joined(written, kept, form.values.get("kind", ""))
        intake.change(platform, visitor.principal, meeting_id, wanted)

    try:
        await turnstile.run(request, read)
    except _REFUSED as refused:
        status = fault_of(refused).status
        return meeting.page(request, platform, visitor, found, status=status, trouble=fault_of(refused).detail)
    return gone(meeting_id, "joint")


@router.post(ONE + "/documents/{meeting_file_id}/retrait")
def remove(
    request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, meeting_file_id: Identifier, fields: Fields
) -> Response:
    """Take a document away from a draft."""
    visitor.check(fields.get("csrf"))
    found = seen.to_act(platform, visitor, meeting_id)
    written = intake.written(platform, visitor.principal, meeting_id)
    ranks = [rank for rank, one in enumerate(_of_role(found, DOCUMENT)) if one.id == meeting_file_id]
    if not ranks:
        raise NotFound(_t("document.unknown"))
    left = tuple(one for rank, one in enumerate(written.documents) if rank != ranks[0])
    note = written.note if any(one.sha256 == written.note for one in left) else ""
    try:
        intake.change(platform, visitor.principal, meeting_id, replace(written, documents=left, note=note))
    except Conflict as refused:
        return meeting.page(request, platform, visitor, found, status=409, trouble=str(refused))
    return gone(meeting_id, "retire")


@router.get(ONE + "/documents/{meeting_file_id}")
def read(platform: Parts, visitor: SignedIn, meeting_id: Identifier, meeting_file_id: Identifier) -> Response:
    """Give a document of the convocation."""
    found = seen.seen(platform, visitor, meeting_id)
    kept = next((one for one in found.files if one.id == meeting_file_id), None)
    if kept is None or found.known.mail.purged is not None:
        raise NotFound(_t("document.unknown"))
    return downloads.document(platform, kept)


@router.post(ADD)
async def add(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> Response:
    """Add annexes to a convocation that has left."""
    turnstile: Uploads = request.app.state.uploads
    found = seen.to_act(platform, visitor, meeting_id)

    def read(body: Body) -> None:
        form = _form_of(request, visitor, body)
        for kept in _kept(platform, form, ADDITION):
            lateness.add_annex(platform, visitor.principal, meeting_id, kept, tell=bool(form.values.get("tell")))

    try:
        await turnstile.run(request, read)
    except _REFUSED as refused:
        status = fault_of(refused).status
        return meeting.page(request, platform, visitor, found, status=status, trouble=fault_of(refused).detail)
    return gone(meeting_id, "annexe")


def _of_role(found: seen.Seen, role: str) -> list[DossierFile]:
    return [one for one in found.files if one.role == role]


def _form_of(request: Request, visitor: Visitor, body: Body) -> Files:
    form = Files(body, request.headers.get("content-type", ""), _FIELDS)
    visitor.check(form.values.get("csrf"))
    return form


def _kept(platform: Platform, form: Files, role: str) -> tuple[KeptFile, ...]:
    """Keep the files of a form.

    Raises:
        UsageError: there is none, an empty one, or too many.
        TooLarge: one is beyond what the platform takes.
    """
    kept: list[KeptFile] = []
    name = form.file_name
    while name:
        if len(kept) >= _MOST:
            raise UsageError(_t("wrong.many", most=_MOST))
        called = name.replace("\\", "/").rpartition("/")[2]
        blob = platform.objects.put(Document(form), platform.settings.upload_limit)
        kept.append(KeptFile(role, called, media_type_of(called), blob.sha256, blob.size))
        name = form.following()
    if not kept:
        raise UsageError(_t("wrong.no_file"))
    return tuple(kept)


def _joined(written: Convocation, kept: tuple[KeptFile, ...], kind: str) -> Convocation:
    """Return a convocation with documents joined: one convocation and one note at most, each in its place."""
    if kind in {_MAIN, _NOTE} and len(kept) != 1:
        raise UsageError(_t("wrong.one"))
    there = {one.sha256 for one in written.documents}
    if any(one.sha256 in there for one in kept):
        raise UsageError(_t("wrong.twice"))
    if kind == _MAIN:
        return replace(written, documents=(*kept, *written.documents))
    if kind == _NOTE:
        others = tuple(one for one in written.documents if one.sha256 != written.note)
        return replace(written, documents=(*others[:1], *kept, *others[1:]), note=kept[0].sha256)
    return replace(written, documents=(*written.documents, *kept))
