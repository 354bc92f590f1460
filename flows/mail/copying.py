"""A mail that was stopped before it left (not approved, or cancelled meanwhile) is copied into a new draft, to be mended."""

from __future__ import annotations

from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal
from flows.engine.intake import Received
from flows.engine.work import KeptFile
from flows.mail import intake
from flows.mail.intake import Addressed, Draft
from flows.mail.keeping import DOCUMENT, dossier_of, files_of, mail_of, recipients_of, require_sender
from flows.mail.kinds import CONVOCATION
from flows.mail.models import Mail, MailRecipient, Place

_messages = Catalogue("flows.mail")
STOPPED = frozenset({"rejected", "cancelled"})
"""States of a send that was stopped before anything left."""


def copy(platform: Platform, principal: Principal, dossier_id: str) -> Received:
    """Write a new draft with all that a stopped send had: message, recipients with their passwords, documents.

    Raises:
        NotFound, Forbidden: see ``intake.change``.
        Conflict: the send was not stopped before it left.
        UsageError: it convenes a meeting, which has a page of its own for that (``convening.intake.another``).
    """
    with platform.database.reading(principal) as session:
        mail = mail_of(session, dossier_id)
        require_sender(principal, mail)
        if dossier_of(session, dossier_id).state not in STOPPED:
            raise Conflict(_messages("copy.not"))
        recipients, files = recipients_of(session, dossier_id), files_of(session, dossier_id, DOCUMENT)
    if mail.kind == CONVOCATION.name:
        raise UsageError(_messages("copy.convocation"))
    draft = Draft(
        mail.organisation_id,
        mail.kind,
        mail.subject,
        mail.body,
        mail.sender,
        mail.reply_to,
        mail.answers,
        tuple(_addressed(one) for one in recipients),
        tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in files),
    )
    secrets = {one.normal: one.password_hash for one in recipients}

    def keep_secrets(session: ScopedSession, _mail: Mail, copied: list[MailRecipient]) -> None:
        for one in copied:
            one.password_hash = secrets[one.normal]
            session.add(one)

    return intake.compose(platform, principal, draft, also=keep_secrets)


def _addressed(one: MailRecipient) -> Addressed:
    return Addressed(
        one.address, one.name, Place(one.place), one.source, consent=one.consent, consent_reference=one.consent_reference
    )
