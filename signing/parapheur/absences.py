"""Absences: a holder of a desk, or whoever looks after its absences, lets another desk stand in for some days.

Days are those of French calendars, the last one included; what is kept are moments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import or_
from sqlmodel import Session, col, select

from core import clock, journal
from core.errors import Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur import desks, typology
from signing.parapheur.models import Capacity, Delegation, Desk, FolderType, Seat, Subtype

_messages = Catalogue("signing.parapheur")
_YEARS_AHEAD = 10


@dataclass(frozen=True, slots=True)
class Absence:
    """What somebody says of an absence.

    Attributes:
        desk_id: the desk that is absent; ``substitute_id`` the one that stands in.
        first: the first day; ``last`` the last one, None until somebody ends it.
        type_id: only folders of this type; ``subtype_id`` only of this subtype; all when neither is given.
    """

    desk_id: str
    substitute_id: str
    first: date
    last: date | None = None
    type_id: str | None = None
    subtype_id: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An absence that is under way or to come, as people read it.

    Attributes:
        under_way: it has begun.
        last: the last day, None until somebody ends it.
        of: the type, or both names of the subtype, to which it is limited; empty for everything.
    """

    id: str
    desk_id: str
    desk: str
    substitute: str
    under_way: bool
    first: date
    last: date | None
    of: str


def looked_after(session: Session, person_id: str) -> list[Desk]:
    """Return the open desks whose absences a person may set, by name: those that they hold, and those they look after."""
    capacities = (Capacity.HOLDER.value, Capacity.ABSENCES.value)
    seats = select(Seat.desk_id).where(Seat.person_id == person_id, col(Seat.capacity).in_(capacities))
    wanted = select(Desk).where(col(Desk.id).in_(seats), col(Desk.closed).is_(None))
    return list(session.exec(wanted.order_by(Desk.name, Desk.id)))


def announce(session: Session, principal: Principal, wanted: Absence) -> Delegation:
    """Let a desk stand in for another; what lies there already is seen by the substitute from the first day on.

    Raises:
        Forbidden: the person neither holds the absent desk nor looks after its absences.
        UsageError: days in the past, years ahead or in the wrong order, a type of elsewhere; see ``desks.delegate``.
        Conflict: see ``desks.delegate``.
    """
    desk = _looked_after(session, principal, wanted.desk_id)
    substitute = desks.desk_of(session, wanted.substitute_id)
    starts, ends = _span(wanted.first, wanted.last, clock.now())
    _refuse_foreign(session, desk, wanted)
    made = desks.delegate(
        session, principal.actor, desk, substitute, starts, ends, type_id=wanted.type_id, subtype_id=wanted.subtype_id
    )
    facts = {"delegation": made.id, "desk": desk.id, "substitute": substitute.id, "subtype": made.subtype_id or ""}
    journal.write(session, organisation_id=desk.organisation_id, kind="delegation.set", actor=principal.actor, facts=facts)
    return made


def end(session: Session, principal: Principal, delegation_id: str) -> Delegation:
    """End an absence now; one that has not begun never will.

    Raises:
        NotFound: there is none, or the session does not see it.
        Forbidden: see ``announce``.
    """
    found = session.exec(select(Delegation).where(Delegation.id == delegation_id)).first()
    if found is None:
        raise NotFound(_messages("delegation.unknown"))
    _looked_after(session, principal, found.desk_id)
    desks.end_delegation(session, delegation_id)
    facts = {"delegation": found.id, "desk": found.desk_id}
    journal.write(session, organisation_id=found.organisation_id, kind="delegation.ended", actor=principal.actor, facts=facts)
    return found


def given(session: Session, desk_ids: Sequence[str]) -> list[Planned]:
    """Return the absences of these desks that are under way or to come, in the order in which they begin."""
    return _planned(session, col(Delegation.desk_id).in_(desk_ids))


def received(session: Session, desk_ids: Sequence[str]) -> list[Planned]:
    """Return the absences in which these desks stand in, under way or to come."""
    return _planned(session, col(Delegation.substitute_id).in_(desk_ids))


def _planned(session: Session, which: object) -> list[Planned]:
    now = clock.now()
    wanted = (
        select(Delegation)
        .where(which, or_(col(Delegation.ends).is_(None), col(Delegation.ends) > now), desks.happens())  # type: ignore[arg-type]
        .order_by(col(Delegation.starts), col(Delegation.id))
    )
    found = session.exec(wanted).all()
    names = _names(session, (desk_id for one in found for desk_id in (one.desk_id, one.substitute_id)))
    return [
        Planned(
            one.id,
            one.desk_id,
            names.get(one.desk_id, ""),
            names.get(one.substitute_id, ""),
            one.starts <= now,
            clock.in_paris(one.starts).date(),
            _last_day(one.ends) if one.ends else None,
            _limited_to(session, one),
        )
        for one in found
    ]


def _names(session: Session, desk_ids: Iterable[str]) -> dict[str, str]:
    found = session.exec(select(Desk).where(col(Desk.id).in_(set(desk_ids))))
    return {desk.id: desk.name for desk in found}


def _limited_to(session: Session, found: Delegation) -> str:
    if found.subtype_id:
        return typology.kind_of(session, found.subtype_id).full_name
    return typology.type_of(session, found.type_id).name if found.type_id else ""


def _last_day(ends: datetime) -> date:
    return clock.in_paris(ends - timedelta(microseconds=1)).date()


def _span(first: date, last: date | None, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the moments of days: from now when the first is today, to midnight after the last."""
    today = clock.in_paris(now).date()
    if first < today:
        raise UsageError(_messages("absence.past"))
    if last is not None and last < first:
        raise UsageError(_messages("delegation.dates"))
    if (last or first) > today + timedelta(days=366 * _YEARS_AHEAD):
        raise UsageError(_messages("absence.far", years=_YEARS_AHEAD))
    starts = now if first == today else _midnight(first)
    return starts, _midnight(last + timedelta(days=1)) if last is not None else None


def _midnight(day: date) -> datetime:
    return clock.as_utc(datetime.combine(day, time(), tzinfo=clock.PARIS))


def _looked_after(session: Session, principal: Principal, desk_id: str) -> Desk:
    own = {desk.id: desk for desk in looked_after(session, desks.person_of(principal))}
    if desk_id not in own:
        raise Forbidden(_messages("absence.not_yours"))
    return own[desk_id]


def _refuse_foreign(session: Session, desk: Desk, wanted: Absence) -> None:
    """Go on only with a type and a subtype of the desk's organisation."""
    for found in (
        session.get(FolderType, wanted.type_id) if wanted.type_id else desk,
        session.get(Subtype, wanted.subtype_id) if wanted.subtype_id else desk,
    ):
        if found is None or found.organisation_id != desk.organisation_id:
            raise UsageError(_messages("type.unknown"))
