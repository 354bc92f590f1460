"""Who will be there: members answer until the meeting begins, by their own hand or by a clerk's who has them on the telephone.

What is answered is a forecast; who was there is what the sheet says (``sheet``). Each change is an event. What a proxy may be:
``proxies``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlmodel import Session, select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.mail import events
from flows.mail.convening import meetings, proxies, telling
from flows.mail.convening.meetings import Convocation, Seat
from flows.mail.convening.models import Assembly, Convened, Meeting, Presence, QuestionAnswer
from flows.mail.events import EventKind
from flows.mail.keeping import recipients_of
from flows.mail.models import MailRecipient

_t = Catalogue("flows.mail.convening")
ANSWERS = ("yes", "no", "abstention")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what the member answered: one of ``ANSWERS``, or nothing yet."""

    id: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class AttendanceForm:
    """What somebody who is convened may answer.

    Attributes:
        assembly: its name.
        open: answers are taken; else ``closed`` says why not.
        presence: as it stands; ``choices`` what may be chosen, each a word of ``presence.<value>`` in this room's catalogue.
        proxy_to: the recipient who votes for them; None when they gave no proxy.
        receivers: to whom they may give one, in the order of the table.
        held: names of those whose proxy they hold.
        questions: put to the members; none for a guest.
    """

    meeting: Meeting
    assembly: str
    open: bool
    closed: str
    presence: Presence
    choices: tuple[Presence, ...]
    proxy_to: str | None
    receivers: tuple[proxies.Receiver, ...]
    held: tuple[str, ...]
    questions: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody answers.

    Attributes:
        proxy_to: recipient who votes for them, with ``Presence.PROXY`` only.
        answers: one of ``ANSWERS`` by question; nothing takes an answer back; questions that are not there keep theirs.
    """

    presence: Presence
    proxy_to: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)


def presence_form(session: Session, recipient: MailRecipient) -> AttendanceForm | None:
    """Return what a recipient may answer; None when their mail convenes nobody, or came to them for another reason."""
    convened = session.get(Convened, recipient.id)
    if convened is None:
        return None
    known = meetings.convocation_of(session, recipient.dossier_id)
    seat = known.seat(recipient.id)
    closed = _closed(known)
    return AttendanceForm(
        meeting=known.meeting,
        assembly=known.assembly.name,
        open=not closed,
        closed=closed,
        presence=Presence(convened.presence),
        choices=choices(seat, known.assembly),
        proxy_to=convened.proxy_to,
        receivers=tuple(proxies.receivers(known, seat)),
        held=tuple(giver.name for giver in proxies.givers(known.seats, recipient.id)),
        questions=tuple(_asked(session, known, seat)),
    )


def choices(seat: Seat, assembly: Assembly) -> tuple[Presence, ...]:
    """Return what somebody may choose in an assembly."""
    remote = (Presence.REMOTE,) if assembly.remote else ()
    proxy = (Presence.PROXY,) if assembly.proxies and seat.votes else ()
    return (Presence.PRESENT, *remote, Presence.ABSENT, *proxy)


def attend(
    platform: Platform,
    recipient_id: str,
    presence: Presence | str,
    proxy_to: str | None = None,
    answers: Mapping[str, str] | None = None,
    *,
    clerk: Principal | None = None,
) -> tuple[str, ...]:
    """Take the answer of somebody who is convened, in place of an earlier one.

    Args:
        platform: which.
        recipient_id: whose.
        presence: one of ``choices``.
        proxy_to: as in ``Reply``.
        answers: as in ``Reply``.
        clerk: who writes it down for them, with the right to deposit; the recipient themselves when there is none.

    Returns:
        What they should know all the same, in sentences.

    Raises:
        NotFound: nobody of that name is convened.
        Forbidden: the clerk may not answer there.
        UsageError: what was chosen cannot be.
        Conflict: the meeting has begun, or was cancelled; another member gave a proxy to the same person first; or they gave
            theirs to this person, and took it back, too often: the clerk may still write it down.
    """
    reply = Reply(_presence(presence), proxy_to or None, answers or {})
    with platform.database.writing(clerk or PLATFORM) as session:
        known, seat = _locked(session, recipient_id)
        if clerk is not None:
            clerk.require(Right.DEPOSIT, known.meeting.organisation_id)
        closed = _closed(known)
        if closed:
            raise Conflict(closed)
        receiver = _checked(known, seat, reply)
        if clerk is None and receiver is not None:
            _require_news(session, seat, receiver)
        actor = clerk.actor if clerk else f"recipient:{recipient_id}"
        _present(session, known, seat, reply, actor)
        _answer(session, known, seat, reply.answers, actor)
        return tuple(_warnings(known, seat, reply, receiver))


def _locked(session: ScopedSession, recipient_id: str) -> tuple[Convocation, Seat]:
    """Return a convocation and a seat of it, once nobody else answers for the same meeting."""
    dossier_id = session.exec(select(Convened.dossier_id).where(Convened.recipient_id == recipient_id)).first()
    if dossier_id is None:
        raise NotFound(_t("recipient.unknown"))
    recipients_of(session, dossier_id, hold=True)
    known = meetings.convocation_of(session, dossier_id)
    return known, known.seat(recipient_id)


def _closed(known: Convocation) -> str:
    """Return why no answer is taken any more; nothing while one is."""
    if known.mail.cancelled is not None:
        return _t("closed.cancelled")
    if meetings.begun(known.meeting):
        return _t("closed.begun")
    return "" if known.mail.author else _t("closed.draft")


def _presence(told: Presence | str) -> Presence:
    try:
        return Presence(told)
    except ValueError as error:
        raise UsageError(_t("presence.missing")) from error


def _checked(known: Convocation, seat: Seat, reply: Reply) -> Seat | None:
    """Return who is to vote for them, if anybody is.

    Raises:
        UsageError, Conflict: as ``attend``.
    """
    if reply.presence is Presence.PROXY:
        return proxies.receiver_of(known, seat, reply.proxy_to)
    if reply.presence not in choices(seat, known.assembly):
        raise UsageError(_t("presence.missing"))
    return None


def _require_news(session: ScopedSession, seat: Seat, receiver: Seat) -> None:
    """Go on only if whoever is given a proxy has it already, or will be told."""
    given = seat.convened.proxy_to == receiver.recipient.id
    if not given and telling.is_told_enough(session, receiver.recipient, telling.GIVEN, seat.recipient):
        raise Conflict(_t("proxy.often", name=receiver.name, most=telling.MOST))


def _present(session: ScopedSession, known: Convocation, seat: Seat, reply: Reply, actor: str) -> None:
    convened = seat.convened
    before, former = convened.presence, convened.proxy_to
    wanted = reply.proxy_to if reply.presence is Presence.PROXY else None
    if (before, former) == (reply.presence.value, wanted):
        return
    convened.presence, convened.proxy_to, convened.answered = reply.presence.value, wanted, clock.now()
    session.add(convened)
    facts = {"presence": reply.presence.value, "proxy_to": wanted, "before": before, "before_proxy_to": former}
    events.record(session, seat.recipient, EventKind.PRESENCE, facts, actor=actor)
    if former and former != wanted:
        telling.proxy_undone(session, known.seat(former).recipient, seat.recipient)
    if wanted and wanted != former:
        telling.proxy_given(session, known.seat(wanted).recipient, seat.recipient)
    if reply.presence.value in proxies.AWAY and before not in proxies.AWAY:
        for giver in proxies.givers(known.seats, seat.recipient.id):
            telling.proxy_vacant(session, giver.recipient, seat.recipient)


def _answer(session: ScopedSession, known: Convocation, seat: Seat, answers: Mapping[str, str], actor: str) -> None:
    if not answers:
        return
    if seat.member is None:
        raise UsageError(_t("question.guest"))
    there = {question.id: question for question in known.questions}
    kept = {one.question_id: one for one in _answers(session, seat.recipient.id)}
    for question_id, answer in answers.items():
        if question_id not in there or answer not in {*ANSWERS, ""}:
            raise UsageError(_t("question.unknown"))
        _answered(session, seat, question_id, answer, kept.get(question_id), actor)


def _answered(session: ScopedSession, seat: Seat, question_id: str, answer: str, kept: QuestionAnswer | None, actor: str) -> None:
    before = kept.answer if kept else ""
    if answer == before:
        return
    if kept is not None and not answer:
        session.delete(kept)
    elif kept is not None:
        kept.answer, kept.at = answer, clock.now()
        session.add(kept)
    else:
        owner = seat.recipient.organisation_id
        session.add(QuestionAnswer(question_id=question_id, recipient_id=seat.recipient.id, organisation_id=owner, answer=answer))
    facts = {"question": question_id, "answer": answer, "before": before}
    events.record(session, seat.recipient, EventKind.QUESTION, facts, actor=actor)


def _warnings(known: Convocation, seat: Seat, reply: Reply, receiver: Seat | None) -> Iterator[str]:
    if receiver is not None and receiver.convened.presence in proxies.AWAY:
        yield _t("proxy.away", name=receiver.name)
    if reply.presence.value in proxies.AWAY:
        for giver in proxies.givers(known.seats, seat.recipient.id):
            yield _t("proxy.held", name=giver.name)


def _asked(session: Session, known: Convocation, seat: Seat) -> Iterator[Asked]:
    if seat.member is None:
        return
    given = {one.question_id: one.answer for one in _answers(session, seat.recipient.id)}
    for question in known.questions:
        yield Asked(question.id, question.text, given.get(question.id, ""))


def _answers(session: Session, recipient_id: str) -> list[QuestionAnswer]:
    return list(session.exec(select(QuestionAnswer).where(QuestionAnswer.recipient_id == recipient_id)))
