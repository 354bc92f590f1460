"""Convening: a meeting is written down with the mail that convenes it, its members and alternates, guests, questions.

The mail is one of kind ``convocation`` like any other, drafted, changed and sent by ``flows.mail.intake``; its message is
composed here, since it must say the day, the place and the agenda (CGCT, L. 2121-10). Members who asked for paper are noted
apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import col, select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.intake import Received
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.mail import intake
from flows.mail.convening import assemblies, delays, meetings, rules
from flows.mail.convening.delays import Case
from flows.mail.convening.models import Assembly, AssemblyMember, Convened, Meeting, MeetingQuestion, QuestionAnswer
from flows.mail.convening.wording import minute_in_words
from flows.mail.intake import Addressed, Draft
from flows.mail.keeping import DOCUMENT, files_of
from flows.mail.models import Mail, MailRecipient, Place

_t = Catalogue("flows.mail.convening")
_MEMBER = "member:"
LONGEST_AGENDA, LONGEST_URGENCY, LONGEST_QUESTION, MOST_QUESTIONS = 20_000, 1000, 500, 20


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who is told of the meeting and does not vote."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Convocation:
    """A meeting as a clerk writes it.

    Attributes:
        starts: when it begins; aware.
        agenda: the questions, a line each.
        place: where; that of the assembly when empty.
        case: why its delay is what it is; ``urgency`` says why it is urgent, in that case only.
        message: further words of the mail, may be empty.
        sender, reply_to: as in ``flows.mail.intake.Draft``.
        questions: put to the members beforehand.
        documents: the convocation first, then the *note de synthèse* and annexes; kept in the object store already.
        note: digest of the document that is the *note de synthèse*; empty when there is none.
    """

    assembly_id: str
    starts: datetime
    agenda: str
    place: str = ""
    case: Case = Case.USUAL
    urgency: str = ""
    message: str = ""
    sender: str = ""
    reply_to: str = ""
    guests: tuple[Guest, ...] = ()
    questions: tuple[str, ...] = ()
    documents: tuple[KeptFile, ...] = ()
    note: str = ""


def convene(platform: Platform, principal: Principal, wanted: Convocation, idempotency_key: str | None = None) -> Received:
    """Write a convocation down as a draft; ``flows.mail.intake.send`` has it leave once rules M09 and M10 are satisfied.

    Raises:
        NotFound: there is no such assembly, or the principal does not see it.
        Forbidden: they may not send for its organisation.
        UsageError: something of it cannot be, an address for example.
        Conflict: the assembly meets no more; the key was used for another content.
    """
    assembly, members = _called(platform, principal, wanted)
    draft = _draft(assembly, members, wanted)
    return intake.compose(platform, principal, draft, idempotency_key, also=_writer(assembly, members, wanted))


def change(platform: Platform, principal: Principal, dossier_id: str, wanted: Convocation) -> None:
    """Put another content in the place of that of a convocation which has not left: its members are those of today.

    Raises:
        NotFound, Forbidden, UsageError: as ``convene``.
        Conflict: it has left. An annex may follow it (``lateness``); another agenda is another convocation.
    """
    with platform.database.reading(principal) as session:
        kept = meetings.meeting_of(session, dossier_id)
        dossier = session.get_one(Dossier, dossier_id)
    if dossier.state != "draft":
        raise Conflict(_t("frozen"))
    assembly, members = _called(platform, principal, replace(wanted, assembly_id=kept.assembly_id))
    draft = _draft(assembly, members, wanted)
    intake.change(platform, principal, dossier_id, draft, also=_writer(assembly, members, wanted))


def written(platform: Platform, principal: Principal, dossier_id: str) -> Convocation:
    """Return a convocation as it was written, to be changed, or to be followed by another one.

    Raises:
        NotFound: there is none, or the principal does not see it.
    """
    with platform.database.reading(principal) as session:
        known = meetings.convocation_of(session, dossier_id)
        facts = session.get_one(Dossier, dossier_id).facts
        files = files_of(session, dossier_id, DOCUMENT)
        kept = tuple(KeptFile(one.role, one.name, one.media_type, one.sha256, one.size) for one in files)
    return Convocation(
        assembly_id=known.assembly.id,
        starts=known.meeting.starts,
        agenda=known.meeting.agenda,
        place=known.meeting.place,
        case=meetings.case_of(known.meeting),
        urgency=known.meeting.urgency,
        message=_message_of(known.meeting, known.mail.body),
        sender=known.mail.sender,
        reply_to=known.mail.reply_to,
        guests=tuple(Guest(seat.recipient.address, seat.recipient.name) for seat in known.seats if seat.member is None),
        questions=tuple(question.text for question in known.questions),
        documents=kept,
        note=facts.get(rules.NOTE, ""),
    )


def another(platform: Platform, principal: Principal, dossier_id: str) -> Convocation:
    """Return what another convocation of the same meeting begins with: all but the documents, which must say the new agenda.

    Raises:
        NotFound: as ``written``.
    """
    return replace(written(platform, principal, dossier_id), documents=(), note="")


def _called(platform: Platform, principal: Principal, wanted: Convocation) -> tuple[Assembly, list[AssemblyMember]]:
    """Return the assembly and everybody in office on the day of the meeting."""
    _check(wanted)
    with platform.database.reading(principal) as session:
        assembly = assemblies.assembly_of(session, wanted.assembly_id)
        members = meetings.members_of(session, assembly.id, clock.in_paris(wanted.starts).date())
    principal.require(Right.DEPOSIT, assembly.organisation_id)
    if assembly.closed is not None:
        raise Conflict(_t("assembly.closed"))
    if wanted.place and len(wanted.place) > assemblies.LONGEST_PLACE:
        raise UsageError(_t("assembly.place", most=assemblies.LONGEST_PLACE))
    return assembly, members


def _check(wanted: Convocation) -> None:
    if len(wanted.agenda) > LONGEST_AGENDA:
        raise UsageError(_t("agenda.long", most=LONGEST_AGENDA))
    if wanted.case is Case.URGENCY and not wanted.urgency.strip():
        raise UsageError(_t("urgency.reason"))
    if len(wanted.urgency) > LONGEST_URGENCY:
        raise UsageError(_t("urgency.long", most=LONGEST_URGENCY))
    if len(wanted.questions) > MOST_QUESTIONS or any(not 0 < len(one.strip()) <= LONGEST_QUESTION for one in wanted.questions):
        raise UsageError(_t("question.wrong", most=MOST_QUESTIONS, longest=LONGEST_QUESTION))


def _draft(assembly: Assembly, members: Sequence[AssemblyMember], wanted: Convocation) -> Draft:
    told = [Addressed(one.address, one.name, source=f"{_MEMBER}{one.id}") for one in members if not one.paper]
    guests = [Addressed(one.address, one.name, Place.CC) for one in wanted.guests]
    return Draft(
        assembly.organisation_id,
        "convocation",
        subject_of(assembly, wanted),
        body_of(assembly, wanted),
        wanted.sender,
        wanted.reply_to,
        recipients=(*told, *guests),
        documents=wanted.documents,
    )


def subject_of(assembly: Assembly, wanted: Convocation) -> str:
    """Return the subject of a convocation."""
    return _t("subject", assembly=assembly.name, moment=minute_in_words(wanted.starts))


def body_of(assembly: Assembly, wanted: Convocation) -> str:
    """Return the message of a convocation: what the law wants it to say, then what the clerk adds."""
    place = _in_one_line(wanted.place) or assembly.place
    # As many paragraphs as ``_message_of`` counts; none of them holds an empty line.
    parts = [_t("body", assembly=assembly.name, moment=minute_in_words(wanted.starts))]
    if place:
        parts.append(_t("body.place", place=place))
    if wanted.case is not Case.USUAL:
        parts.append(_t(f"body.{wanted.case.value}", reason=_in_one_line(wanted.urgency)))
    parts.append("\n".join((_t("body.agenda"), *(f"– {line}" for line in agenda_lines(wanted.agenda)))))
    if wanted.message.strip():
        parts.append(wanted.message.strip())
    return "\n\n".join(parts)


def _message_of(meeting: Meeting, body: str) -> str:
    """Return what the clerk added to the message of a convocation: it is kept nowhere else, and goes with the message."""
    composed = 2 + bool(meeting.place) + (meetings.case_of(meeting) is not Case.USUAL)
    return "\n\n".join(body.split("\n\n")[composed:])


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def agenda_lines(agenda: str) -> Iterator[str]:
    """Yield the questions of an agenda."""
    yield from (line.strip() for line in agenda.splitlines() if line.strip())


def _writer(assembly: Assembly, members: Sequence[AssemblyMember], wanted: Convocation) -> intake.Also:
    """Return what writes a meeting in the transaction that writes its mail."""

    def write(session: ScopedSession, mail: Mail, recipients: list[MailRecipient]) -> None:
        _forget(session, mail.dossier_id)
        meeting = session.exec(select(Meeting).where(Meeting.dossier_id == mail.dossier_id)).first()
        meeting = meeting or Meeting(
            dossier_id=mail.dossier_id, organisation_id=mail.organisation_id, assembly_id=assembly.id, starts=wanted.starts
        )
        _set(meeting, assembly, members, wanted)
        session.add(meeting)
        dossier = session.get_one(Dossier, mail.dossier_id)
        dossier.facts = {**dossier.facts, rules.NOTE: wanted.note}
        session.add(dossier)
        for one in recipients:
            kind, _, member_id = one.source.partition(":")
            seat = Convened(recipient_id=one.id, organisation_id=mail.organisation_id, dossier_id=mail.dossier_id)
            seat.member_id = member_id if kind == "member" else None
            session.add(seat)
        for rank, text in enumerate(wanted.questions, 1):
            owner = mail.organisation_id
            session.add(MeetingQuestion(organisation_id=owner, dossier_id=mail.dossier_id, rank=rank, text=text.strip()))
        session.flush()

    return write


def _set(meeting: Meeting, assembly: Assembly, members: Sequence[AssemblyMember], wanted: Convocation) -> None:
    meeting.starts, meeting.place = clock.as_utc(wanted.starts), _in_one_line(wanted.place) or assembly.place
    meeting.agenda = wanted.agenda.strip()
    meeting.urgency = _in_one_line(wanted.urgency) if wanted.case is Case.URGENCY else ""
    meeting.second, meeting.renewal = wanted.case is Case.SECOND, wanted.case is Case.RENEWAL
    meeting.paper = [one.id for one in members if one.paper]
    rule = delays.rule_named(assembly.rule)
    meeting.last_day = delays.last_day(rule, assembly.days, wanted.starts, wanted.case)


def _forget(session: ScopedSession, dossier_id: str) -> None:
    """Take away who was convened and what was asked by an earlier form of a draft; nobody has answered it."""
    kept = session.exec(select(Convened).where(Convened.dossier_id == dossier_id)).all()
    questions = session.exec(select(MeetingQuestion).where(MeetingQuestion.dossier_id == dossier_id)).all()
    asked = [question.id for question in questions]
    answers = session.exec(select(QuestionAnswer).where(col(QuestionAnswer.question_id).in_(asked))).all() if asked else ()
    for one in (*answers, *kept):
        session.delete(one)
    session.flush()
    for question in questions:
        session.delete(question)
    session.flush()
