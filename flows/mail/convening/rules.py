"""Rules M09 and M10: the convocation of a meeting, and whoever must be convened to it. Held before anything leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlmodel import Session, col, select

from core import clock
from core.messages import Catalogue
from core.problems import Problem, problem_in_words
from flows.engine.models import Dossier, DossierFile
from flows.mail.convening import delays, meetings
from flows.mail.convening.models import Assembly, AssemblyMember, Convened, Meeting
from flows.mail.convening.wording import day_in_words, delay_in_words, minute_in_words
from flows.mail.models import Mail, MailRecipient

_t = Catalogue("flows.mail.convening")
DOCUMENT = "document"
NOTE = "note"


def problems(session: Session, mail: Mail, recipients: Sequence[MailRecipient]) -> list[Problem]:
    """Return everything that keeps a convocation from leaving now; nothing for a mail that convenes nobody.

    Args:
        session: one that sees the organisation.
        mail: the send, of any kind.
        recipients: of it.
    """
    meeting = session.exec(select(Meeting).where(Meeting.dossier_id == mail.dossier_id)).first()
    if meeting is None:
        return [_said("M09", "nothing")] if mail.kind == "convocation" else []
    assembly = session.get_one(Assembly, meeting.assembly_id)
    return [*_of_the_meeting(session, meeting, assembly), *_of_the_people(session, meeting, recipients)]


def _of_the_meeting(session: Session, meeting: Meeting, assembly: Assembly) -> Iterator[Problem]:
    now = clock.now()
    if meeting.starts <= now:
        yield _said("M09", "past", found=minute_in_words(meeting.starts))
    elif sum((bool(meeting.urgency), meeting.second, meeting.renewal)) > 1:
        yield _said("M09", "combined")
    else:
        yield from _delay(session, meeting, assembly)
    if not meeting.agenda.strip():
        yield _said("M09", "agenda")
    yield from _documents(session, meeting, assembly)


def _delay(session: Session, meeting: Meeting, assembly: Assembly) -> Iterator[Problem]:
    case, today = meetings.case_of(meeting), clock.in_paris(clock.now()).date()
    rule = delays.rule_named(assembly.rule)
    delay = delays.delay_of(rule, assembly.days, case)
    last = delay.last_day(meetings.day_of(meeting))
    if today > last:
        variant = "urgent" if case is delays.Case.URGENCY else "late"
        places = {"delay": delay_in_words(delay), "article": delay.article or _t("article.statutes"), "last": day_in_words(last)}
        yield _said("M09", variant, found=day_in_words(today), places=places)
    if case is delays.Case.SECOND:
        first = _meeting_before(session, meeting)
        if first is not None and meetings.day_of(first) > last:
            places = {"article": delay.article or _t("article.statutes"), "delay": delay_in_words(delay)}
            yield _said("M09", "apart", found=minute_in_words(first.starts), places=places)


def _meeting_before(session: Session, meeting: Meeting) -> Meeting | None:
    """Return the last meeting of the assembly before this one that was convened and not cancelled."""
    earlier = (
        select(Meeting)
        .join(Mail, col(Mail.dossier_id) == col(Meeting.dossier_id))
        .where(Meeting.assembly_id == meeting.assembly_id, col(Meeting.starts) < meeting.starts)
        .where(col(Mail.sent).is_not(None), col(Mail.cancelled).is_(None))
        .order_by(col(Meeting.starts).desc())
        .limit(1)
    )
    return session.exec(earlier).first()


def _documents(session: Session, meeting: Meeting, assembly: Assembly) -> Iterator[Problem]:
    wanted = select(DossierFile).where(DossierFile.dossier_id == meeting.dossier_id, DossierFile.role == DOCUMENT)
    kept = list(session.exec(wanted))
    if not kept:
        yield _said("M09", "document")
    elif assembly.note and not has_note(session.get_one(Dossier, meeting.dossier_id), kept):
        yield _said("M09", "note")


def has_note(dossier: Dossier, kept: Sequence[DossierFile]) -> bool:
    """Tell whether one of the documents is the *note de synthèse*."""
    return dossier.facts.get(NOTE) in {one.sha256 for one in kept}


def _of_the_people(session: Session, meeting: Meeting, recipients: Sequence[MailRecipient]) -> Iterator[Problem]:
    every = meetings.members_of(session, meeting.assembly_id)
    by_id = {member.id: member for member in every}
    wanted = select(Convened).where(Convened.dossier_id == meeting.dossier_id)
    seats = {seat.recipient_id: seat.member_id for seat in session.exec(wanted)}
    told = {member_id for member_id in seats.values() if member_id}
    day = meetings.day_of(meeting)
    due = [member for member in every if meetings.in_office(member, day)]
    if not any(member.alternate_of is None for member in due):
        yield _said("M10", "nobody")
    for member in due:
        yield from _of_a_member(member, meeting, member.id in told)
    for recipient in recipients:
        member_id = seats.get(recipient.id)
        if recipient.id not in seats:
            yield _said("M10", "stranger", path=recipient.address)
        elif member_id is not None:
            yield from _of_a_recipient(recipient, by_id.get(member_id), due)


def _of_a_member(member: AssemblyMember, meeting: Meeting, told: bool) -> Iterator[Problem]:
    on_paper = member.id in meeting.paper
    if member.paper and not on_paper:
        yield _said("M10", "paper", path=member.name)
    elif not member.paper and not told:
        yield _said("M10", "alternate" if member.alternate_of else "missing", path=member.name)


def _of_a_recipient(recipient: MailRecipient, member: AssemblyMember | None, due: Sequence[AssemblyMember]) -> Iterator[Problem]:
    if member is None or member not in due:
        yield _said("M10", "inactive", path=recipient.name or recipient.address)
    elif recipient.normal != member.normal:
        yield _said("M10", "address", path=member.name, found=recipient.address, expected=member.address)


def _said(rule: str, variant: str, **more: object) -> Problem:
    return problem_in_words(_t, rule, variant, **more)  # type: ignore[arg-type]
