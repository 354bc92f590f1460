"""Acts sent over the API, and answers to the letters of the préfecture: as forms with their files, or as JSON naming uploads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel

from api.acts import finding
from api.acts.gathering import AROUND, LARGEST, Gathered, Names, gather, refuse_large, refuse_unsendable
from api.deposits import said_once
from api.tenants import organisation_named
from api.uploads import Body, Uploads
from api.v1.access import Caller, Parts, own_organisation
from api.v1.act_asked import (
    ActAsked,
    ActOfUploads,
    ReplyAsked,
    ReplyOfUploads,
    UploadedFile,
    UploadedPiece,
    read_fields,
    read_json,
)
from api.v1.act_shapes import ActLine, ActMessageShape
from api.v1.bodies import JSON, kind_of, schema_of
from core import uploads
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from core.uploads import Upload
from flows.actes import following
from flows.actes.act import JoinedFile
from flows.actes.following import Reply
from flows.actes.intake import Submission, media_type_of, submit
from flows.actes.models import ActesMessage
from flows.engine.intake import Received

router = APIRouter(prefix="/v1", tags=["Actes"])
ACTS, REPLIES = "/v1/acts", "/v1/acts/{id}/replies"
LARGEST_BODY = LARGEST + AROUND
_t = Catalogue("api.acts")
_Asked = TypeVar("_Asked", bound=ActAsked)
_REPLAY = {"Idempotent-Replay": {"schema": {"type": "string"}, "description": "true: the same deposit was made before."}}
_LOCATION = {"Location": {"schema": {"type": "string"}}}
_ACT = Names(
    frozenset(ActAsked.model_fields),
    document="document",
    type="type",
    signature="signature",
    annexes="annexes",
    annexes_type="annexes_type",
    annexes_signature="annexes_signature",
)
_REPLY = Names(frozenset(ReplyAsked.model_fields), annexes="documents", annexes_type="documents_type")
ActId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]
Key = Annotated[
    str | None, Header(pattern=r"^[\x21-\x7e]{1,200}$", description="Makes a repeat harmless: 1 to 200 visible characters.")
]


def _body(of_uploads: type[BaseModel], fields: type[BaseModel], files: dict[str, Any], needed: str) -> dict[str, Any]:
    """Return the documentation of a body that comes as a form, or as JSON naming uploads."""
    described = schema_of(fields)
    form = {
        "type": "object",
        "required": [*described["required"], needed],
        "properties": {**described["properties"], **files},
    }
    content = {"multipart/form-data": {"schema": form}, JSON: {"schema": schema_of(of_uploads)}}
    return {"requestBody": {"required": True, "content": content}}


def _file(words: str) -> dict[str, Any]:
    return {"type": "string", "format": "binary", "description": words}


def _files(words: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "format": "binary"}, "description": words}


def _types(words: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string", "pattern": "^([A-Z0-9_]{5})?$"}, "description": words}


_SENT_ACT = _body(
    ActOfUploads,
    ActAsked,
    {
        "document": _file("The act: PDF; XML for a budget."),
        "type": {"type": "string", "description": "Typology code of the act; that of its nature when absent."},
        "signature": _file("A detached signature over the act (PKCS#7)."),
        "annexes": _files("The annexes, in their order."),
        "annexes_type": _types("Their typology codes, by rank; empty for that of the nature."),
        "annexes_signature": _files("Detached signatures over them, by rank; an empty part where there is none."),
    },
    "document",
)
_SENT_REPLY = _body(
    ReplyOfUploads,
    ReplyAsked,
    {
        "documents": _files("One document; several for 3-4."),
        "documents_type": _types("Their typology codes, by rank; empty for that of the nature."),
    },
    "documents",
)


@router.post(
    "/acts",
    status_code=201,
    summary="Send an act",
    openapi_extra=_SENT_ACT,
    responses={
        200: {"model": ActLine, "headers": _REPLAY, "description": "The identical act was sent before: this is its dossier."},
        201: {"headers": _LOCATION},
    },
)
async def sent(
    request: Request,
    response: Response,
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="In place of the body’s; 400 when the two differ.")
    ] = None,
    idempotency_key: Key = None,
) -> ActLine:
    """Make a dossier of an act; the answer is given once its files are kept. 150 MB in all at most, else 413.

    The right `dossier.deposit` is asked for. Files come with the form, or are named by the identifiers of resumable uploads
    (see `/v1/uploads`) in a JSON body. Fields and files of the form may stand in any order.
    """
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> Received:
        caller.require(Right.DEPOSIT, own_organisation(platform, caller).id)  # before anything is read
        if kind_of(content_type) == JSON:
            return _from_uploads(platform, caller, _meant(read_json(body, ActOfUploads), organisation), idempotency_key)
        gathered = gather(platform, body, content_type, _ACT)
        asked = _meant(read_fields(gathered.values, ActAsked), organisation)
        return _from_form(platform, caller, asked, gathered, idempotency_key)

    received = await turnstile.run(request, read)
    response.headers["Location"] = f"{ACTS}/{received.dossier.id}"
    if not received.created:
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
    return ActLine.of_act(received.dossier)


def _from_form(platform: Platform, caller: Principal, asked: ActAsked, gathered: Gathered, key: str | None) -> Received:
    if gathered.document is None:
        raise UsageError(_t("form.no_document", name=_ACT.document))
    owner = _owner(platform, caller, asked.organisation)
    return submit(platform, caller, _submission(owner, asked, gathered.document, gathered.annexes, key))


def _from_uploads(platform: Platform, caller: Principal, asked: ActOfUploads, key: str | None) -> Received:
    owner = _owner(platform, caller, asked.organisation)
    caller.require(Right.DEPOSIT, owner)
    pieces = [asked.document, *asked.annexes]
    named = [one for piece in pieces for one in (piece.upload, piece.signature) if one is not None]
    if finding.with_key(platform, owner, key):  # a repeat: what it names was used by the first, and is not taken again
        found = [uploads.standing(platform, caller, one) for one in named]
        return _submitted(platform, caller, owner, asked, found, key)
    with uploads.using(platform, caller, owner, named) as found:
        return _submitted(platform, caller, owner, asked, found, key)


def _submitted(
    platform: Platform, caller: Principal, owner: str, asked: ActOfUploads, found: Sequence[Upload], key: str | None
) -> Received:
    files = _by_upload(found)
    document, *annexes = (_piece(one, files) for one in (asked.document, *asked.annexes))
    return submit(platform, caller, _submission(owner, asked, document, annexes, key))


def _submission(owner: str, asked: ActAsked, document: JoinedFile, annexes: Sequence[JoinedFile], key: str | None) -> Submission:
    return Submission(
        owner,
        asked.number,
        asked.decision_date,
        asked.nature,
        asked.matieres,
        asked.subject,
        document,
        annexes,
        paper=asked.paper,
        previous=asked.previous,
        sign=asked.sign,
        idempotency_key=key,
        publish=asked.publication,
    )


def _by_upload(found: Sequence[Upload]) -> dict[str, JoinedFile]:
    """Return uploads as files by their identifiers.

    Raises:
        Conflict: one is not finished.
        TooLarge: they are too large in all.
    """
    files = {one.id: JoinedFile(one.name, media_type_of(one.name), one.sha256 or "", one.size) for one in found}
    if any(one.sha256 is None for one in found):
        raise Conflict(_t("upload.unfinished"))
    refuse_large(files.values())
    return files


def _piece(piece: UploadedPiece, files: dict[str, JoinedFile]) -> JoinedFile:
    return replace(files[piece.upload], type=piece.type, signature=files[piece.signature] if piece.signature else None)


@router.post("/acts/{act_id}/replies", status_code=201, summary="Answer a letter of the préfecture", openapi_extra=_SENT_REPLY)
async def replied(request: Request, platform: Parts, caller: Caller, act_id: ActId) -> ActMessageShape:
    """Ask for an answer to be sent (2-2, 3-3, 3-4, 4-3, 4-4); the right `dossier.deposit` is asked for.

    A letter is answered once: the second is told, with 409, when the first was asked for.
    """
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> ActesMessage:
        owner = finding.to_follow(platform, caller, act_id).organisation_id
        if kind_of(content_type) == JSON:
            return _reply_of_uploads(platform, caller, act_id, owner, read_json(body, ReplyOfUploads))
        gathered = gather(platform, body, content_type, _REPLY)
        return _replied(platform, caller, act_id, read_fields(gathered.values, ReplyAsked), gathered.annexes)

    return ActMessageShape.of(await turnstile.run(request, read))


def _reply_of_uploads(platform: Platform, caller: Principal, act_id: str, owner: str, asked: ReplyOfUploads) -> ActesMessage:
    with uploads.using(platform, caller, owner, [one.upload for one in asked.documents]) as found:
        kept = _by_upload(found)
        documents = [_document(one, kept) for one in asked.documents]
        return _replied(platform, caller, act_id, asked, documents)


def _document(one: UploadedFile, kept: dict[str, JoinedFile]) -> JoinedFile:
    return replace(kept[one.upload], type=one.type)


def _replied(
    platform: Platform, caller: Principal, act_id: str, asked: ReplyAsked, documents: Sequence[JoinedFile]
) -> ActesMessage:
    refuse_unsendable(documents)
    return following.reply(platform, caller, act_id, Reply(asked.letter, asked.code, documents))


def _owner(platform: Platform, caller: Principal, organisation: str | None) -> str:
    return organisation_named(platform, caller, organisation).id if organisation else own_organisation(platform, caller).id


def _meant(asked: _Asked, organisation: str | None) -> _Asked:
    return asked.model_copy(update={"organisation": said_once("organisation", organisation, asked.organisation)})
