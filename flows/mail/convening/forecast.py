"""How many will be there: what members answered, against the quorum. A forecast: the sheet says who was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session

from flows.mail.convening import meetings
from flows.mail.convening.meetings import Convocation, Seat
from flows.mail.convening.models import AssemblyMember, Presence

THERE = frozenset({Presence.PRESENT, Presence.REMOTE})


@dataclass(frozen=True, slots=True)
class Place:
    """A seat of the assembly, and whoever is expected in it.

    Attributes:
        member: in office.
        seat: how they are convened by mail; None when on paper.
        alternate: whoever replaces them and answered that they would come, when they said that they will not.
        presence: what is expected of the seat; that of the alternate when there is one.
        proxy_to: name of whoever votes for them.
        vacant: whoever holds their proxy said since that they will not be there.
    """

    member: AssemblyMember
    seat: Seat | None
    alternate: AssemblyMember | None
    presence: Presence
    proxy_to: str
    vacant: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of a meeting.

    Attributes:
        places: seats of the assembly, in the order of the table.
        others: guests, and alternates who are not expected to sit.
        quorum: how many members must be there; 0 when none is asked for.
    """

    places: tuple[Place, ...]
    others: tuple[Seat, ...]
    quorum: int

    def count(self, *wanted: Presence) -> int:
        """Return how many seats are expected so."""
        return sum(place.presence in wanted for place in self.places)

    @property
    def there(self) -> int:
        """How many count for the quorum: proxies do not."""
        return self.count(*THERE)

    @property
    def reached(self) -> bool:
        """There would be a quorum if nobody else came."""
        return self.there >= self.quorum

    @property
    def lost(self) -> bool:
        """There could be none even if everybody came who did not answer."""
        return self.there + self.count(Presence.UNKNOWN) < self.quorum


def quorum_of(members: int, *, second: bool) -> int:
    """Return how many members must be there: the majority of those in office, nobody at the second convocation.

    CGCT, article L. 2121-17; the same majority for the other assemblies (L. 3121-14, L. 4132-13, L. 5211-1).
    """
    return 0 if second else members // 2 + 1


def forecast(session: Session, dossier_id: str) -> Forecast:
    """Return what is expected of a meeting now.

    Raises:
        NotFound: the dossier convenes none.
    """
    return forecast_of(session, meetings.convocation_of(session, dossier_id))


def forecast_of(session: Session, known: Convocation) -> Forecast:
    """Return what is expected of a meeting that was read."""
    day = meetings.day_of(known.meeting)
    every = meetings.members_of(session, known.assembly.id, day)
    titular = [member for member in every if member.alternate_of is None]
    places = tuple(_place(member, every, known) for member in titular)
    sitting = {place.alternate.id for place in places if place.alternate}
    others = tuple(seat for seat in known.seats if not seat.votes and (seat.member is None or seat.member.id not in sitting))
    return Forecast(places, others, quorum_of(len(titular), second=known.meeting.second))


def _place(member: AssemblyMember, every: Sequence[AssemblyMember], known: Convocation) -> Place:
    seats = {seat.member.id: seat for seat in known.seats if seat.member}
    seat = seats.get(member.id)
    own = Presence(seat.convened.presence) if seat else Presence.UNKNOWN
    receiver = known.seat(seat.convened.proxy_to) if seat and seat.convened.proxy_to else None
    alternates = [one for one in every if one.alternate_of == member.id and one.id in seats]
    replacing = next((one for one in alternates if Presence(seats[one.id].convened.presence) in THERE), None)
    if own is Presence.ABSENT and replacing is not None:
        return Place(member, seat, replacing, Presence(seats[replacing.id].convened.presence), "", vacant=False)
    vacant = receiver is not None and Presence(receiver.convened.presence) in {Presence.ABSENT, Presence.PROXY}
    return Place(member, seat, None, own, receiver.name if receiver else "", vacant)
