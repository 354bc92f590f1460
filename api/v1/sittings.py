"""Signing sessions over the API: software asks a person to sign, hands the agent's link over, and reads what became of it."""

from __future__ import annotations

import base64
import binascii
import io
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api import downloads
from api.tenants import organisation_named
from api.v1.access import Caller, Parts, own_organisation
from api.v1.bodies import described, said_in
from api.v1.dossiers import BYTES, Identifier
from api.words import messages
from core.blobs import Blob
from core.errors import NotFound, UsageError
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import reading
from flows.engine.work import KeptFile
from signing import formats
from signing.sittings import sittings
from signing.sittings.models import ItemState, SittingState
from signing.sittings.sittings import Document, ItemOutcome, Outcome

router = APIRouter(prefix="/v1", tags=["Séances de signature"])
LARGEST = 16 * 1024 * 1024
_Printed = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
_MEDIA_TYPE = r"^[a-z]+/[a-z0-9.+-]{1,80}$"


class DocumentToSign(BaseModel):
    """A document to sign: one of this organisation's dossiers, by digest, or its very content."""

    title: _Printed = Field(max_length=200, description="What the person reads.")
    format: str = Field(max_length=40, description="Of the signature: pes, cades, asic-e…")
    context: dict[str, Any] = Field({}, description="What the signature says: level, role, place…, by format.")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Of a document of a dossier that may be read.")
    content: str | None = Field(None, description="The document in base64, in place of its digest.")
    media_type: str | None = Field(None, pattern=_MEDIA_TYPE, description="That which the format asks for when absent.")
    reference: _Printed | None = Field(None, max_length=200, description="Given back with the outcome.")


class SittingToOpen(BaseModel):
    """A session to open."""

    person: _Printed = Field(max_length=120, description="Who will sign, as the agent greets them.")
    organisation: str | None = Field(None, max_length=26, description="SIREN or SIRET; that of the token when absent.")
    documents: list[DocumentToSign] = Field(min_length=1, max_length=sittings.MOST_DOCUMENTS)


class OpenedSitting(BaseModel):
    """An open session."""

    id: str
    ticket: str = Field(description="Serves once.")
    url: str = Field(description="Opens the agent with the ticket.")
    expires: datetime = Field(description="Until when the ticket can be used.")


class SittingItemShape(BaseModel):
    """A document of a session."""

    id: str
    title: str
    format: str
    reference: str | None
    state: ItemState
    detail: str | None = Field(description="Why it was refused, in words.")
    sha256: str | None = Field(description="Of the result: the signed document, or its detached signature.")
    size: int | None = Field(description="Of the result, in bytes.")
    verdict: dict[str, Any] | None = Field(description="What the strict verification of the result said, trust aside.")
    href: str | None = Field(description="Where the result is.")

    @classmethod
    def of(cls, sitting_id: str, item: ItemOutcome) -> Self:
        """Show what became of a document."""
        return cls(
            id=item.id,
            title=item.title,
            format=item.format,
            reference=item.reference,
            state=item.state,
            detail=item.detail,
            sha256=item.result.sha256 if item.result else None,
            size=item.result.size if item.result else None,
            verdict=item.verdict,
            href=f"/v1/sittings/{sitting_id}/items/{item.id}/result" if item.result else None,
        )


class SittingShape(BaseModel):
    """A session and what became of its documents."""

    id: str
    organisation_id: str
    person: str
    state: SittingState
    reason: str | None = Field(description="Why it was abandoned.")
    expires: datetime
    items: list[SittingItemShape]

    @classmethod
    def of(cls, found: Outcome) -> Self:
        """Show a session."""
        return cls(
            id=found.id,
            organisation_id=found.organisation_id,
            person=found.person,
            state=found.state,
            reason=found.reason,
            expires=found.expires,
            items=[SittingItemShape.of(found.id, item) for item in found.items],
        )


@router.post(
    "/sittings",
    status_code=201,
    summary="Ask a person to sign",
    openapi_extra=described(SittingToOpen),
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
)
def opened(
    request: Request, response: Response, platform: Parts, caller: Caller, body: Annotated[SittingToOpen, said_in(SittingToOpen)]
) -> OpenedSitting:
    """Open a signing session; the right ``dossier.deposit`` is asked for. Whoever has the link signs: give it to nobody else."""
    named = body.organisation or own_organisation(platform, caller).id
    organisation = organisation_named(platform, caller, named)
    caller.require(Right.DEPOSIT, organisation.id)
    documents = [_document(platform, caller, organisation.id, wanted) for wanted in body.documents]
    made = sittings.open_sitting(platform.database, caller, organisation.id, body.person, documents)
    response.headers["Location"] = f"/v1/sittings/{made.sitting_id}"
    address = urlsplit(platform.settings.public_url or str(request.base_url))
    url = f"tabellion-agent://{address.netloc}/?ticket={made.secret}"
    return OpenedSitting(id=made.sitting_id, ticket=made.secret, url=url, expires=made.expires)


@router.get("/sittings/{sitting_id}", summary="Show a signing session")
def shown(platform: Parts, caller: Caller, sitting_id: Identifier) -> SittingShape:
    """Return a session and what became of its documents, as far as it went."""
    with reading.opened(platform.database, caller) as session:
        return SittingShape.of(sittings.outcome(session, sitting_id))


@router.get(
    "/sittings/{sitting_id}/items/{item_id}/result",
    summary="Download what was signed",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
def result(platform: Parts, caller: Caller, sitting_id: Identifier, item_id: Identifier) -> StreamingResponse:
    """Return the signed document, or its detached signature, as an attachment."""
    with reading.opened(platform.database, caller) as session:
        found = sittings.outcome(session, sitting_id)
    item = next((one for one in found.items if one.id == item_id), None)
    if item is None or item.result is None:
        raise NotFound(messages("sitting.no_result"))
    media = formats.MEDIA[item.format]
    name = item.title.removesuffix(media.suffix) + media.suffix
    return downloads.document(platform, KeptFile("signed", name, media.result, item.result.sha256, item.result.size))


def _document(platform: Platform, caller: Principal, organisation_id: str, wanted: DocumentToSign) -> Document:
    how = formats.from_json(wanted.format, wanted.context)
    if (wanted.sha256 is None) == (wanted.content is None):
        raise UsageError(messages("sitting.source", title=wanted.title))
    blob = (
        _of_a_dossier(platform, caller, organisation_id, wanted.sha256)
        if wanted.sha256 is not None
        else platform.objects.put(io.BytesIO(_content(wanted)))
    )
    media_type = wanted.media_type or formats.MEDIA[how.name].document or "application/octet-stream"
    return Document(wanted.title, how, blob, media_type, wanted.reference)


def _of_a_dossier(platform: Platform, caller: Principal, organisation_id: str, sha256: str) -> Blob:
    """Return a document by its digest, which opens nothing by itself: digests are no secrets."""
    with reading.opened(platform.database, caller) as session:
        kept = reading.file_with(session, organisation_id, sha256)
    if kept is None:
        raise NotFound(messages("sitting.no_document", sha256=sha256))
    return Blob(kept.sha256, kept.size)


def _content(wanted: DocumentToSign) -> bytes:
    try:
        content = base64.b64decode(wanted.content or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(messages("agent.base64")) from error
    if not content:
        raise UsageError(messages("upload.empty"))
    return content
