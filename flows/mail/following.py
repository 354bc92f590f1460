"""Time that passes over a send: reminders, the end of its delays, its closing.

A reminder is a message of one occasion, hence leaves once. A send is closed when nothing more is awaited of anybody: every
recipient has come to an end, those who may still answer have answered or can no more; a convocation, the day after its meeting.
"""

from __future__ import annotations

from datetime import date, timedelta

import structlog
from sqlmodel import Session, col, func, select

from core import clock
from core.database import ScopedSession
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule, transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance
from flows.mail import events, planning, reached, settling
from flows.mail.convening.models import Meeting
from flows.mail.events import EventKind
from flows.mail.flow import MAIL
from flows.mail.keeping import ENDED, dossier_of, mail_of, recipients_of, terms_of
from flows.mail.models import Mail, MailNotice, MailRecipient, NoticeState, RecipientState

_log = structlog.get_logger()
ACTOR, QUEUE, EVERY = "mail.age", "cpu", timedelta(hours=1)
WAITING = "sent"
_REMINDER = "reminder"
_AT_ONCE = 200
_REMINDED = frozenset({RecipientState.HANDED, RecipientState.DELAYED})
_NEVER_TOLD = frozenset({RecipientState.WAITING, RecipientState.FAILED})
_UNSENT = (NoticeState.DUE.value, NoticeState.LEAVING.value)


def plan(platform: Platform) -> None:
    """Plan to look at every send again and again."""
    schedule.plan(platform.database, ACTOR, QUEUE, EVERY, key="all")


def age(platform: Platform, _key: str = "") -> None:
    """Recall, let expire and close what waits; one that makes trouble does not hold up the others.

    Raises:
        Exception: one of them could not be looked at: the last trouble.
    """
    last, trouble = "", None
    while found := _waiting(platform, last):
        for dossier_id in found:
            try:
                with platform.database.writing(PLATFORM) as session:
                    _age(session, dossier_id)
            except Exception as error:  # noqa: BLE001 - whatever it is, the sends of others wait behind this one
                _log.exception("mail.not_aged", dossier=dossier_id)
                trouble = error
        last = found[-1]
    if trouble is not None:
        raise trouble


def _waiting(platform: Platform, last: str) -> list[str]:
    waiting = Dossier.flow == "mail", Dossier.state == WAITING, ~col(Dossier.overtaken)
    wanted = select(Dossier.id).where(*waiting, col(Dossier.id) > last)
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(wanted.order_by(col(Dossier.id)).limit(_AT_ONCE)))


def _age(session: ScopedSession, dossier_id: str) -> None:
    recipients = recipients_of(session, dossier_id, hold=True)
    mail = mail_of(session, dossier_id)
    today = clock.in_paris(clock.now()).date()
    told = reached.told_on(session, dossier_id)
    over = _meeting_is_over(session, dossier_id, today)
    if mail.cancelled is None:
        for recipient in recipients:
            if recipient.state in ENDED or recipient.state in _NEVER_TOLD:
                continue
            day = told.get(recipient.id)
            last = reached.last_day(mail, day)
            if over or (last is not None and today > last):
                _expire(session, recipient, last)
            elif recipient.state in _REMINDED and day is not None:
                _recall(session, mail, recipient, day, today)
    session.flush()
    settle(session, dossier_id)


def _expire(session: ScopedSession, recipient: MailRecipient, last: date | None) -> None:
    settling.stand(session, recipient, RecipientState.EXPIRED)
    facts = {"withdraw_until": last.isoformat() if last else ""}
    events.record(session, recipient, EventKind.EXPIRED, facts)


def _recall(session: ScopedSession, mail: Mail, recipient: MailRecipient, told: date, today: date) -> None:
    """Plan the reminder whose day has come; of several that are late, the last one alone."""
    days = terms_of(mail).reminders
    due = [rank for rank, day in enumerate(sorted(days), start=1) if told + timedelta(days=day) <= today]
    if not due:
        return
    later = [f"{_REMINDER}-{rank}" for rank in range(due[-1], len(days) + 1)]
    known = select(MailNotice.id).where(MailNotice.recipient_id == recipient.id, col(MailNotice.occasion).in_(later))
    if session.exec(known).first() is None:
        planning.plan(session, recipient, later[0])


def settle(session: ScopedSession, dossier_id: str) -> bool:
    """Close a send in the session's transaction when nothing more is awaited of anybody; tell whether it was closed.

    The dossier is held first: of two whose acts end it at the same moment, the second sees what the first did. One that a
    restored backup has as it was is closed once an operator has resumed it.
    """
    session.flush()
    dossier = dossier_of(session, dossier_id, hold=True)
    if dossier.state != WAITING or dossier.overtaken:
        return False
    mail = mail_of(session, dossier_id)
    if not _is_over(session, mail):
        return False
    counts = _counts(session, dossier_id)
    events.record(session, mail, EventKind.CLOSED, {"recipients": counts})
    return transitions.signal(session, MAIL, dossier_id, "finished", Advance("finished", journal={"recipients": counts}))


def _is_over(session: Session, mail: Mail) -> bool:
    today = clock.in_paris(clock.now()).date()
    if mail.cancelled is not None:
        return not _cancelling(session, mail.dossier_id)
    if (meeting := _meeting(session, mail.dossier_id)) is not None:
        return today > clock.in_paris(meeting.starts).date()
    left = {RecipientState(state) for state in _counts(session, mail.dossier_id)} - ENDED
    if left - _NEVER_TOLD or _telling(session, mail.dossier_id):
        return False
    if left and today <= _last_chance(session, mail):
        return False
    awaited = mail.answers and _counts(session, mail.dossier_id).get(RecipientState.WITHDRAWN.value, 0)
    return not awaited or mail.readable_until is None or today > mail.readable_until


def _last_chance(session: Session, mail: Mail) -> date:
    """Return the last day on which the sender may still mend an address."""
    if mail.withdraw_until is not None:
        return mail.withdraw_until
    since = clock.in_paris(dossier_of(session, mail.dossier_id).since).date()
    return since + timedelta(days=terms_of(mail).withdraw_days)


def _telling(session: Session, dossier_id: str) -> bool:
    """Tell whether a first word still has to leave for somebody who waits for it: they have their days once it did."""
    occasion = col(MailNotice.occasion)
    wanted = (
        select(MailNotice.id)
        .join(MailRecipient, col(MailRecipient.id) == col(MailNotice.recipient_id))
        .where(MailNotice.dossier_id == dossier_id, col(MailNotice.state).in_(_UNSENT))
        .where((occasion == "notice") | occasion.startswith("again-"), MailRecipient.state == RecipientState.WAITING.value)
    )
    return session.exec(wanted).first() is not None


def _cancelling(session: Session, dossier_id: str) -> bool:
    wanted = select(MailNotice.id).where(
        MailNotice.dossier_id == dossier_id, MailNotice.occasion == "cancellation", col(MailNotice.state).in_(_UNSENT)
    )
    return session.exec(wanted).first() is not None


def _meeting(session: Session, dossier_id: str) -> Meeting | None:
    return session.exec(select(Meeting).where(Meeting.dossier_id == dossier_id)).first()


def _meeting_is_over(session: Session, dossier_id: str, today: date) -> bool:
    meeting = _meeting(session, dossier_id)
    return meeting is not None and today > clock.in_paris(meeting.starts).date()


def _counts(session: Session, dossier_id: str) -> dict[str, int]:
    """Return how many recipients stand in each state."""
    wanted = select(MailRecipient.state, func.count()).where(MailRecipient.dossier_id == dossier_id)
    return dict(session.exec(wanted.group_by(col(MailRecipient.state))).all())
