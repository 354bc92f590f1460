"""What happened, written twice in one transaction: whole in ``mail_event``, its digest in the journal.

The journal never forgets and holds nothing personal; the event may be purged, and is proved by its digest as long as it is there.
The words are those of ETSI EN 319 522-1 (clause 8.3 and annex) where it has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from core import clock, journal
from core.canonical import canonical_bytes
from core.database import ScopedSession
from flows.mail.models import Mail, MailEvent, MailRecipient


class EventKind(StrEnum):
    """The closed list of what can happen; after the name, the event of ETSI EN 319 522-1 that it comes nearest to."""

    ACCEPTED = "submission_acceptance"  # A.1: the send was checked and taken
    REFUSED_SEND = "submission_rejection"  # A.2
    VALIDATED = "send_validated"  # in the parapheur, before anything left
    NOT_VALIDATED = "send_not_validated"
    HANDED = "relay_to_non_erds"  # F.1: a mail server answers for the notice
    NOT_HANDED = "relay_to_non_erds_failure"  # F.2: a mail server refuses it for good
    RETURNED = "report_received"  # a delivery report, whatever it says
    DELIVERED = "notification_delivered"  # an indication
    OPENED = "notification_access"  # an indication: something asked for the page
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a kind of event
    LOCKED = "access_locked"
    WITHDRAWN = "content_handover"  # E.1: the deliberate act
    CONSULTED = "content_consulted"  # after it
    DOWNLOADED = "document_downloaded"
    REFUSED = "consignment_rejection"  # C.4: by the recipient
    NOT_ME = "wrong_recipient"
    EXPIRED = "acceptance_rejection_expiry"  # C.5: *non retiré*
    ANSWERED = "answer_received"
    PRESENCE = "presence_answered"
    QUESTION = "question_answered"
    SHEET = "attendance_closed"  # who was at the meeting, as its chair kept it
    AGAIN = "sent_again"
    ADDRESS = "address_mended"
    PASSWORD = "password_replaced"  # noqa: S105 - a kind of event
    LINK_REVOKED = "link_revoked"
    ADDITION = "document_added"
    CANCELLED = "send_cancelled"
    PURGED = "content_purged"
    CLOSED = "send_closed"


def record(
    session: ScopedSession,
    about: Mail | MailRecipient,
    kind: EventKind,
    facts: Mapping[str, Any] | None = None,
    *,
    actor: str = "platform",
    at: datetime | None = None,
) -> MailEvent:
    """Write an event and its journal entry in the session's transaction.

    Args:
        session: one that may write for the organisation.
        about: the whole send, or one recipient of it.
        kind: what happened.
        facts: what proves it; JSON without floats. What is personal belongs here, and nowhere else.
        actor: ``person:…``, ``token:…``, ``recipient:<id>``, ``platform``.
        at: when; now when not given.
    """
    moment = at or clock.now()
    recipient_id = about.id if isinstance(about, MailRecipient) else None
    told = {**(facts or {}), "kind": kind.value, "at": clock.iso(moment), "recipient": recipient_id}
    event = MailEvent(
        organisation_id=about.organisation_id,
        dossier_id=about.dossier_id,
        recipient_id=recipient_id,
        kind=kind.value,
        at=moment,
        facts=told,
        sha256=hashlib.sha256(canonical_bytes(told)).hexdigest(),
    )
    session.add(event)
    session.flush()
    journal.write(
        session,
        organisation_id=about.organisation_id,
        dossier_id=about.dossier_id,
        kind=f"mail.{kind.value}",
        actor=actor,
        facts={"event": event.id, "recipient": recipient_id, "sha256": event.sha256},
    )
    return event
