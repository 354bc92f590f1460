"""What the signing agent says to the platform: a ticket for a token, a certificate for octets to sign, values for signatures.

The agent runs on the desk of whoever signs, where the key is. It speaks JSON over these routes and no other; octets are in
base64. The sequence: open, look at the documents, announce the certificate until everything is prepared, send the values, close.
Signature work is done in the thread of the request, some seconds of it at most where there is a lot.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from sqlmodel import select

from api import downloads
from api.runtime import timestamps
from api.uploads import known
from api.v1.access import Parts
from api.v1.bodies import described, said_in
from api.v1.dossiers import BYTES, Identifier
from api.words import messages
from core.errors import Misconfigured, Unauthenticated, UsageError
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.work import KeptFile
from flows.parapheur.signing import admit, settle
from signing.sittings import items as work
from signing.sittings import sittings
from signing.sittings.items import Answer, Reception, ToSign
from signing.sittings.models import Sitting, SittingItem, SittingState
from signing.timestamp.client import TimestampClient

router = APIRouter(prefix="/v1/agent", tags=["Agent de signature"])
LARGEST = 4 * 1024 * 1024
_PREPARES_FOR = 5.0
_COMPLETES_FOR = 40.0
_TICKET = "Ticket "
_shown_ticket = APIKeyHeader(
    name="Authorization", scheme_name="Ticket", auto_error=False, description="Ticket d’une séance : `Authorization: Ticket …`"
)
_shown_token = HTTPBearer(
    auto_error=False, scheme_name="Séance", description="Jeton d’une séance : `Authorization: Bearer …`, reçu contre le ticket"
)
_Base64 = Annotated[str, Field(max_length=100_000, description="In base64.")]


class ItemToRead(BaseModel):
    """A document that waits for its signature."""

    id: str
    title: str
    format: str = Field(description="Of the signature.")
    sha256: str = Field(description="Of the document, in hexadecimal.")
    size: int = Field(description="In bytes.")

    @classmethod
    def of(cls, item: SittingItem) -> Self:
        """Show a document."""
        return cls(id=item.id, title=item.title, format=item.format, sha256=item.sha256, size=item.size)


class Opening(BaseModel):
    """An open session: who asks whom to sign what."""

    token: str = Field(description="For every other route of the agent.")
    expires: datetime
    organisation: str
    person: str
    items: list[ItemToRead]


class Certificate(BaseModel):
    """The certificate that signs."""

    certificate: _Base64 = Field(description="DER, in base64.")
    chain: list[_Base64] = Field([], max_length=20, description="The authorities above it, nearest first.")


class SlotShape(BaseModel):
    """A signature that waits for its value."""

    identifier: str
    octets: str = Field(description="What is to be signed with SHA-256: RSA PKCS#1 v1.5, or ECDSA as r and s side by side.")


class ItemToSign(BaseModel):
    """What is to be signed of a document."""

    id: str
    slots: list[SlotShape] = Field(description="None when the document is signed already, or cannot be.")
    problem: str | None = Field(description="Why it cannot be signed.")

    @classmethod
    def of(cls, found: ToSign) -> Self:
        """Show what is to be signed."""
        slots = [SlotShape(identifier=one.identifier, octets=base64.b64encode(one.octets).decode()) for one in found.slots]
        return cls(id=found.id, slots=slots, problem=found.problem)


class Preparation(BaseModel):
    """What is to be signed of every document, in their order."""

    items: list[ItemToSign]


class Progress(BaseModel):
    """Preparation goes on: the same request again takes it further."""

    ready: int
    total: int


class ValueShape(BaseModel):
    """A signature value."""

    id: str = Field(max_length=26, description="Of the document.")
    identifier: str = Field(max_length=300, description="Of the slot.")
    value: _Base64 = Field(description="RSA PKCS#1 v1.5, or ECDSA as r and s side by side; in base64.")


class Values(BaseModel):
    """Signature values, of some documents or all."""

    values: list[ValueShape] = Field(min_length=1, max_length=10_000)


class AnswerShape(BaseModel):
    """What became of the values of a document."""

    id: str
    state: Reception = Field(description="waiting: for other values, or for a part of the platform; the same may be sent again.")
    detail: str | None = Field(description="Why, in words.")

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """Show an answer."""
        return cls(id=answer.id, state=answer.state, detail=answer.detail)


class Answers(BaseModel):
    """What became of values, by document."""

    items: list[AnswerShape]


class Abandonment(BaseModel):
    """Why nothing more comes."""

    reason: str = Field("", max_length=10_000)


def _seated(
    request: Request, platform: Parts, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_shown_token)]
) -> Sitting:
    if credentials is None:
        raise Unauthenticated(messages("agent.absent"))
    sitting = sittings.holder(platform.database, credentials.credentials)
    known(request, f"sitting:{sitting.id}")
    return sitting


Seated = Annotated[Sitting, Depends(_seated)]


@router.post("/open", summary="Exchange a ticket for a token")
def opened(platform: Parts, header: Annotated[str | None, Depends(_shown_ticket)] = None) -> Opening:
    """Open a session with the ticket of the link; a ticket serves once."""
    if header is None or not header.startswith(_TICKET):
        raise Unauthenticated(messages("agent.absent"))
    entered = sittings.redeem(platform.database, header.removeprefix(_TICKET).strip())
    sitting = sittings.holder(platform.database, entered.secret)
    with platform.database.reading(PLATFORM) as session:
        name = session.exec(select(Organisation.name).where(Organisation.id == sitting.organisation_id)).one()
    found = sittings.items_of(platform.database, sitting.id)
    return Opening(
        token=entered.secret,
        expires=entered.expires,
        organisation=name,
        person=sitting.person,
        items=[ItemToRead.of(item) for item in found],
    )


@router.post(
    "/certificate",
    summary="Announce the certificate",
    openapi_extra=described(Certificate),
    responses={202: {"model": Progress, "description": "Preparation goes on: send the same again."}},
)
def certificate(
    platform: Parts, sitting: Seated, body: Annotated[Certificate, said_in(Certificate)], response: Response
) -> Preparation | Progress:
    """Bind the certificate to the session, once, and prepare the documents for it, some seconds at a time.

    In a session of the parapheur, it must be the certificate of the person who signs, of an authority that is trusted here.
    """
    admit(platform, sitting.id, _octets(body.certificate), [_octets(one) for one in body.chain])
    bound = sittings.bind(platform.database, sitting.id, _octets(body.certificate), [_octets(one) for one in body.chain])
    left = work.prepare(platform, bound, _PREPARES_FOR)
    found = work.to_sign(platform.database, sitting.id)
    if left:
        response.status_code = 202
        return Progress(ready=len(found) - left, total=len(found))
    return Preparation(items=[ItemToSign.of(one) for one in found])


@router.get("/items/{item_id}/document", summary="Read a document", response_class=StreamingResponse, responses={200: BYTES})
def document(platform: Parts, sitting: Seated, item_id: Identifier) -> StreamingResponse:
    """Return a document of the session, as an attachment."""
    sittings.refuse_ended(sitting)
    item = sittings.item_of(platform.database, sitting.id, item_id)
    return downloads.document(platform, KeptFile("document", item.title, item.media_type, item.sha256, item.size))


@router.post("/values", summary="Give signature values", openapi_extra=described(Values))
def values(platform: Parts, sitting: Seated, body: Annotated[Values, said_in(Values)]) -> Answers:
    """Take values in and complete the documents that have all of theirs; a repeat is answered the same."""
    given = [work.Value(one.id, one.identifier, _octets(one.value)) for one in body.values]
    answers = work.accept(platform, sitting, given, _timestamps(platform), _COMPLETES_FOR)
    settle(platform, sitting.id)
    return Answers(items=[AnswerShape.of(answer) for answer in answers])


@router.post("/close", summary="End the session", status_code=204)
def close(platform: Parts, sitting: Seated) -> None:
    """End the session; what was not signed stays as it came."""
    if sitting.state == SittingState.CLAIMED.value:
        work.finish(platform, sitting, _timestamps(platform), _COMPLETES_FOR)
    sittings.close(platform.database, sitting.id)
    settle(platform, sitting.id)


@router.post("/abandon", summary="Give the session up", status_code=204, openapi_extra=described(Abandonment))
def abandon(platform: Parts, sitting: Seated, body: Annotated[Abandonment, said_in(Abandonment)]) -> None:
    """Give the session up; documents already signed stay so, the others stay as they came."""
    sittings.abandon(platform.database, sitting.id, body.reason)
    settle(platform, sitting.id)


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(messages("agent.base64")) from error


def _timestamps(platform: Platform) -> TimestampClient | None:
    """Return who stamps; a format that needs it says so when there is nobody."""
    try:
        return timestamps(platform)
    except Misconfigured:
        return None
