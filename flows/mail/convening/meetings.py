"""A meeting and whoever is convened to it, as they are read; what the rest of the room asks again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from core import clock
from core.errors import NotFound
from core.messages import Catalogue
from flows.mail.convening.delays import Case
from flows.mail.convening.models import Assembly, AssemblyMember, Convened, Meeting, MeetingQuestion
from flows.mail.models import Mail, MailRecipient

_t = Catalogue("flows.mail.convening")


@dataclass(frozen=True, slots=True)
class Seat:
    """Somebody who is convened.

    Attributes:
        member: None for a guest.
    """

    recipient: MailRecipient
    convened: Convened
    member: AssemblyMember | None

    @property
    def votes(self) -> bool:
        """A member in office, who counts for the quorum and may give or hold a proxy; neither guest nor alternate."""
        return self.member is not None and self.member.alternate_of is None

    @property
    def name(self) -> str:
        """How they are called, by their address when nothing else is known."""
        return self.recipient.name or self.recipient.address


@dataclass(frozen=True, slots=True)
class Convocation:
    """A meeting with its mail, its assembly, and everybody who is convened by mail, in the order of the table."""

    meeting: Meeting
    mail: Mail
    assembly: Assembly
    seats: tuple[Seat, ...]
    questions: tuple[MeetingQuestion, ...]

    def seat(self, recipient_id: str) -> Seat:
        """Return the seat of a recipient.

        Raises:
            NotFound: nobody of that name is convened.
        """
        for seat in self.seats:
            if seat.recipient.id == recipient_id:
                return seat
        raise NotFound(_t("recipient.unknown"))


def meeting_of(session: Session, dossier_id: str) -> Meeting:
    """Return the meeting that a dossier convenes.

    Raises:
        NotFound: it convenes none, or is not seen by this session.
    """
    found = session.exec(select(Meeting).where(Meeting.dossier_id == dossier_id)).first()
    if found is None:
        raise NotFound(_t("meeting.unknown"))
    return found


def convocation_of(session: Session, dossier_id: str) -> Convocation:
    """Return all that is known of a meeting.

    Raises:
        NotFound: as ``meeting_of``.
    """
    meeting = meeting_of(session, dossier_id)
    return Convocation(
        meeting,
        session.get_one(Mail, dossier_id),
        session.get_one(Assembly, meeting.assembly_id),
        tuple(seats_of(session, dossier_id)),
        tuple(questions_of(session, dossier_id)),
    )


def seats_of(session: Session, dossier_id: str) -> Iterator[Seat]:
    """Yield everybody who is convened by mail, in the order of the table, guests last."""
    wanted = (
        select(MailRecipient, Convened, AssemblyMember)
        .join(Convened, col(Convened.recipient_id) == col(MailRecipient.id))
        .outerjoin(AssemblyMember, col(AssemblyMember.id) == col(Convened.member_id))
        .where(Convened.dossier_id == dossier_id)
        .order_by(col(MailRecipient.rank), col(MailRecipient.id))
    )
    for recipient, convened, member in session.exec(wanted):
        yield Seat(recipient, convened, member)


def questions_of(session: Session, dossier_id: str) -> list[MeetingQuestion]:
    """Return the questions put to the members, in order."""
    wanted = select(MeetingQuestion).where(MeetingQuestion.dossier_id == dossier_id)
    return list(session.exec(wanted.order_by(col(MeetingQuestion.rank))))


def members_of(session: Session, assembly_id: str, day: date | None = None) -> list[AssemblyMember]:
    """Return the members of an assembly and their alternates in the order of the table; those in office on a day, if given."""
    wanted = select(AssemblyMember).where(AssemblyMember.assembly_id == assembly_id)
    found = session.exec(wanted.order_by(col(AssemblyMember.rank), col(AssemblyMember.id)))
    return [member for member in found if day is None or in_office(member, day)]


def in_office(member: AssemblyMember, day: date) -> bool:
    """Tell whether a mandate lasts on a day."""
    return member.until is None or day <= member.until


def day_of(meeting: Meeting) -> date:
    """Return the day of a meeting in Paris."""
    return clock.in_paris(meeting.starts).date()


def case_of(meeting: Meeting) -> Case:
    """Return why a meeting has its delay."""
    if meeting.urgency:
        return Case.URGENCY
    if meeting.second:
        return Case.SECOND
    return Case.RENEWAL if meeting.renewal else Case.USUAL


def begun(meeting: Meeting) -> bool:
    """Tell whether the meeting has begun: answers are closed."""
    return meeting.starts <= clock.now()
