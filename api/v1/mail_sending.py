"""Tracked mails written over the API: as drafts or sent at once, changed as drafts, and documents added once they have left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request, Response

from api.acts import finding
from api.tenants import organisation_named
from api.uploads import Body, Uploads
from api.v1 import mail_asked
from api.v1.access import Caller, Parts, own_organisation
from api.v1.bodies import schema_of
from api.v1.mail_asked import AdditionAsked, MailAsked, MailKind, NewMail, documents_of, rules_told
from api.v1.mail_shapes import MAILS, MailLine
from core import clock
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.intake import Received
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.mail import acting, checking, intake, rules
from flows.mail.book import groups
from flows.mail.flow import MAIL
from flows.mail.intake import Addressed, Also, Draft
from flows.mail.keeping import DOCUMENT, dossier_of, files_of, mail_of, recipients_of, require_sender
from flows.mail.kinds import kind_of
from flows.mail.models import Mail, MailRecipient
from schemas.mail import addresses

router = APIRouter(prefix="/v1", tags=["Courriers suivis"])
WRITTEN, CHANGED, ADDED = MAILS, f"{MAILS}/{{id}}", f"{MAILS}/{{id}}/documents"
LARGEST_BODY = mail_asked.LARGEST + mail_asked.LARGEST_JSON
SendId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of the mail, of 26 characters.")]
_t = Catalogue("api.v1")
_SAID, _ADDED = "mail", "addition"
_LOCATION = {"Location": {"schema": {"type": "string"}}}
_REPLAY = {"Idempotent-Replay": {"schema": {"type": "string"}, "description": "true: the same mail was written before."}}
Key = Annotated[
    str | None, Header(pattern=r"^[\x21-\x7e]{1,200}$", description="Makes a repeat harmless: 1 to 200 visible characters.")
]


def _followed(platform: Parts, caller: Caller, send_id: SendId) -> str:
    with platform.database.reading(caller) as session:
        require_sender(caller, mail_of(session, send_id))
    return send_id


Followed = Annotated[str, Depends(_followed)]
"""The mail of the path; who may not send for its organisation is told so before the body is looked at."""


def _body(model: type[MailAsked | AdditionAsked], said: str, most: str) -> dict[str, Any]:
    """Return the documentation of a body that comes as a form with its files, or as JSON naming uploads."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "description": most}
    form = {
        "type": "object",
        "required": [said] if said == _SAID else [mail_asked.FILES],
        "properties": {said: schema_of(model), mail_asked.FILES: files},
    }
    encoding = {said: {"contentType": "application/json"}}
    content = {
        "multipart/form-data": {"schema": form, "encoding": encoding},
        "application/json": {"schema": schema_of(model)},
    }
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    "/mails",
    status_code=201,
    summary="Write a tracked mail, or send it at once",
    openapi_extra=_body(NewMail, _SAID, "Its documents, in their order."),
    responses={
        200: {"model": MailLine, "headers": _REPLAY, "description": "The identical mail was written before: this is it."},
        201: {"headers": _LOCATION},
    },
)
async def written(request: Request, response: Response, platform: Parts, caller: Caller, idempotency_key: Key = None) -> MailLine:
    """Keep a draft, or with `send` have it checked and sent; the answer is given once its files are kept.

    The right `dossier.deposit` is asked for. The form has a part `mail`, in JSON, and a part `document` for each file, in any
    order, 500 MiB in all; a JSON body names finished uploads (see `/v1/uploads`). What keeps the mail from being written or sent
    is told at once, 422 with the number of each rule (M01 to M08), and nothing is kept. Documents are opened afterwards: a mail
    that this refuses is a `draft` again, with its `problems`. 409: the key was used for another content; passwords do not count.
    """
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> tuple[bool, MailLine]:
        caller.require(Right.DEPOSIT, own_organisation(platform, caller).id)  # before anything is read
        asked, files = mail_asked.read(platform, body, content_type, NewMail, _SAID)
        named = asked.organisation
        owner = organisation_named(platform, caller, named).id if named else own_organisation(platform, caller).id
        caller.require(Right.DEPOSIT, owner)
        received = _compose(platform, caller, owner, asked, files, idempotency_key)
        _send_if(platform, caller, received.dossier, asked)
        return received.created, _shown(platform, caller, received.dossier.id)

    created, line = await turnstile.run(request, read)
    response.headers["Location"] = line.href
    return _answered(response, line, created=created)


def _answered(response: Response, line: MailLine, *, created: bool) -> MailLine:
    if not created:
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
    return line


def _compose(
    platform: Platform, caller: Principal, owner: str, asked: MailAsked, files: tuple[KeptFile, ...], key: str | None
) -> Received:
    repeated = finding.with_key(platform, owner, key)
    with rules_told(), documents_of(platform, caller, owner, asked.documents, repeated=repeated) as named:
        draft = _draft(platform, caller, owner, asked, (*named, *files))
        return intake.compose(platform, caller, draft, key, also=_sendable(platform, draft) if asked.send else None)


def _draft(platform: Platform, caller: Principal, owner: str, asked: MailAsked, documents: tuple[KeptFile, ...]) -> Draft:
    return Draft(
        owner,
        asked.kind.value,
        asked.subject,
        asked.body,
        asked.sender,
        asked.reply_to,
        asked.answers,
        [*asked.addressed, *_of_groups(platform, caller, owner, asked)],
        documents,
    )


def _of_groups(platform: Platform, caller: Principal, owner: str, asked: MailAsked) -> list[Addressed]:
    """Return the members of the groups whom nobody named, once each."""
    named = {addresses.normal(one.address) for one in asked.recipients if _is_address(one.address)}
    found: dict[str, Addressed] = {}
    for group_id in asked.groups:
        _, contacts = groups.one(platform, caller, owner, group_id)
        for contact in contacts:
            if contact.normal not in named:
                found.setdefault(contact.normal, Addressed(contact.address, contact.name, source=f"contact:{contact.id}"))
    return list(found.values())


def _is_address(text: str) -> bool:
    try:
        addresses.check(text)
    except UsageError:
        return False
    return True


def _sendable(platform: Platform, draft: Draft) -> Also:
    """Return what holds a draft that is to be sent at once against the rules, before anything of it is kept."""

    def hold(session: ScopedSession, mail: Mail, recipients: Sequence[MailRecipient]) -> None:
        kind = kind_of(session, platform.secrets, mail.organisation_id, mail.kind)
        problems = rules.of_send(mail, recipients, kind, clock.in_paris(clock.now()).date())
        rules.require([*problems, *checking.of_sizes(draft.documents, kind)])

    return hold


def _send_if(platform: Platform, caller: Principal, dossier: Dossier, asked: MailAsked) -> None:
    """Send a mail that was asked to be sent, unless the identical call before did, or its check gave it back."""
    if asked.send and dossier.state == MAIL.start and not dossier.problems:
        with rules_told():
            intake.send(platform, caller, dossier.id)


def _shown(platform: Platform, caller: Principal, send_id: str) -> MailLine:
    with platform.database.reading(caller) as session:  # who may write it may be told what became of it
        return MailLine.of_mail(dossier_of(session, send_id), mail_of(session, send_id), recipients_of(session, send_id))


@router.put("/mails/{send_id}", summary="Change a draft", openapi_extra=_body(MailAsked, _SAID, "Documents that join it."))
async def changed(request: Request, platform: Parts, caller: Caller, send: Followed) -> MailLine:
    """Put another content in the place of that of a draft, the whole of it; `documents` names those of its files that stay.

    A recipient who stays keeps their identifier, and their password when none is given. 409 once it is no draft.
    """
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> MailLine:
        asked, files = mail_asked.read(platform, body, content_type, MailAsked, _SAID)
        with platform.database.reading(caller) as session:
            mail, there = mail_of(session, send), {one.id: one for one in files_of(session, send, DOCUMENT)}
        if mail.kind not in set(MailKind):
            raise Conflict(_t("mail.convocation"), send)
        owner = mail.organisation_id
        with rules_told(), documents_of(platform, caller, owner, asked.documents, there) as named:
            draft = _draft(platform, caller, owner, asked, (*named, *files))
            intake.change(platform, caller, send, draft, also=_sendable(platform, draft) if asked.send else None)
            if asked.send:
                intake.send(platform, caller, send)
        return _shown(platform, caller, send)

    return await turnstile.run(request, read)


@router.post("/mails/{send_id}/send", summary="Send a draft")
def sent(platform: Parts, caller: Caller, send: Followed) -> MailLine:
    """Have a draft checked, then sent; 422 with the rules that it breaks, 409 once it is no draft."""
    with rules_told():
        intake.send(platform, caller, send)
    return _shown(platform, caller, send)


@router.delete("/mails/{send_id}", status_code=204, summary="Give a draft up")
def abandoned(platform: Parts, caller: Caller, send: Followed) -> None:
    """Give a draft up; what has left stays, and can be cancelled: 409."""
    intake.abandon(platform, caller, send)


@router.post(
    "/mails/{send_id}/documents",
    status_code=201,
    summary="Add a document to a mail that has left",
    openapi_extra=_body(AdditionAsked, _ADDED, "The document that is added: one."),
    responses={200: {"model": MailLine, "headers": _REPLAY, "description": "The identical document was added before."}},
)
async def added(
    request: Request, response: Response, platform: Parts, caller: Caller, send: Followed, idempotency_key: Key = None
) -> MailLine:
    """Add a document; what the mail left with stays as it is, and an e-mail tells of it unless `tell` is false.

    The form has one part `document` and may have a part `addition`, in JSON. 409 before the mail has left, once it is over, and
    when the key was used for another request.
    """
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> tuple[bool, MailLine]:
        asked, files = mail_asked.read(platform, body, content_type, AdditionAsked, _ADDED)
        with platform.database.reading(PLATFORM) as session:
            owner = mail_of(session, send).organisation_id
        named = [mail_asked.DocumentNamed(upload=asked.upload)] if asked.upload else []
        repeated = finding.with_key(platform, owner, idempotency_key)
        with rules_told(), documents_of(platform, caller, owner, named, repeated=repeated) as found:
            joined = (*found, *files)
            if len(joined) != 1:
                raise UsageError(_t("mail.one_document", found=len(joined)))
            created = acting.add_document(platform, caller, send, joined[0], asked.tell, idempotency_key)
        return created, _shown(platform, caller, send)

    created, line = await turnstile.run(request, read)
    return _answered(response, line, created=created)
