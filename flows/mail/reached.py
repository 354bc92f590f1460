"""When each recipient was told that something waits for them, and until when they may therefore withdraw it.

What counts is the first message that a mail server took for the address that the recipient has now, that did not come back, and
whose link was theirs to use: one that went to another address, that bounced, or whose link was closed while they were awaited,
told them nothing. Whoever is told later has their own days; but a meeting waits for nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta

from sqlmodel import Session, and_, col, exists, func, or_, select

from core import clock
from flows.mail.keeping import ENDED, terms_of
from flows.mail.kinds import Regime
from flows.mail.models import Mail, MailNotice, MailRecipient, MailReturn
from schemas.mail.report import What

TELLING = ("notice", "again", "reminder")
"""Kinds of messages that say that something waits; an addition or a code does not."""
CONVENING = ("notice", "again")


def first_accepted(
    session: Session, dossier_id: str, kinds: Collection[str] = TELLING, known_at: datetime | None = None
) -> dict[str, datetime]:
    """Return when each recipient of a send was first told, by identifier; who was not is left out.

    Args:
        session: that sees the send.
        dossier_id: of the send.
        kinds: of the messages that count, by the stem of their occasion.
        known_at: what came back, or was revoked, after this moment is as if it had not.
    """
    came_back = exists().where(col(MailReturn.notice_id) == col(MailNotice.id), col(MailReturn.what) == What.FAILED.value)
    if known_at is not None:
        came_back = came_back.where(col(MailReturn.received) <= known_at)
    # A link that is closed once its recipient has come to an end has served: it still dates what they were told.
    ended = and_(col(MailRecipient.state).in_(ENDED), col(MailNotice.revoked) >= col(MailRecipient.since))
    served = or_(col(MailNotice.revoked).is_(None), ended)
    if known_at is not None:
        served = or_(served, col(MailNotice.revoked) > known_at)
    counts = or_(
        *((col(MailNotice.occasion) == kind) | col(MailNotice.occasion).startswith(f"{kind}-", autoescape=True) for kind in kinds)
    )
    wanted = (
        select(MailNotice.recipient_id, func.min(MailNotice.accepted))
        .join(MailRecipient, col(MailRecipient.id) == col(MailNotice.recipient_id))
        .where(MailNotice.dossier_id == dossier_id, col(MailNotice.accepted).is_not(None), counts, served, ~came_back)
        .where(col(MailNotice.address) == col(MailRecipient.address))
        .group_by(col(MailNotice.recipient_id))
    )
    return {recipient_id: at for recipient_id, at in session.exec(wanted) if at is not None}


def told_on(session: Session, dossier_id: str, known_at: datetime | None = None) -> dict[str, date]:
    """Return the day, in Paris, on which each recipient was first told: from it their own delay runs."""
    told = first_accepted(session, dossier_id, known_at=known_at)
    return {recipient_id: clock.in_paris(at).date() for recipient_id, at in told.items()}


def last_day(mail: Mail, told: date | None) -> date | None:
    """Return the last day on which a recipient may withdraw: that of the send, or later when they were told later.

    That of a convocation is the day of its meeting, whenever its recipient was told of it.

    Args:
        mail: which was sent; None is returned before.
        told: the day on which they were; None when they were not.
    """
    if mail.withdraw_until is None or told is None:
        return mail.withdraw_until
    terms = terms_of(mail)
    if terms.regime is Regime.CGCT:
        return mail.withdraw_until
    return max(mail.withdraw_until, told + timedelta(days=terms.withdraw_days))


def readable_until(mail: Mail, told: date | None) -> date | None:
    """Return the last day on which the pages of a recipient open at all: never before their last day to withdraw."""
    last = last_day(mail, told)
    return mail.readable_until if mail.readable_until is None or last is None else max(mail.readable_until, last)
