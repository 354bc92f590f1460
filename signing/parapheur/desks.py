"""Desks: who sits at them, who stands in for them, and by which right a person acts on what lies there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from core import clock
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.organisations import Organisation, OrganisationKind
from core.people import Membership, Person
from core.principal import Principal, Right
from signing.parapheur.models import Capacity, Circuit, Delegation, Desk, Folder, FolderState, Seat, Subtype, Task, TaskState

_messages = Catalogue("signing.parapheur")
_SHORT = re.compile(r"[^\W_]([\w .’'-]{0,58}[^\W_])?")
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class StandIn:
    """A delegation as it stands: the absent desk, by which desk, for what."""

    desk_id: str
    substitute_id: str
    type_id: str | None
    subtype_id: str | None


@dataclass(frozen=True, slots=True)
class Around:
    """The desks that a person has to do with, at one moment.

    Attributes:
        held: identifiers of the desks that they hold, open ones.
        supervised: of those that they may look at only.
        absences: of those whose delegations they may set.
        stands_in: the delegations to the desks that they hold and that may act.
    """

    person_id: str
    held: tuple[str, ...]
    supervised: tuple[str, ...]
    absences: tuple[str, ...]
    stands_in: tuple[StandIn, ...]

    @property
    def any(self) -> bool:
        """Whether there is a desk at all."""
        return bool(self.held or self.supervised or self.absences)


@dataclass(frozen=True, slots=True)
class Hand:
    """By which right a person acts on a task.

    Attributes:
        actor: as the journal names actors.
        desk_id: the desk that they hold.
        behalf_id: the absent desk in whose place they act; None at their own.
    """

    actor: str
    person_id: str
    desk_id: str
    behalf_id: str | None


def person_of(principal: Principal) -> str:
    """Return the identifier of the person behind a principal.

    Raises:
        Forbidden: it is software, or the platform: neither holds a desk.
    """
    kind, _, identifier = principal.actor.partition(":")
    if kind != "person":
        raise Forbidden(_messages("desk.person"))
    return identifier


def around(session: Session, person_id: str, at: datetime | None = None) -> Around:
    """Return the desks that a person has to do with."""
    at = at or clock.now()
    seats = session.exec(
        select(Seat.desk_id, Seat.capacity).join(Desk).where(Seat.person_id == person_id, col(Desk.closed).is_(None))
    ).all()
    by = {capacity: tuple(desk for desk, held in seats if held == capacity.value) for capacity in Capacity}
    held = by[Capacity.HOLDER]
    return Around(person_id, held, by[Capacity.SUPERVISOR], by[Capacity.ABSENCES], tuple(_standing_in(session, held, at)))


def _standing_in(session: Session, desk_ids: Sequence[str], at: datetime) -> Iterable[StandIn]:
    if not desk_ids:
        return
    # A desk that may not act for itself does not act for another.
    active = (
        select(Delegation)
        .join(Desk, col(Desk.id) == col(Delegation.substitute_id))
        .where(
            col(Delegation.substitute_id).in_(desk_ids),
            col(Desk.may_act).is_(True),
            Delegation.starts <= at,
            or_(col(Delegation.ends).is_(None), col(Delegation.ends) > at),
        )
    )
    for found in session.exec(active):
        yield StandIn(found.desk_id, found.substitute_id, found.type_id, found.subtype_id)


def hand_for(session: Session, principal: Principal, desk_id: str, subtype_id: str | None) -> Hand:
    """Return by which right a person acts on what lies at a desk.

    Raises:
        Forbidden: they neither hold the desk nor stand in for it, one of the desks may not act, or their roles do not let them.
    """
    found = around(session, person_of(principal))
    desk = session.get(Desk, desk_id)
    if desk is None or not desk.may_act:
        raise Forbidden(_messages("desk.may_not_act"))
    principal.require(Right.ACT, desk.organisation_id)
    subtype = session.get(Subtype, subtype_id) if subtype_id else None
    hand = hand_at(found, desk, subtype.type_id if subtype else None, subtype_id)
    if hand is None:
        raise Forbidden(_messages("desk.not_yours", desk=desk.name))
    return hand


def hand_at(found: Around, desk: Desk, type_id: str | None, subtype_id: str | None) -> Hand | None:
    """Return by which right a person acts on folders of a subtype at a desk; None when they may not."""
    if not desk.may_act:
        return None
    actor = f"person:{found.person_id}"
    if desk.id in found.held:
        return Hand(actor, found.person_id, desk.id, None)
    for one in found.stands_in:
        if one.desk_id == desk.id and covers(one, type_id, subtype_id):
            return Hand(actor, found.person_id, one.substitute_id, desk.id)
    return None


def covers(delegation: StandIn, type_id: str | None, subtype_id: str | None) -> bool:
    """Tell whether a delegation covers folders of a subtype."""
    if delegation.subtype_id is not None:
        return delegation.subtype_id == subtype_id
    return delegation.type_id is None or delegation.type_id == type_id


def desks_of(session: Session, organisation_id: str) -> list[Desk]:
    """Return every desk of an organisation by name, those that are closed included."""
    return list(session.exec(select(Desk).where(Desk.organisation_id == organisation_id).order_by(Desk.name, Desk.id)))


def desk_of(session: Session, desk_id: str) -> Desk:
    """Return a desk.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(Desk).where(Desk.id == desk_id)).first()
    if found is None:
        raise NotFound(_messages("desk.unknown"))
    return found


def add_desk(
    session: Session, organisation_id: str, name: str, short_name: str, *, parent_id: str | None = None, description: str = ""
) -> Desk:
    """Add a desk.

    Raises:
        UsageError: a malformed name, a parent that is not of the organisation.
        Conflict: the short name is taken.
    """
    desk = Desk(organisation_id=organisation_id, name="", short_name="")
    change_desk(session, desk, name, short_name, parent_id=parent_id, description=description)
    return desk


def change_desk(
    session: Session, desk: Desk, name: str, short_name: str, *, parent_id: str | None = None, description: str = ""
) -> None:
    """Name a desk and put it in its place.

    Raises:
        UsageError: a malformed name, a parent that is not of the organisation, or that stands below the desk itself.
        Conflict: the short name is taken.
    """
    name, short_name = " ".join(name.split()), " ".join(short_name.split())
    if not 0 < len(name) <= 120 or not _SHORT.fullmatch(short_name):
        raise UsageError(_messages("desk.name"))
    taken = select(Desk.id).where(Desk.organisation_id == desk.organisation_id, Desk.short_name == short_name, Desk.id != desk.id)
    if session.exec(taken).first():
        raise Conflict(_messages("desk.taken", name=short_name))
    _refuse_cycle(session, desk, parent_id)
    desk.name, desk.short_name, desk.parent_id, desk.description = name, short_name, parent_id, description.strip()[:300]
    session.add(desk)
    session.flush()


def _refuse_cycle(session: Session, desk: Desk, parent_id: str | None) -> None:
    above, steps = parent_id, 0
    while above is not None:
        parent = session.get(Desk, above)
        if parent is None or parent.organisation_id != desk.organisation_id or (steps == 0 and parent.closed is not None):
            raise UsageError(_messages("desk.parent"))
        if parent.id == desk.id or steps > _DEEPEST:
            raise UsageError(_messages("desk.cycle", desk=desk.name or desk.short_name))
        above, steps = parent.parent_id, steps + 1


def allow(
    session: Session, desk: Desk, *, may_create: bool, may_act: bool, may_chain: bool, associated: Sequence[str] = ()
) -> None:
    """Say what the holders of a desk may do, and which desks they may choose; all of them when none is named.

    Raises:
        UsageError: an associated desk that is not of the organisation, or closed.
    """
    require_open(session, desk.organisation_id, associated)
    desk.may_create, desk.may_act, desk.may_chain = may_create, may_act, may_chain
    desk.associated = list(dict.fromkeys(associated))
    session.add(desk)


def require_open(session: Session, organisation_id: str, desk_ids: Iterable[str]) -> None:
    """Go on only if all these desks are open desks of the organisation.

    Raises:
        UsageError: one is not.
    """
    wanted = set(desk_ids)
    there = select(Desk.id).where(col(Desk.id).in_(wanted), Desk.organisation_id == organisation_id, col(Desk.closed).is_(None))
    if wanted and wanted - set(session.exec(there).all()):
        raise UsageError(_messages("desk.choice"))


def require_sender(session: Session, organisation_id: str, desk_id: str) -> Desk:
    """Return an open desk of the organisation that may send folders.

    Raises:
        UsageError: it is none.
    """
    desk = session.get(Desk, desk_id)
    if desk is None or desk.organisation_id != organisation_id or desk.closed is not None or not desk.may_create:
        raise UsageError(_messages("folder.emitter"))
    return desk


def seat(session: Session, desk: Desk, person_id: str, capacity: Capacity = Capacity.HOLDER) -> None:
    """Give a person a seat at a desk; again changes nothing."""
    there = select(Seat).where(Seat.desk_id == desk.id, Seat.person_id == person_id, Seat.capacity == capacity.value)
    if session.exec(there).first() is None:
        session.add(Seat(organisation_id=desk.organisation_id, desk_id=desk.id, person_id=person_id, capacity=capacity.value))
        session.flush()


def unseat(session: Session, desk: Desk, person_id: str, capacity: Capacity) -> None:
    """Take a seat away."""
    there = select(Seat).where(Seat.desk_id == desk.id, Seat.person_id == person_id, Seat.capacity == capacity.value)
    for found in session.exec(there):
        session.delete(found)
    session.flush()


def holders(session: Session, desk_ids: Iterable[str]) -> dict[str, list[Person]]:
    """Return who holds these desks, by desk, in the order of their names."""
    wanted = list(desk_ids)
    found: dict[str, list[Person]] = {desk_id: [] for desk_id in wanted}
    rows = session.exec(
        select(Seat.desk_id, Person)
        .join(Person)
        .where(col(Seat.desk_id).in_(wanted), Seat.capacity == Capacity.HOLDER.value)
        .order_by(Person.name)
    )
    for desk_id, person in rows:
        found[desk_id].append(person)
    return found


def seats_of(session: Session, desk_ids: Iterable[str]) -> dict[str, list[tuple[Capacity, Person]]]:
    """Return who has a seat at these desks, by desk: in which capacity, in the order of their names."""
    found: dict[str, list[tuple[Capacity, Person]]] = {desk_id: [] for desk_id in desk_ids}
    rows = session.exec(select(Seat, Person).join(Person).where(col(Seat.desk_id).in_(list(found))).order_by(Person.name))
    for taken, person in rows:
        found[taken.desk_id].append((Capacity(taken.capacity), person))
    return found


def seatable(session: Session, organisation: Organisation) -> list[Person]:
    """Return the people who may be given a seat: those with a role in the organisation or above it, the platform aside."""
    above = organisation.path.strip("/").split("/")
    platform = select(Organisation.id).where(Organisation.kind == OrganisationKind.PLATFORM)
    held = select(Membership.person_id).where(
        col(Membership.organisation_id).in_(above), col(Membership.organisation_id).not_in(platform)
    )
    wanted = select(Person).where(col(Person.id).in_(held), col(Person.suspended).is_(None))
    return list(session.exec(wanted.order_by(Person.name, Person.id)))


def delegate(
    session: Session,
    author: str,
    desk: Desk,
    substitute: Desk,
    starts: datetime,
    ends: datetime | None,
    *,
    type_id: str | None = None,
    subtype_id: str | None = None,
) -> Delegation:
    """Let a desk stand in for another.

    Raises:
        UsageError: the same desk, another organisation, a closed desk or one that may not act, an end before the beginning.
        Conflict: the substitute is itself replaced by the desk in that time.
    """
    if desk.id == substitute.id or desk.organisation_id != substitute.organisation_id or substitute.closed is not None:
        raise UsageError(_messages("delegation.desk"))
    if not substitute.may_act:
        raise UsageError(_messages("delegation.may_not_act", desk=substitute.name))
    if ends is not None and ends <= starts:
        raise UsageError(_messages("delegation.dates"))
    mutual = select(Delegation.id).where(
        Delegation.desk_id == substitute.id,
        Delegation.substitute_id == desk.id,
        or_(col(Delegation.ends).is_(None), col(Delegation.ends) > starts),
        happens(),
    )
    if ends is not None:
        mutual = mutual.where(Delegation.starts < ends)
    if session.exec(mutual).first():
        raise Conflict(_messages("delegation.mutual", desk=substitute.name))
    made = Delegation(
        organisation_id=desk.organisation_id,
        desk_id=desk.id,
        substitute_id=substitute.id,
        starts=starts,
        ends=ends,
        type_id=type_id,
        subtype_id=subtype_id,
        author=author,
    )
    session.add(made)
    session.flush()
    return made


def end_delegation(session: Session, delegation_id: str) -> Delegation:
    """End a delegation now; one that has not begun never will.

    Raises:
        NotFound: there is none.
    """
    found = session.get(Delegation, delegation_id)
    if found is None:
        raise NotFound(_messages("delegation.unknown"))
    now = clock.now()
    if found.ends is None or found.ends > now:
        found.ends = max(now, found.starts)
        session.add(found)
    return found


def happens() -> ColumnElement[bool]:
    """Return the condition that a delegation was not ended before it began."""
    return or_(col(Delegation.ends).is_(None), col(Delegation.ends) > col(Delegation.starts))


def close_desk(session: Session, desk: Desk) -> None:
    """Close a desk: nothing can be sent to it any more.

    Raises:
        Conflict: folders lie there, a circuit names it, or desks stand below it; the message says which.
    """
    if users := users_of(session, desk):
        raise Conflict(_messages("desk.used", desk=desk.name, users=", ".join(users)))
    desk.closed = clock.now()
    session.add(desk)


def reopen_desk(session: Session, desk: Desk) -> None:
    """Open a closed desk again; one whose head is closed stands alone until it is put elsewhere."""
    above = session.get(Desk, desk.parent_id) if desk.parent_id else None
    if above is not None and above.closed is not None:
        desk.parent_id = None
    desk.closed = None
    session.add(desk)


def users_of(session: Session, desk: Desk, most: int = 10) -> list[str]:
    """Return what would be left without its desk, in words: circuits, subtypes, absences, folders, desks below."""
    named = f'"{desk.id}"'
    in_force = select(Circuit).where(Circuit.organisation_id == desk.organisation_id, col(Circuit.current).is_(True))
    users = [_messages("desk.used.circuit", name=found.name) for found in session.exec(in_force) if named in _text(found.steps)]
    kinds = select(Subtype).where(Subtype.organisation_id == desk.organisation_id, col(Subtype.closed).is_(None))
    users += [
        _messages("desk.used.subtype", name=kind.name)
        for kind in session.exec(kinds)
        if named in _text([*kind.choice, {"desks": kind.options.get("creation_desks", [])}])
    ]
    replaced = (
        select(Desk.name)
        .join(Delegation, col(Delegation.desk_id) == Desk.id)
        .where(
            Delegation.substitute_id == desk.id,
            col(Desk.closed).is_(None),
            or_(col(Delegation.ends).is_(None), col(Delegation.ends) > clock.now()),
            happens(),
        )
    )
    users += [_messages("desk.used.absence", name=name) for name in dict.fromkeys(session.exec(replaced.limit(most)))]
    below = select(Desk.name).where(Desk.parent_id == desk.id, col(Desk.closed).is_(None))
    users += [_messages("desk.used.desk", name=name) for name in session.exec(below.limit(most))]
    waiting = (
        select(Folder.title)
        .join(Task, col(Task.folder_id) == Folder.id)
        .where(Task.desk_id == desk.id, col(Task.state).in_((TaskState.OPEN.value, TaskState.UPCOMING.value)))
    )
    kept = (FolderState.DRAFT.value, FolderState.PENDING.value, FolderState.REJECTED.value)
    sent = select(Folder.title).where(Folder.emitter_id == desk.id, col(Folder.state).in_(kept))
    titles = dict.fromkeys([*session.exec(waiting.limit(most)), *session.exec(sent.limit(most))])
    users += [_messages("desk.used.folder", title=title) for title in titles]
    return users[:most]


def _text(steps: list[dict[str, object]]) -> str:
    return str(steps).replace("'", '"')


def reachable(session: Session, desk: Desk) -> list[Desk]:
    """Return the open desks that a desk may choose: those associated with it, or all of the organisation."""
    wanted = select(Desk).where(
        Desk.organisation_id == desk.organisation_id, col(Desk.closed).is_(None), col(Desk.may_act).is_(True)
    )
    if desk.associated:
        wanted = wanted.where(col(Desk.id).in_(desk.associated))
    return list(session.exec(wanted.order_by(Desk.name)))
