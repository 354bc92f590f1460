"""“Envoyer le courrier”: what will leave, for whom, until when, with the very notice that each will receive; then the sending."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.acts.page import Identifier
from api.web.mails import sheet, typed
from api.web.mails.sheet import Kept, MailSheet
from api.web.mails.writing import problems_of
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn
from core import clock
from core.canonical import canonical_bytes
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.problems import Problem, Severity
from flows.mail import composing, intake, links, validating
from flows.mail.kinds import kind_of
from flows.mail.models import MailNotice, MailRecipient
from flows.mail.rules import Unsendable
from signing.parapheur import typology

router = APIRouter()
PATH = "/courriers/{mail_draft_id}/envoi"
_SHOWN = 200
_UNMADE = "…"
"""What stands in the link of a preview: the secret is made when the message leaves, and is nobody's but the recipient's."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A notice as its recipient will receive it."""

    sender: str
    recipient: str
    subject: str
    text: str


@router.get(PATH)
def review(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    mail_draft_id: Identifier,
    destinataire: Annotated[int, Query(ge=0, le=10_000)] = 0,
    fait: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show what will leave; ``destinataire`` is the rank of the one whose notice is shown."""
    opened = sheet.of_draft(platform, visitor, mail_draft_id)
    if (kept := opened.kept) is None or not kept.is_draft or kept.mail.kind not in sheet.KINDS:
        return RedirectResponse(sheet.home_of(sheet.kept_of(platform, visitor, mail_draft_id)), status_code=303)
    problems = problems_of(opened, kept)
    if _stopped(opened, problems):
        return RedirectResponse(f"/courriers/{mail_draft_id}/brouillon?relire=1", status_code=303)
    chosen = kept.recipients[min(destinataire, len(kept.recipients) - 1)]
    with platform.database.reading(PLATFORM) as session:
        kind = kind_of(session, platform.secrets, kept.mail.organisation_id, kept.mail.kind)
        route = validating.route_of(session, platform.secrets, kept.mail.organisation_id, kept.mail.kind)
        approved = typology.kind_of(session, route.subtype).full_name if route else ""
    today = clock.in_paris(clock.now()).date()
    shown: dict[str, Any] = {
        "kept": kept,
        "mail": kept.mail,
        "kind": kind,
        "approved": approved,
        "organisation": opened.organisation,
        "warnings": [one for one in problems if one.severity is Severity.WARNING],
        "until": today + timedelta(days=kind.withdraw_days),
        "readable": today + timedelta(days=kind.readable_days),
        "places": [(name, [one for one in kept.recipients if one.place == name]) for name in typed.PLACES],
        "shown": _SHOWN,
        "total": sum(one.size for one in kept.documents),
        "secret": sum(bool(one.password_hash) for one in kept.recipients),
        "preview": _preview(platform, kept, chosen),
        "chosen": chosen,
        "version": version_of(kept),
        "done": fait,
    }
    return render(request, "web/mails/send.html", visitor=visitor, **shown)


@router.post(PATH)
def sent(platform: Parts, visitor: SignedIn, fields: Fields, mail_draft_id: Identifier) -> RedirectResponse:
    """Send it, as it was shown."""
    visitor.check(fields.get("csrf"))
    opened = sheet.of_draft(platform, visitor, mail_draft_id)
    if (kept := opened.kept) is None or not kept.is_draft or kept.mail.kind not in sheet.KINDS:
        return RedirectResponse(f"/courriers/{mail_draft_id}", status_code=303)
    if fields.get("version") != version_of(kept):
        return RedirectResponse(f"/courriers/{mail_draft_id}/envoi?fait=change", status_code=303)
    try:
        if _stopped(opened, ()):
            return RedirectResponse(f"/courriers/{mail_draft_id}/brouillon?relire=1", status_code=303)
        intake.send(platform, visitor.principal, mail_draft_id)
    except Unsendable:
        return RedirectResponse(f"/courriers/{mail_draft_id}/brouillon?relire=1", status_code=303)
    reads = visitor.principal.may(Right.READ, kept.mail.organisation_id)
    return RedirectResponse(
        f"/courriers/{mail_draft_id}?fait=envoi" if reads else "/courriers/nouveau?fait=envoi", status_code=303
    )


def _stopped(opened: MailSheet, problems: Sequence[Problem]) -> bool:
    """Tell whether something keeps a draft from leaving: what the rules say, or a recipient whose mails come back."""
    said = opened.typed(opened.kinds())
    typed.judge_bounced(said)
    return bool(said.problems) or any(one.severity is Severity.ERROR for one in problems)


def _preview(platform: Platform, kept: Kept, recipient: MailRecipient) -> Preview:
    notice = MailNotice(
        organisation_id=recipient.organisation_id,
        dossier_id=recipient.dossier_id,
        recipient_id=recipient.id,
        occasion="notice",
        address=recipient.address,
        envelope="",
    )
    settings = platform.settings
    with platform.database.reading(PLATFORM) as session:
        message = composing.letter(session, settings, notice, recipient, kept.mail, links.address(settings, _UNMADE))
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return Preview(str(message["From"]), str(message["To"]), str(message["Subject"]), text)


def version_of(kept: Kept) -> str:
    """Return a digest of what is shown, so that nothing leaves that was changed since."""
    mail = kept.mail
    told = {
        "mail": [mail.kind, mail.subject, mail.body, mail.sender, mail.reply_to, mail.answers],
        "recipients": [[one.place, one.address, one.name, one.password_hash, str(one.consent)] for one in kept.recipients],
        "documents": [[one.name, one.sha256] for one in kept.documents],
    }
    return hashlib.sha256(canonical_bytes(told)).hexdigest()
