"""Telling senders, without their having to look: whom a send does not reach, and each morning what became of their sends.

    occasion     when                                                              about
    failed       at once                                                           recipients who came to stand FAILED
    deadline     on the last day of a convocation and the day before, from 8:00    members whom it has not reached yet
    summary      each morning from 8:00 (Paris)                                    withdrawn, answered, refused, expired

Only a person is told, who is not suspended, does not refuse mail, and may still read the send. What is told is written down
before the message leaves (``alerts``): a process that dies in between may leave something untold, and tells nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage
from functools import partial
from itertools import groupby
from typing import Generic, TypeVar

import structlog
from sqlalchemy import and_, or_
from sqlmodel import Session, col, select
from ulid import ULID

from connectors.mail.client import Mailer, mailer
from connectors.mail.errors import AddressRefused, MailUnavailable, MessageRefused
from core import clock
from core.errors import TabellionError
from core.messages import speaking
from core.people import Person, principal_of
from core.platform import Platform
from core.principal import PLATFORM, Right
from flows.engine import schedule
from flows.engine.models import Dossier
from flows.mail import alert_letter, alerts, composing
from flows.mail.alert_letter import News, Unreached
from flows.mail.alerts import Due
from flows.mail.convening import meetings
from flows.mail.convening.models import Convened, Meeting
from flows.mail.events import EventKind
from flows.mail.models import Mail, MailEvent, MailRecipient, RecipientState
from flows.notices import readers, root_of

_log = structlog.get_logger()
ACTOR, QUEUE, EVERY = "mail.alert", "remote.mail", timedelta(minutes=5)
_MORNING = time(8)
_UNTIL = time(7, 55)  # of a summary: whatever happened before has been committed by eight
_BACK = timedelta(days=7)
_IN_HAND = timedelta(minutes=30)
_DAY = timedelta(days=1)
_OPEN = ("ready", "sent")
_PERSON = "person:"
_NEWS = (EventKind.WITHDRAWN, EventKind.ANSWERED, EventKind.REFUSED, EventKind.EXPIRED)
_SLOW = (RecipientState.WAITING.value, RecipientState.DELAYED.value)
_Said = TypeVar("_Said", Unreached, News)


@dataclass(frozen=True, slots=True)
class _Told(Generic[_Said]):
    """What is to be told of a send, and under which occasions that is kept."""

    said: _Said
    occasions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Letter:
    """A letter to a person, and what it tells them."""

    person: Person
    due: tuple[Due, ...]
    write: Callable[[], EmailMessage]


def plan(platform: Platform) -> None:
    """Plan to look at what senders are to be told, again and again."""
    schedule.plan(platform.database, ACTOR, QUEUE, EVERY, key="all")


def alert(platform: Platform, _key: str = "") -> None:
    """Tell senders what they have not been told yet. Without a mail server, the pages tell it.

    Raises:
        MailUnavailable, MessageRefused: what certainly has not left is told later.
        CertificateRefused, LoginRefused: nothing has left, and nothing is written down.
        Misconfigured: the server's address does not read, or there is no address to send from.
    """
    if not platform.settings.smtp_url.get_secret_value():
        return
    server = composing.server_of(platform.settings)
    with platform.database.reading(PLATFORM) as session:
        letters = list(_letters(session, platform.settings.mail_from, root_of(platform.settings)))
    if not letters:
        return
    trouble = None
    with mailer(server) as post:
        for letter in letters:
            trouble = _send(platform, post, letter) or trouble
    if trouble is not None:
        raise trouble


def _send(platform: Platform, post: Mailer, letter: _Letter) -> TabellionError | None:
    """Send a letter; return the trouble of one that certainly has not left.

    Raises:
        MailUnavailable: the server hung up: nobody knows whether it has the letter, which is not sent again.
    """
    with speaking(letter.person.language or "fr"):
        message = letter.write()
    kept = alerts.claim(platform.database, letter.person.id, letter.due)
    if not kept:
        return None
    try:
        post.send(message)
    except AddressRefused as error:
        _log.warning("mail.alert_refused", person=letter.person.id, reason=type(error).__name__)
    except (MessageRefused, MailUnavailable) as error:
        if not error.code:
            raise
        alerts.release(platform.database, kept)
        return error
    return None


def _letters(session: Session, sender: str, root: str) -> Iterator[_Letter]:
    here = clock.in_paris(clock.now())
    for person, unreached in _by_reader(session, _unreached(session, here)):
        first = sorted((one.said for one in unreached), key=lambda one: one.last_day or date.max)
        yield _Letter(person, _due(unreached), partial(alert_letter.unreached, person, first, here.date(), sender, root))
    if here.time() < _MORNING:
        return
    for person, news in _by_reader(session, _news(session, here.date())):
        yield _Letter(person, _due(news), partial(alert_letter.summary, person, [one.said for one in news], sender, root))


def _due(told: Sequence[_Told[_Said]]) -> tuple[Due, ...]:
    sends = ((one.said.mail, occasion) for one in told for occasion in one.occasions)
    return tuple(Due(mail.organisation_id, mail.dossier_id, occasion) for mail, occasion in sends)


def _by_reader(session: Session, told: Iterable[_Told[_Said]]) -> Iterator[tuple[Person, list[_Told[_Said]]]]:
    """Yield each author who is written to, with what is to be told of the sends that they may still read."""
    authors = defaultdict(list)
    for one in told:
        authors[_author(one.said.mail)].append(one)
    for person in readers(session, authors).values():
        principal = principal_of(session, person)
        if theirs := [one for one in authors[person.id] if principal.may(Right.READ, one.said.mail.organisation_id)]:
            yield person, theirs


def _author(mail: Mail) -> str:
    return mail.author.removeprefix(_PERSON)


def _unreached(session: Session, here: datetime) -> Iterator[_Told[Unreached]]:
    """Yield the sends of people with recipients of whom they were not told that they are not reached."""
    days = [here.date(), here.date() + _DAY] if here.time() >= _MORNING else []
    slow = and_(col(Meeting.last_day).in_(days), col(MailRecipient.state).in_(_SLOW))
    wanted = (
        select(Mail, MailRecipient, Dossier, Meeting)
        .join(MailRecipient, col(MailRecipient.dossier_id) == col(Mail.dossier_id))
        .join(Dossier, col(Dossier.id) == col(Mail.dossier_id))
        .outerjoin(Meeting, col(Meeting.dossier_id) == col(Mail.dossier_id))
        .where(col(Mail.author).startswith(_PERSON), col(Mail.cancelled).is_(None), col(Dossier.state).in_(_OPEN))
        .where(or_(col(MailRecipient.state) == RecipientState.FAILED.value, slow))
        .order_by(col(Mail.dossier_id), col(MailRecipient.rank), col(MailRecipient.id))
    )
    rows = session.exec(wanted).all()
    sends = {mail.dossier_id for mail, *_ in rows}
    known = alerts.told(session, sends)
    convened = select(Convened.recipient_id).where(col(Convened.dossier_id).in_(sends), col(Convened.member_id).is_not(None))
    members = set(session.exec(convened))
    for _, group in groupby(rows, key=lambda row: row[0].dossier_id):
        held = list(group)
        mail, _, dossier, _ = held[0]
        meeting: Meeting | None = held[0][3]
        if meeting is not None and meetings.begun(meeting):
            continue
        stuck = [recipient for _, recipient, _, _ in held if not _in_hand(recipient, dossier)]
        occasions = known.get((_author(mail), mail.dossier_id), set())
        failed = {f"failed:{one.id}:{clock.iso(one.since)}": one for one in stuck if one.state == RecipientState.FAILED.value}
        fresh = {occasion: one for occasion, one in failed.items() if occasion not in occasions}
        last_day, deadline = meeting.last_day if meeting else None, f"deadline:{here.date()}"
        if last_day in days and deadline not in occasions and any(one.id in members for one in stuck):
            yield _Told(Unreached(mail, tuple(stuck), last_day), (deadline, *fresh))
        elif fresh:
            yield _Told(Unreached(mail, tuple(fresh.values()), last_day), tuple(fresh))


def _in_hand(recipient: MailRecipient, dossier: Dossier) -> bool:
    """Tell whether a notice is about to leave, or just did: that it has not arrived yet means nothing."""
    return recipient.state == RecipientState.WAITING.value and max(recipient.since, dossier.since) > clock.now() - _IN_HAND


def _news(session: Session, today: date) -> Iterator[_Told[News]]:
    """Yield the sends of people in which something happened since the last summary that told of them."""
    until = _end(today)
    oldest = until - _BACK
    wanted = (
        select(Mail, MailEvent)
        .join(MailEvent, col(MailEvent.dossier_id) == col(Mail.dossier_id))
        .where(col(MailEvent.id) >= str(ULID.from_datetime(oldest)), col(MailEvent.kind).in_(_NEWS))
        .where(col(MailEvent.at) >= oldest, col(MailEvent.at) < until, col(Mail.author).startswith(_PERSON))
        .order_by(col(Mail.dossier_id))
    )
    rows = session.exec(wanted).all()
    known = alerts.told(session, {mail.dossier_id for mail, _ in rows})
    for _, group in groupby(rows, key=lambda row: row[0].dossier_id):
        held = list(group)
        mail = held[0][0]
        last = _last_summary(known.get((_author(mail), mail.dossier_id), set()))
        since = _end(last) if last else oldest
        fresh = [event for _, event in held if event.at >= since]
        who = {kind.value: {event.recipient_id for event in fresh if event.kind == kind} for kind in _NEWS}
        counts = {kind: len(recipients) for kind, recipients in who.items() if recipients}
        if counts:
            yield _Told(News(mail, counts), (f"summary:{today}",))


def _last_summary(occasions: set[str]) -> date | None:
    days = [one.removeprefix("summary:") for one in occasions if one.startswith("summary:")]
    return date.fromisoformat(max(days)) if days else None


def _end(day: date) -> datetime:
    """Return the moment up to which the summary of a day tells."""
    return clock.as_utc(datetime.combine(day, _UNTIL, clock.PARIS))
