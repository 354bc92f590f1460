"""Uploads in pieces: for software with its token, and for the pages with the session of whoever looks at them.

A page proves that a request comes from it by the header ``X-CSRF-Token``, which bears what its forms bear.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from api.tenants import organisation_named
from api.uploads import Body, Uploads, known
from api.v1.access import Parts, own_organisation
from api.v1.bodies import described, said_in
from api.web.visitor import behind
from api.words import messages
from core import uploads
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM, Principal
from core.tokens import software_behind
from core.uploads import PIECE, Upload

LARGEST = PIECE + 1024
_bearer = HTTPBearer(auto_error=False, scheme_name="Jeton", description="Jeton d’API : `Authorization: Bearer tab_…`")
_SHA256 = "^[0-9a-fA-F]{64}$"
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):")
_OCTETS: dict[str, Any] = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


async def _sender(
    request: Request, platform: Parts, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Principal:
    return await to_thread.run_sync(_behind, request, platform, credentials)


def _behind(request: Request, platform: Platform, credentials: HTTPAuthorizationCredentials | None) -> Principal:
    if credentials is not None:
        with platform.database.reading(PLATFORM) as session:
            caller = software_behind(session, credentials.credentials)
        known(request, caller.actor)
        return caller
    visitor = behind(request, platform, uses=True)
    if request.method != "GET":
        visitor.check(request.headers.get("x-csrf-token"))
    return visitor.principal


Sender = Annotated[Principal, Depends(_sender)]
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
router = APIRouter(prefix="/v1/uploads", tags=["Envois"])


class Announced(BaseModel):
    """A document that is going to be sent."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=255, description="Name of the file.")
    size: int = Field(ge=1, description="In bytes.")
    organisation: str | None = Field(
        None, max_length=26, description="SIREN, SIRET or identifier of whom it is for; that of the token when absent."
    )
    place: str = Field("", max_length=uploads.LONGEST_PLACE, description="What it is sent for; the list is narrowed by it.")


class Whole(BaseModel):
    """What the whole must be."""

    model_config = ConfigDict(extra="forbid")

    sha256: str = Field(pattern=_SHA256, description="Hexadecimal SHA-256 of the whole document.")


class UploadStanding(BaseModel):
    """Where an upload stands."""

    id: str
    name: str
    place: str
    size: int = Field(description="In bytes, as announced.")
    received: int = Field(description="Bytes that have come; the next piece begins there.")
    piece: int = Field(description="Size of a piece in bytes; the last one is of what is left.")
    sha256: str | None = Field(description="Hexadecimal SHA-256 of the whole; null until it is finished.")
    used: bool = Field(description="A document was made of it: it serves once.")
    expires: datetime = Field(description="When it is forgotten.")

    @classmethod
    def of(cls, upload: Upload) -> UploadStanding:
        """Read an upload."""
        return cls(
            id=upload.id,
            name=upload.name,
            place=upload.place,
            size=upload.size,
            received=upload.received,
            piece=PIECE,
            sha256=upload.sha256,
            used=upload.used is not None,
            expires=upload.expires,
        )


class WaitingUploads(BaseModel):
    """Uploads that can still be used, oldest first."""

    uploads: list[UploadStanding]


@router.post("", status_code=201, summary="Announce a document that comes in pieces", openapi_extra=described(Announced))
def begin(
    response: Response, platform: Parts, sender: Sender, announced: Annotated[Announced, said_in(Announced)]
) -> UploadStanding:
    """Begin an upload; it waits for a day."""
    if announced.organisation is not None:
        organisation_id = organisation_named(platform, sender, announced.organisation).id
    elif sender.actor.startswith("token:"):
        organisation_id = own_organisation(platform, sender).id
    else:
        raise UsageError(messages("organisation.unknown"))
    begun = uploads.begin(platform, sender, organisation_id, announced.name, announced.size, announced.place)
    response.headers["Location"] = f"/v1/uploads/{begun.id}"
    return UploadStanding.of(begun)


@router.get("", summary="What waits to be used")
def waiting(
    platform: Parts, sender: Sender, place: Annotated[str | None, Query(max_length=uploads.LONGEST_PLACE)] = None
) -> WaitingUploads:
    """Return the caller's own uploads, whatever process received them."""
    return WaitingUploads(uploads=[UploadStanding.of(found) for found in uploads.waiting(platform, sender, place)])


@router.put("/pieces", summary="Send the next piece", openapi_extra={"requestBody": _OCTETS})
async def receive(
    request: Request,
    platform: Parts,
    sender: Sender,
    upload: Annotated[str, Query(pattern="^[0-9A-Z]{26}$")],
    offset: Annotated[int, Query(ge=0, description="Where the piece begins, in bytes.")],
    content_digest: Annotated[str, Header(max_length=1000, description="`sha-256=:…:`, in base64 (RFC 9530).")],
) -> UploadStanding:
    """Keep a piece. One that came already changes nothing; after a cut, ask where the upload stands."""
    sha256 = _announced_digest(content_digest)
    turnstile: Uploads = request.app.state.uploads

    def read(body: Body) -> Upload:
        octets = b"".join(iter(lambda: body.read(PIECE), b""))
        return uploads.receive(platform, sender, upload, offset, octets, sha256)

    return UploadStanding.of(await turnstile.run(request, read))


def _announced_digest(header: str) -> str:
    found = _DIGEST.search(header)
    try:
        return base64.b64decode(found[1], validate=True).hex() if found else ""
    except binascii.Error:
        return ""


@router.get("/{upload_id}", summary="Where an upload stands")
def standing(platform: Parts, sender: Sender, upload_id: Identifier) -> UploadStanding:
    """Return how much has come: the next piece begins there."""
    return UploadStanding.of(uploads.standing(platform, sender, upload_id))


@router.post("/{upload_id}/finish", summary="Put the pieces together", openapi_extra=described(Whole))
async def finish(
    request: Request, platform: Parts, sender: Sender, upload_id: Identifier, whole: Annotated[Whole, said_in(Whole)]
) -> UploadStanding:
    """Check the whole against its digest; again changes nothing."""
    turnstile: Uploads = request.app.state.uploads

    def put_together() -> Upload:
        return uploads.finish(platform, sender, upload_id, whole.sha256)

    return UploadStanding.of(await turnstile.finish(request, upload_id, put_together))


@router.delete("/{upload_id}", status_code=204, summary="Give an upload up")
def cancel(platform: Parts, sender: Sender, upload_id: Identifier) -> None:
    """Forget what has come."""
    uploads.cancel(platform, sender, upload_id)
