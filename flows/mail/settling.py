"""What becomes of a notice, and of its recipient: told by the mail server at once, or by a report that comes back later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, or_, select

from connectors.mail.errors import Answered
from connectors.mail.handing import HandOver
from core import clock
from core.database import ScopedSession
from core.messages import Catalogue
from flows.mail import events
from flows.mail.book.models import Contact
from flows.mail.convening.models import Meeting
from flows.mail.events import EventKind
from flows.mail.keeping import ENDED, terms_of
from flows.mail.models import Mail, MailNotice, MailRecipient, NoticeState, RecipientState

_messages = Catalogue("flows.mail")
UNCERTAIN_FOR = timedelta(minutes=15)
"""How long a message is waited for of which nobody knows whether it left; a delivery report may come in this time."""
GIVEN_UP_AFTER = timedelta(hours=48)
"""How long a server may ask to come back: less than the five days of mail queues, in which a convocation would be late."""
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=30)
_LONGEST_TROUBLE = 1000
_UNTIL_TAKEN = frozenset({"notice", "again", "reminder"})
_UNTAKEN = frozenset({RecipientState.WAITING, RecipientState.HANDED, RecipientState.DELAYED})


def stem(occasion: str) -> str:
    """Return the kind of an occasion: ``reminder`` of ``reminder-2``."""
    return occasion.partition("-")[0]


def is_pointless(notice: MailNotice, recipient: MailRecipient, mail: Mail) -> bool:
    """Tell whether a message is not worth sending any more: cancelled, taken already, or a code that is too old."""
    kind = stem(notice.occasion)
    if kind == "cancellation":
        return False
    if mail.cancelled is not None or recipient.state == RecipientState.REVOKED.value or notice.revoked is not None:
        return True
    if kind == "code":
        return recipient.code_until is None or recipient.code_until <= clock.now()
    return kind in _UNTIL_TAKEN and recipient.state in ENDED


def drop(session: Session, notice: MailNotice) -> None:
    """Let a message be that there is no reason to send any more."""
    _close(session, notice, NoticeState.DROPPED)


def note_silence(session: ScopedSession, notice: MailNotice, recipient: MailRecipient) -> bool:
    """Write down that nobody knows what became of an attempt; tell whether it may be begun again: not for ever."""
    lost = {"attempt": notice.attempts, "at": clock.iso(notice.left or clock.now()), "unknown": True}
    notice.evidence = [*notice.evidence, lost]
    if not _is_given_up(notice):
        return True
    _give_up(session, notice, recipient, _messages("post.unknown"), lost)
    return False


def accepted(
    session: ScopedSession,
    notice: MailNotice,
    recipient: MailRecipient,
    mail: Mail,
    taken: HandOver,
    attempt: int,
    signature: Mapping[str, str],
) -> None:
    """Keep that a server answers for a message; the first one of a send dates it.

    Args:
        session: that holds the recipient and the notice.
        notice: which was LEAVING; what is told twice is kept twice.
        recipient: to whom it goes.
        mail: of both, held when the send has no date yet.
        taken: what the server said.
        attempt: the one that it answered.
        signature: of the message (``connectors.mail.signature.told``).
    """
    told = {"attempt": attempt, **taken.as_json(), **({"dkim": dict(signature)} if signature else {})}
    notice.evidence = [*notice.evidence, told]
    _arrived(session, notice, recipient, mail, taken.at)
    facts = {**_facts(notice), "hand_over": told}
    events.record(session, recipient, EventKind.HANDED, facts, at=taken.at)


def reported(
    session: ScopedSession, notice: MailNotice, recipient: MailRecipient, mail: Mail, return_id: str, server: str
) -> None:
    """Keep that a message did leave of which nobody knew: a report about it came back, by this server."""
    at = notice.left or clock.now()
    told = {"attempt": notice.attempts, "at": clock.iso(at), "host": server, "report": return_id}
    notice.evidence = [*notice.evidence, told]
    _arrived(session, notice, recipient, mail, at)
    events.record(session, recipient, EventKind.HANDED, {**_facts(notice), "report": told}, at=at)


def _arrived(session: Session, notice: MailNotice, recipient: MailRecipient, mail: Mail, at: datetime) -> None:
    if notice.accepted is None:
        notice.accepted = at
    _close(session, notice, NoticeState.ACCEPTED)
    if stem(notice.occasion) not in _UNTIL_TAKEN:
        return
    if recipient.state in {RecipientState.WAITING, RecipientState.DELAYED, RecipientState.FAILED}:
        stand(session, recipient, RecipientState.HANDED)
    if mail.sent is None:
        kind, day = terms_of(mail), clock.in_paris(at).date()
        mail.sent = at
        meeting = session.get(Meeting, mail.dossier_id)
        until = clock.in_paris(meeting.starts).date() if meeting else day + timedelta(days=kind.withdraw_days)
        mail.withdraw_until = max(until, day)  # what convenes somebody is of use until they meet
        mail.readable_until = max(day + timedelta(days=kind.readable_days), mail.withdraw_until)
        session.add(mail)


def refused(session: ScopedSession, notice: MailNotice, recipient: MailRecipient, error: Answered, attempt: int) -> None:
    """Keep that a message will not be taken; its recipient is for the sender to mend."""
    told = _answer(error, attempt)
    notice.evidence = [*notice.evidence, told]
    _close(session, notice, NoticeState.REFUSED)
    fail(session, notice, recipient, str(error))
    bounced(session, recipient)
    events.record(session, recipient, EventKind.NOT_HANDED, {**_facts(notice), "answer": told})


def postponed(session: ScopedSession, notice: MailNotice, recipient: MailRecipient, error: Answered, attempt: int) -> None:
    """Let a message wait that certainly did not leave: longer each time, and not for ever."""
    told = _answer(error, attempt)
    notice.evidence = [*notice.evidence, told]
    if _is_given_up(notice):
        _give_up(session, notice, recipient, _messages("post.given_up", reason=error), told)
        return
    notice.state, notice.left = NoticeState.DUE.value, None
    notice.not_before = clock.now() + min(_FIRST_PAUSE * 2 ** min(attempt - 1, 10), _LONGEST_PAUSE)
    session.add(notice)
    if recipient.state == RecipientState.WAITING.value:
        recipient.trouble = str(error)[:_LONGEST_TROUBLE]
        session.add(recipient)


def _is_given_up(notice: MailNotice) -> bool:
    first = next((clock.from_iso(one["at"]) for one in notice.evidence if "at" in one), None)
    return first is not None and clock.now() - first > GIVEN_UP_AFTER


def _give_up(session: ScopedSession, notice: MailNotice, recipient: MailRecipient, trouble: str, told: dict[str, Any]) -> None:
    _close(session, notice, NoticeState.REFUSED)
    fail(session, notice, recipient, trouble)
    events.record(session, recipient, EventKind.NOT_HANDED, {**_facts(notice), "answer": told})


def fail(session: Session, notice: MailNotice, recipient: MailRecipient, trouble: str) -> None:
    """Have a recipient stand FAILED, unless they have what was sent, or are written to elsewhere by now."""
    if recipient.state in _UNTAKEN and notice.address == recipient.address and stem(notice.occasion) in _UNTIL_TAKEN:
        stand(session, recipient, RecipientState.FAILED, trouble)


def delay(session: Session, notice: MailNotice, recipient: MailRecipient, trouble: str) -> None:
    """Have a recipient stand DELAYED: a server on the way still tries."""
    if recipient.state == RecipientState.HANDED.value and notice.address == recipient.address:
        stand(session, recipient, RecipientState.DELAYED, trouble)


def resume(session: Session, notice: MailNotice, recipient: MailRecipient) -> None:
    """Have a recipient whose message was delayed stand HANDED again: it went on its way."""
    if recipient.state == RecipientState.DELAYED.value and notice.address == recipient.address:
        stand(session, recipient, RecipientState.HANDED)


def stand(session: Session, recipient: MailRecipient, state: RecipientState, trouble: str = "") -> None:
    """Write where a recipient stands from now on."""
    recipient.state, recipient.since, recipient.trouble = state.value, clock.now(), trouble[:_LONGEST_TROUBLE]
    session.add(recipient)


def bounced(session: Session, recipient: MailRecipient) -> None:
    """Say in the address book that nothing arrives at an address any more, until somebody confirms or mends it."""
    kind, _, contact_id = recipient.source.partition(":")
    theirs = (col(Contact.organisation_id) == recipient.organisation_id) & (col(Contact.normal) == recipient.normal)
    named = (col(Contact.id) == contact_id) & (col(Contact.normal) == recipient.normal) if kind == "contact" else theirs
    for contact in session.exec(select(Contact).where(or_(theirs, named), col(Contact.bounced).is_(None))):
        contact.bounced = clock.now()
        session.add(contact)


def _close(session: Session, notice: MailNotice, state: NoticeState) -> None:
    notice.state, notice.message = state.value, None
    session.add(notice)


def _answer(error: Answered, attempt: int) -> dict[str, Any]:
    return {"attempt": attempt, "at": clock.iso(clock.now()), "code": error.code, "text": error.text}


def _facts(notice: MailNotice) -> dict[str, Any]:
    """Return what names a message in an event: which, to where, under which digest."""
    return {
        "notice": notice.id,
        "occasion": notice.occasion,
        "address": notice.address,
        "envelope": notice.envelope,
        "message_id": notice.message_id,
        "message_sha256": notice.sha256,
    }
