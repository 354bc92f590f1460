"""Folders of the parapheur over the API: what may be sent, what was sent, where it stands, its documents and its docket.

Software acts as the desk that sends (``signing.parapheur.software``); what a desk decides is for people.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlmodel import Session, col, select

from api import cursors, dockets, downloads
from api.multipart import Form
from api.tenants import below, organisation_named
from api.uploads import Body, Document, Uploads
from api.v1.access import Caller, Parts, own_organisation
from api.v1.bodies import described, said_in
from api.v1.folder_shapes import (
    FolderDocumentShape,
    FolderKinds,
    FolderKindShape,
    FolderLine,
    FolderPage,
    FolderShape,
    Preview,
    PreviewAsked,
    PreviewStep,
    StartAsked,
)
from api.v1.shapes import has_ended
from api.web.deposit.sorting import Arrived
from api.web.draft.papers import refuse_unreadable
from core.blobs import Readable
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.document.intake import emitting_desk, media_type_of
from flows.engine.models import Dossier
from flows.engine.reading import Place, counted
from flows.engine.work import KeptFile
from flows.parapheur.conclusion import Act, perform
from signing.docket.content import content_of
from signing.parapheur import foresight, metadata, software, typology
from signing.parapheur.desks import desks_of, person_of
from signing.parapheur.folders import MOST_ANNEXES, Joined, documents_of, join, own_draft
from signing.parapheur.history import Said
from signing.parapheur.models import Desk, DocumentKind, Folder, FolderState, FolderType, Subtype
from signing.parapheur.starting import start

router = APIRouter(prefix="/v1", tags=["Parapheur"])
_messages = Catalogue("api.v1")
_parapheur = Catalogue("signing.parapheur")
FolderId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]
_State = Literal["draft", "pending", "finished", "rejected", "trashed", "erased"]
_MOST_DOCUMENTS = MOST_ANNEXES + 100
_PDF = "application/pdf"
_FIELDS = frozenset({"kind"})
_OCTETS = {
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    "description": "The document.",
}
_DOCKET = {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}, "description": "The docket, a tagged PDF."}
_DOCUMENT: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["document"],
                "properties": {
                    "kind": {"type": "string", "enum": ["annex", "main"], "description": "In place of the query; first."},
                    "document": {"type": "string", "format": "binary", "description": "The document: the last part."},
                },
            }
        },
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}


@router.get("/folder-types", summary="List the kinds of folder")
def kinds(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[str | None, Query(max_length=26, description="SIREN, SIRET or identifier.")] = None,
) -> FolderKinds:
    """Return what may be sent to the parapheur, with which metadata, in the name of which desks."""
    owner = _owner(platform, caller, organisation)
    with platform.database.reading(caller) as session:
        desks = [desk for desk in desks_of(session, owner) if desk.may_create and desk.closed is None]
        fields = metadata.declared(session, owner)
        found = [FolderKindShape.of(kind, fields, desks) for kind in typology.kinds(session, owner)]
    return FolderKinds(organisation_id=owner, types=found)


@router.post("/circuits/preview", summary="Show the circuit that would run", openapi_extra=described(PreviewAsked))
def preview(platform: Parts, caller: Caller, asked: Annotated[PreviewAsked, said_in(PreviewAsked)]) -> Preview:
    """Return the steps and the desks of a folder that is not sent yet; nothing is kept."""
    owner = _owner(platform, caller, asked.organisation)
    with platform.database.reading(caller) as session:
        desk = emitting_desk(session, caller, owner, asked.desk)
        kind = typology.kind_named(session, owner, asked.type, asked.subtype)
        declared = metadata.declared(session, owner, asked.metadata.keys())
        fields = metadata.checked(declared, asked.metadata, (), {})
        found = foresight.foresee(session, kind, desk, fields, asked.variables)
        desks = {one.id: one for one in desks_of(session, owner)}
    return Preview(
        circuit=found.circuit.key,
        name=found.circuit.name,
        version=found.circuit.version,
        row=found.row + 1,
        steps=[PreviewStep.of(one, desks) for one in found.asked],
    )


@router.get("/folders", summary="List folders")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    state: Annotated[list[_State] | None, Query(max_length=6, description="May be repeated; all but erased when absent.")] = None,
    type: Annotated[str | None, Query(max_length=120, description="Name or identifier of the type.")] = None,  # noqa: A002
    desk: Annotated[str | None, Query(max_length=60, description="Short name or identifier of the desk that sent it.")] = None,
    external_id: Annotated[str | None, Query(max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> FolderPage:
    """Return a page of folders, newest first: those that software has deposited, and of the others those that are public."""
    after = cursors.read(cursor)
    conditions = [software.readable(caller)]
    if organisation:
        meant = below(platform, organisation_named(platform, caller, organisation))
        conditions.append(col(Folder.organisation_id).in_(meant))
    conditions.append(col(Folder.state).in_(state) if state else col(Folder.state) != FolderState.ERASED.value)
    if type:
        conditions.append((col(FolderType.name) == type) | (col(FolderType.id) == type))
    if desk:
        conditions.append((col(Desk.short_name) == desk) | (col(Desk.id) == desk))
    if external_id:
        conditions.append(col(Folder.external_id) == external_id)
    whole = _rows().where(*conditions)
    wanted = whole.where(col(Folder.id) < after.id) if after else whole  # later folders have later identifiers
    with platform.database.reading(caller) as session:
        rows = session.exec(wanted.order_by(col(Folder.id).desc()).limit(limit + 1)).all()
        total, exact = counted(session, whole.with_only_columns(col(Folder.id)))
    last = rows[limit - 1][0] if len(rows) > limit else None
    return FolderPage(
        folders=[_line(*row) for row in rows[:limit]],
        total=total,
        total_exact=exact,
        next=cursors.written(Place(last.created, last.id)) if last else None,
    )


def _rows() -> Any:
    return (
        select(Folder, Desk, Subtype, FolderType)
        .join(Desk, col(Desk.id) == col(Folder.emitter_id))
        .outerjoin(Subtype, col(Subtype.id) == col(Folder.subtype_id))
        .outerjoin(FolderType, col(FolderType.id) == col(Subtype.type_id))
    )


def _line(folder: Folder, desk: Desk, subtype: Subtype | None, of: FolderType | None) -> FolderLine:
    return FolderLine.of(folder, desk, (of, subtype) if of and subtype else None)


@router.get("/folders/{folder_id}", summary="Show a folder")
def shown(platform: Parts, caller: Caller, folder_id: FolderId) -> FolderShape:
    """Return a folder in full: documents, metadata, circuit, history."""
    with platform.database.reading(caller) as session:
        folder = software.seen(session, caller, folder_id)
        line = _line(*session.exec(_rows().where(Folder.id == folder_id)).one())
        return FolderShape.seen(folder, line, documents_of(session, folder_id), content_of(session, folder_id))


@router.get(
    "/folders/{folder_id}/documents/{document_id}",
    summary="Download a document of a folder",
    response_class=StreamingResponse,
    responses={200: _OCTETS},
)
def document(platform: Parts, caller: Caller, folder_id: FolderId, document_id: FolderId) -> StreamingResponse:
    """Return a document as it stands; a connection cut before the end means that the store altered it."""
    with platform.database.reading(caller) as session:
        software.seen(session, caller, folder_id)
        found = next((one for one in documents_of(session, folder_id) if one.id == document_id), None)
    if found is None:
        raise NotFound(_parapheur("document.unknown"))
    return downloads.document(platform, KeptFile(found.kind, found.name, found.media_type, found.sha256, found.size))


@router.get("/folders/{folder_id}/docket", summary="Take the docket", response_class=Response, responses={200: _DOCKET})
def docket(platform: Parts, caller: Caller, folder_id: FolderId) -> Response:
    """Return the docket: what was asked of whom, who did what and when, and what the signatures are worth now."""
    told = dockets.told_of(platform, caller, folder_id, lambda session: software.seen(session, caller, folder_id))
    headers = {"Content-Disposition": f'attachment; filename="bordereau-{folder_id}.pdf"'}
    return Response(dockets.pdf_of(platform, told), media_type=_PDF, headers=headers)


@router.post(
    "/folders/{folder_id}/documents",
    status_code=201,
    summary="Add a document to a draft",
    openapi_extra={"requestBody": _DOCUMENT},
)
async def added(
    request: Request,
    platform: Parts,
    caller: Caller,
    folder_id: FolderId,
    kind: Annotated[Literal["annex", "main"], Query(description="What it is to the folder.")] = "annex",
    name: Annotated[str, Query(max_length=255, description="Name of the document, when it is the body.")] = "document.pdf",
) -> FolderDocumentShape:
    """Put an annex, or one more main document, into a draft; it is read as it comes."""
    uploads: Uploads = request.app.state.uploads
    return await uploads.run(request, _adding(platform, caller, folder_id, request.headers.get("content-type", ""), kind, name))


def _adding(
    platform: Platform, caller: Principal, folder_id: str, content_type: str, kind: str, name: str
) -> Callable[[Body], FolderDocumentShape]:
    """Return what reads the body, in a thread, once it is its turn."""

    def read(body: Body) -> FolderDocumentShape:
        with platform.database.reading(caller) as session:
            _refuse_full(session, own_draft(session, folder_id, software.hand_over(session, caller, folder_id)))
        if not content_type.lower().startswith("multipart/"):
            return _add(platform, caller, folder_id, body, DocumentKind(kind), name)
        form = Form(body, content_type, _FIELDS)
        said = form.values.get("kind", kind)
        if said not in {DocumentKind.ANNEX.value, DocumentKind.MAIN.value}:
            raise UsageError(_messages("document.kind", found=said[:20]))
        return _add(platform, caller, folder_id, form, DocumentKind(said), form.file_name)

    return read


def _add(
    platform: Platform, caller: Principal, folder_id: str, source: Readable, kind: DocumentKind, name: str
) -> FolderDocumentShape:
    shown = name.replace("\\", "/").rpartition("/")[2][-255:] or "document"
    blob = platform.objects.put(Document(source), platform.settings.upload_limit)
    refuse_unreadable(platform, [Arrived(shown, blob.sha256, blob.size)])
    with platform.database.writing(caller) as session:
        folder = own_draft(session, folder_id, software.hand_over(session, caller, folder_id))
        _refuse_full(session, folder)
        joined = Joined(kind, shown, media_type_of(shown), blob.sha256, blob.size)
        return FolderDocumentShape.of(join(session, folder, [joined])[0])


def _refuse_full(session: Session, folder: Folder) -> None:
    if len(documents_of(session, folder.id)) >= _MOST_DOCUMENTS:
        raise UsageError(_messages("document.many", most=_MOST_DOCUMENTS))


@router.post("/folders/{folder_id}/start", summary="Send a draft into its circuit", openapi_extra=described(StartAsked))
def started(
    platform: Parts, caller: Caller, folder_id: FolderId, asked: Annotated[StartAsked, said_in(StartAsked)]
) -> FolderLine:
    """Start the circuit; the right ``dossier.deposit`` is asked for."""
    said = Said(asked.note, asked.private_note, asked.metadata)
    with platform.database.reading(caller) as session:
        hand = software.hand_over(session, caller, folder_id)
        folder = own_draft(session, folder_id, hand)
        dossier = session.exec(select(Dossier).where(Dossier.id == folder.dossier_id)).first()
    if dossier is None or has_ended(dossier):
        raise Conflict(_messages("folder.refused"))
    return _done(platform, caller, folder_id, lambda session: start(session, folder_id, hand, said))


@router.post("/folders/{folder_id}/recall", summary="Take a folder back")
def recalled(platform: Parts, caller: Caller, folder_id: FolderId) -> FolderLine:
    """Take back a folder that no desk has dealt with: it is a draft again."""
    return _done(platform, caller, folder_id, lambda session: software.recall(session, caller, folder_id))


@router.post("/folders/{folder_id}/trash", summary="Put a finished folder away")
def trashed(platform: Parts, caller: Caller, folder_id: FolderId) -> FolderLine:
    """Put a folder out of sight that has come to its end; its dossier goes its way."""
    return _done(platform, caller, folder_id, lambda session: software.trash(session, caller, folder_id))


@router.delete("/folders/{folder_id}", status_code=204, summary="Give a folder up")
def erased(platform: Parts, caller: Caller, folder_id: FolderId) -> None:
    """Give up a draft or a rejected folder, or one that was put away; its history stays, its documents do not."""
    with platform.database.reading(caller) as session:
        software.hand_over(session, caller, folder_id)
        wanted = select(Folder, Dossier).join(Dossier, col(Dossier.id) == col(Folder.dossier_id)).where(Folder.id == folder_id)
        folder, dossier = session.exec(wanted).one()
    if folder.state == FolderState.TRASHED.value and not has_ended(dossier):
        raise Conflict(_messages("folder.unsealed"))
    perform(platform, caller, lambda session: software.erase(session, caller, folder_id))


@router.post("/folders/{folder_id}/approve", summary="Approve: for people only", status_code=403)
@router.post("/folders/{folder_id}/sign", summary="Sign: for people only", status_code=403)
@router.post("/folders/{folder_id}/reject", summary="Reject: for people only", status_code=403)
def decided(platform: Parts, caller: Caller, folder_id: FolderId) -> None:
    """Refuse: software can neither approve, sign nor reject."""
    with platform.database.reading(caller) as session:
        software.seen(session, caller, folder_id)
    person_of(caller)


def _done(platform: Platform, caller: Principal, folder_id: str, act: Act) -> FolderLine:
    perform(platform, caller, act)
    with platform.database.reading(caller) as session:
        return _line(*session.exec(_rows().where(Folder.id == folder_id)).one())


def _owner(platform: Platform, caller: Principal, organisation: str | None) -> str:
    return organisation_named(platform, caller, organisation).id if organisation else own_organisation(platform, caller).id
