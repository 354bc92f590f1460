"""What time does to a convocation: those who did not answer are reminded, those whom nothing reaches are pointed out.

When it closes is decided with the other sends (``flows.mail.following``). Run again and again: each reminder is planned once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from core import clock
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule
from flows.engine.models import Dossier
from flows.mail import planning, reached
from flows.mail.convening import delays, meetings
from flows.mail.convening.meetings import Convocation, Seat
from flows.mail.convening.models import Meeting, Presence
from flows.mail.keeping import recipients_of
from flows.mail.models import Mail, RecipientState

ACTOR, QUEUE, EVERY = "mail.remind_meetings", "cpu", timedelta(minutes=10)
FIRST, SECOND = "answer-1", "answer-2"
_UNREACHED = frozenset({RecipientState.WAITING, RecipientState.DELAYED, RecipientState.FAILED})
_GONE = frozenset({RecipientState.REFUSED, RecipientState.REVOKED, RecipientState.FAILED})
_SOON = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Alert:
    """Members whom the convocation did not reach, though its last day is near or over.

    Attributes:
        seats: those whom nothing reached yet.
        late: those whose mail left after the last day.
        over: the last day is over: a court could quash what is decided.
    """

    last_day: date
    seats: tuple[Seat, ...]
    late: tuple[Seat, ...]
    over: bool


def plan(platform: Platform) -> None:
    """Plan to look at every meeting again and again."""
    schedule.plan(platform.database, ACTOR, QUEUE, EVERY, key="all")


def remind(platform: Platform, _key: str = "") -> None:
    """Remind those who did not answer, for every meeting that is to come."""
    now = clock.now()
    coming = (
        select(Meeting.dossier_id)
        .join(Mail, col(Mail.dossier_id) == col(Meeting.dossier_id))
        .join(Dossier, col(Dossier.id) == col(Meeting.dossier_id))
        .where(col(Meeting.starts) > now, col(Mail.sent).is_not(None), col(Mail.cancelled).is_(None), Dossier.state == "sent")
    )
    with platform.database.reading(PLATFORM) as session:
        every = [meetings.convocation_of(session, one) for one in session.exec(coming.order_by(col(Meeting.starts)))]
    for known in every:
        if occasion := occasion_at(known, now):
            _recall(platform, known.meeting.dossier_id, occasion)


def _recall(platform: Platform, dossier_id: str, occasion: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        recipients_of(session, dossier_id, hold=True)
        for seat in _silent(tuple(meetings.seats_of(session, dossier_id))):
            planning.plan(session, seat.recipient, occasion)


def occasion_at(known: Convocation, now: datetime) -> str:
    """Return the reminder whose time has come; the last one only, when both would be late, and none once the meeting begins.

    The first is due at half of the time between the sending and the meeting, the second ``Assembly.reminder`` hours before it.
    """
    sent, starts, hours = known.mail.sent, known.meeting.starts, known.assembly.reminder
    if sent is None or not sent <= now < starts or not hours:
        return ""
    if now >= starts - timedelta(hours=hours):
        return SECOND
    return FIRST if now >= sent + (starts - sent) / 2 else ""


def alert(session: Session, known: Convocation) -> Alert | None:
    """Return who was not reached in time, or may not be; None when there is nothing to do about it now."""
    meeting = known.meeting
    if known.mail.cancelled is not None or not known.mail.author or meeting.last_day is None or meetings.begun(meeting):
        return None
    today = clock.in_paris(clock.now()).date()
    voting = [seat for seat in known.seats if seat.member is not None]
    unreached = tuple(seat for seat in voting if seat.recipient.state in _UNREACHED)
    left = reached.first_accepted(session, meeting.dossier_id, reached.CONVENING)
    late = tuple(
        seat for seat in voting if (moment := left.get(seat.recipient.id)) and not delays.in_time(meeting.last_day, moment)
    )
    if not late and not (unreached and today >= meeting.last_day - _SOON):
        return None
    return Alert(meeting.last_day, unreached, late, today > meeting.last_day)


def _silent(seats: Sequence[Seat]) -> Iterator[Seat]:
    for seat in seats:
        if seat.convened.presence == Presence.UNKNOWN and seat.recipient.state not in _GONE:
            yield seat
