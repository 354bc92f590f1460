"""Planning a message: once for a recipient on an occasion, however often it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from core import clock
from flows.engine import schedule
from flows.mail import links
from flows.mail.models import MailNotice, MailRecipient, NoticeState

ACTOR, QUEUE, KEY = "mail.post", "remote.mail", "due"


def plan(
    session: Session,
    recipient: MailRecipient,
    occasion: str,
    not_before: datetime | None = None,
    linked: bool = True,
) -> MailNotice:
    """Plan a message in the session's transaction, or return the one that was planned for the same occasion.

    Args:
        session: one that may write for the organisation.
        recipient: to whom it goes, at the address that they have now; its row is held.
        occasion: ``notice``, ``reminder-1``, ``again-2``, ``addition-<id>``, ``cancellation``, ``code-3``.
        not_before: it does not leave before; at once when not given.
        linked: it bears a link of its own, which is made when the message is composed.
    """
    known = select(MailNotice).where(MailNotice.recipient_id == recipient.id, MailNotice.occasion == occasion)
    if (found := session.exec(known).first()) is not None:
        return found
    notice = _notice(recipient, occasion, not_before, linked)
    session.add(notice)
    session.flush()
    if not_before is None:
        schedule.hasten(session, ACTOR, KEY)
    return notice


def plan_all(session: Session, recipients: Sequence[MailRecipient], occasion: str, *, linked: bool = True) -> None:
    """Plan a message to several recipients of one send, as ``plan`` does for one."""
    if not recipients:
        return
    known = select(MailNotice.recipient_id).where(
        MailNotice.dossier_id == recipients[0].dossier_id, MailNotice.occasion == occasion
    )
    planned = set(session.exec(known))
    session.add_all([_notice(one, occasion, None, linked) for one in recipients if one.id not in planned])
    session.flush()
    schedule.hasten(session, ACTOR, KEY)


def waiting(session: Session, recipient: MailRecipient) -> MailNotice | None:
    """Return the notice that still has to leave for a recipient, and hasten it; None when there is none."""
    occasion = col(MailNotice.occasion)
    due = select(MailNotice).where(
        MailNotice.recipient_id == recipient.id,
        MailNotice.state == NoticeState.DUE.value,
        MailNotice.address == recipient.address,
        (occasion == "notice") | occasion.startswith("again-"),
    )
    notice = session.exec(due.order_by(col(MailNotice.id)).with_for_update()).first()
    if notice is not None:
        notice.not_before = min(notice.not_before, clock.now())
        session.add(notice)
        schedule.hasten(session, ACTOR, KEY)
    return notice


def next_occasion(session: Session, recipient: MailRecipient, stem: str) -> str:
    """Return the next occasion of a kind that may come several times: ``again-1``, then ``again-2``."""
    alike = select(MailNotice.occasion).where(
        MailNotice.recipient_id == recipient.id, col(MailNotice.occasion).startswith(f"{stem}-", autoescape=True)
    )
    return f"{stem}-{len(session.exec(alike).all()) + 1}"


def _notice(recipient: MailRecipient, occasion: str, not_before: datetime | None, linked: bool) -> MailNotice:
    return MailNotice(
        organisation_id=recipient.organisation_id,
        dossier_id=recipient.dossier_id,
        recipient_id=recipient.id,
        occasion=occasion,
        address=recipient.address,
        envelope=links.new_envelope(),
        linked=linked,
        not_before=not_before or clock.now(),
    )
