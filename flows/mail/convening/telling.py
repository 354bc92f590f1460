"""Mails of a convocation beside the convocation itself: each is a notice like any other, planned once for its occasion.

Their words stand in this room's catalogue; ``flows.mail.composing`` asks for them by the occasion (``words_of``).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from core.database import ScopedSession
from core.messages import Catalogue
from flows.mail import planning
from flows.mail.convening import meetings
from flows.mail.convening.wording import minute_in_words
from flows.mail.models import MailNotice, MailRecipient

_t = Catalogue("flows.mail.convening")
GIVEN, UNDONE, VACANT = "given", "undone", "vacant"
ANSWER = "answer"
MOST = 5
"""How often a member is told the same of another: who changes their mind all day long floods no colleague."""


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """What a notice says in place of what the kind of send would.

    Attributes:
        subject: of the message.
        text: its paragraphs, before the link.
    """

    subject: str
    text: str


def proxy_given(session: ScopedSession, receiver: MailRecipient, giver: MailRecipient) -> None:
    """Tell a member that another gave them a proxy."""
    _about(session, receiver, GIVEN, giver)


def proxy_undone(session: ScopedSession, receiver: MailRecipient, giver: MailRecipient) -> None:
    """Tell a member that they do not hold a proxy any more."""
    _about(session, receiver, UNDONE, giver)


def proxy_vacant(session: ScopedSession, giver: MailRecipient, receiver: MailRecipient) -> None:
    """Tell a member that whoever holds their proxy will not be there."""
    _about(session, giver, VACANT, receiver)


def words_of(session: Session, recipient: MailRecipient, occasion: str) -> NoticeWords | None:
    """Return what the notice of an occasion says; None where the kind of send has the word, or no meeting is convened.

    Args:
        session: one that sees the send.
        recipient: who is written to.
        occasion: of the notice.
    """
    kind, _, rest = occasion.partition("-")
    if kind not in {GIVEN, UNDONE, VACANT, ANSWER}:
        return None
    known = meetings.convocation_of(session, recipient.dossier_id)
    places = {"assembly": known.assembly.name, "moment": minute_in_words(known.meeting.starts), "name": recipient.name}
    if kind != ANSWER:
        other = session.exec(select(MailRecipient).where(MailRecipient.id == rest.partition("-")[0])).first()
        places["other"] = (other.name or other.address) if other else ""
    return NoticeWords(_t(f"notice.{kind}.subject", **places), _t(f"notice.{kind}.text", **places))


def is_told_enough(session: Session, told: MailRecipient, kind: str, other: MailRecipient) -> bool:
    """Tell whether a member was told something of another as often as may be."""
    alike = col(MailNotice.occasion).startswith(f"{kind}-{other.id}-", autoescape=True)
    wanted = select(func.count()).select_from(MailNotice).where(MailNotice.recipient_id == told.id, alike)
    return session.exec(wanted).one() >= MOST


def _about(session: ScopedSession, told: MailRecipient, kind: str, other: MailRecipient) -> None:
    if not is_told_enough(session, told, kind, other):
        planning.plan(session, told, planning.next_occasion(session, told, f"{kind}-{other.id}"))
