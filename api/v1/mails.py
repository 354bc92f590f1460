"""Tracked mails over the API: found, read with what became of them, proved; and what their sender may still do afterwards."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api import cursors, downloads
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.bodies import described, said_in
from api.v1.dossiers import BYTES
from api.v1.mail_asked import rules_told
from api.v1.mail_sending import Followed, SendId
from api.v1.mail_shapes import (
    MailAnswerList,
    MailFileList,
    MailFileShape,
    MailLine,
    MailPage,
    MailRecipientShape,
    MailShape,
    MailStep,
    MailTimeline,
)
from api.v1.sealed import ZIP
from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Right
from flows.engine import reading as dossiers
from flows.mail import acting, proving, reading
from flows.mail.keeping import dossier_of, mail_of, recipient_of, recipients_of
from flows.mail.reading import Wanted
from flows.mail.standing import Standing

router = APIRouter(prefix="/v1", tags=["Courriers suivis"])
_mail = Catalogue("flows.mail")
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]


class CancellationAsked(BaseModel):
    """Why a mail is cancelled; its recipients read it."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=acting.LONGEST_REASON)


class AddressAsked(BaseModel):
    """Another address of a recipient."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(max_length=320)


class PasswordAsked(BaseModel):
    """Another password of a recipient; it is given to them by another channel than the mail."""

    model_config = ConfigDict(extra="forbid")

    password: str = Field(max_length=200, description="12 signs or more, or six digits.")


@router.get("/mails", summary="List tracked mails")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    standing: Annotated[Standing | None, Query(description="Where they stand.")] = None,
    kind: Annotated[str, Query(max_length=40, description="secured, notification or convocation.")] = "",
    q: Annotated[
        str, Query(max_length=100, description="A part of the subject, of a recipient’s name or address, or a whole identifier.")
    ] = "",
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> MailPage:
    """Return a page of tracked mails, newest first; drafts that were given up are left out."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    wanted = Wanted(meant, standing, kind, q.strip(), after=cursors.read(cursor), limit=limit)
    page = reading.list_mails(platform.database, caller, wanted)
    total, exact = reading.how_many(platform.database, caller, wanted)
    lines = [MailLine.of(line) for line in page.lines]
    return MailPage(mails=lines, total=total, total_exact=exact, next=cursors.written(page.after))


@router.get("/mails/{send_id}", summary="Show a tracked mail")
def shown(platform: Parts, caller: Caller, send_id: SendId) -> MailShape:
    """Return a mail in full: what is said, each recipient and where they stand, its files."""
    seen = reading.seen(platform.database, caller, send_id)
    return MailShape.of_seen(seen, may_act=caller.may(Right.DEPOSIT, seen.mail.organisation_id))


@router.get("/mails/{send_id}/timeline", summary="Follow a tracked mail")
def timeline(
    platform: Parts,
    caller: Caller,
    send_id: SendId,
    cursor: Annotated[str, Query(max_length=26, description="From `next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> MailTimeline:
    """Return what happened to a mail and to its recipients, oldest first; where from they acted stands in its proof alone."""
    seen = reading.seen(platform.database, caller, send_id)
    found, (total, exact) = reading.events(platform.database, caller, send_id, cursor, limit + 1)
    steps = [MailStep.of(one, seen) for one in found[:limit]]
    return MailTimeline(steps=steps, total=total, total_exact=exact, next=steps[-1].id if len(found) > limit else None)


@router.get("/mails/{send_id}/files", summary="List the files of a tracked mail")
def files(platform: Parts, caller: Caller, send_id: SendId) -> MailFileList:
    """Return the files of a mail, oldest first: those that were sent, added, and joined to answers."""
    seen = reading.seen(platform.database, caller, send_id)
    return MailFileList(files=[MailFileShape.of(one) for one in seen.files])


@router.get(
    "/mails/{send_id}/files/{mail_file_id}",
    summary="Download a file of a tracked mail",
    response_class=StreamingResponse,
    responses={200: BYTES},
)
def file(platform: Parts, caller: Caller, send_id: SendId, mail_file_id: Identifier) -> StreamingResponse:
    """Return a file as it was kept; a connection cut before the end means that the store altered it."""
    with dossiers.opened(platform.database, caller) as session:
        mail_of(session, send_id)
        kept = dossiers.file_of(session, send_id, mail_file_id)
    return downloads.document(platform, kept)


@router.get("/mails/{send_id}/answers", summary="Read the answers to a tracked mail")
def answers(platform: Parts, caller: Caller, send_id: SendId) -> MailAnswerList:
    """Return what recipients answered, with their files, oldest first."""
    return MailAnswerList.of(reading.seen(platform.database, caller, send_id))


@router.get(
    "/mails/{send_id}/proof", summary="Download the proof of a tracked mail", response_class=FileResponse, responses={200: ZIP}
)
def proof(
    platform: Parts,
    caller: Caller,
    send_id: SendId,
    recipient: Annotated[
        str | None, Query(pattern="^[0-9A-Z]{26}$", description="About this recipient alone: no other stands in it.")
    ] = None,
) -> FileResponse:
    """Return what proves a mail without this platform, at any moment once it has left: 409 before.

    503 while the journal was never timestamped. Its `LISEZ-MOI.txt` leads through the verification.
    """
    with dossiers.opened(platform.database, caller) as session:
        mail_of(session, send_id)
    write = partial(proving.package, platform, caller, send_id, recipient_id=recipient)
    return downloads.proof(recipient or send_id, write)


@router.post("/mails/{send_id}/cancellation", summary="Cancel a tracked mail", openapi_extra=described(CancellationAsked))
def cancelled(
    platform: Parts, caller: Caller, send: Followed, asked: Annotated[CancellationAsked, said_in(CancellationAsked)]
) -> MailLine:
    """Cancel a mail that has left: its links open nothing more, and whoever was told is told why; 409 once it is over."""
    acting.cancel(platform, caller, send, asked.reason)
    return _line(platform, caller, send)


@router.delete("/mails/{send_id}/content", summary="Destroy the content of an archived mail")
def purged(platform: Parts, caller: Caller, send: Followed) -> MailLine:
    """Destroy the message and the documents of a mail whose proof is sealed: what is proved of them stays; 409 before that."""
    acting.purge(platform, caller, send)
    return _line(platform, caller, send)


def _line(platform: Parts, caller: Caller, send_id: str) -> MailLine:
    with platform.database.reading(caller) as session:
        return MailLine.of_mail(dossier_of(session, send_id), mail_of(session, send_id), recipients_of(session, send_id))


def _reached(platform: Parts, caller: Caller, send: Followed, recipient_id: Identifier) -> str:
    with platform.database.reading(caller) as session:
        if recipient_of(session, recipient_id).dossier_id != send:
            raise NotFound(_mail("recipient.unknown"))
    return recipient_id


Reached = Annotated[str, Depends(_reached)]
"""The recipient of the path, who is one of the mail of the path."""


@router.post("/mails/{send_id}/recipients/{recipient_id}/again", summary="Tell a recipient again")
def again(platform: Parts, caller: Caller, recipient: Reached) -> MailRecipientShape:
    """Send a recipient another notice, with a fresh link; 409 unless the mail has left and they have not come to an end."""
    acting.send_again(platform, caller, recipient)
    return _recipient(platform, caller, recipient)


@router.put(
    "/mails/{send_id}/recipients/{recipient_id}/address",
    summary="Mend the address of a recipient",
    openapi_extra=described(AddressAsked),
)
def mended(
    platform: Parts, caller: Caller, recipient: Reached, asked: Annotated[AddressAsked, said_in(AddressAsked)]
) -> MailRecipientShape:
    """Write to a recipient at another address; links that went to the former one open nothing more. 409 as for `again`."""
    acting.mend_address(platform, caller, recipient, asked.address)
    return _recipient(platform, caller, recipient)


@router.put(
    "/mails/{send_id}/recipients/{recipient_id}/password",
    summary="Replace the password of a recipient",
    openapi_extra=described(PasswordAsked),
)
def replaced(
    platform: Parts, caller: Caller, recipient: Reached, asked: Annotated[PasswordAsked, said_in(PasswordAsked)]
) -> MailRecipientShape:
    """Put another password in the place of a recipient’s, and open their door again; it is neither sent nor shown."""
    with rules_told():
        acting.replace_password(platform, caller, recipient, asked.password)
    return _recipient(platform, caller, recipient)


@router.post("/mails/{send_id}/recipients/{recipient_id}/revocation", summary="Revoke the links of a recipient")
def revoked(platform: Parts, caller: Caller, recipient: Reached) -> MailRecipientShape:
    """Have the links of a recipient open nothing more: one that went to somebody else, for instance."""
    acting.revoke(platform, caller, recipient)
    return _recipient(platform, caller, recipient)


def _recipient(platform: Parts, caller: Caller, recipient_id: str) -> MailRecipientShape:
    with platform.database.reading(caller) as session:
        return MailRecipientShape.of(recipient_of(session, recipient_id), may_act=True)
