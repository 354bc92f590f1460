"""Councils and commissions, their members and alternates; who may change them administers or deposits in the organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, select

from core import clock, journal
from core.database import ScopedSession
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.principal import Principal, Right
from flows.mail.convening import delays
from flows.mail.convening.meetings import members_of
from flows.mail.convening.models import Assembly, AssemblyMember
from schemas.mail import addresses

_t = Catalogue("flows.mail.convening")
LONGEST_NAME, LONGEST_PERSON, LONGEST_PLACE = 120, 200, 300
LONGEST_REMINDER = 24 * 14
_LONGEST_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class AssemblyDetails:
    """What is said of an assembly; see ``models.Assembly``."""

    name: str
    rule: str
    days: int = 3
    place: str = ""
    proxies: bool = True
    remote: bool = False
    note: bool = False
    reminder: int = 48


@dataclass(frozen=True, slots=True)
class MemberDetails:
    """What is said of a member; see ``models.AssemblyMember``.

    Attributes:
        address: of their mails; for whoever is convened on paper, where that is sent, in one line.
        alternate_of: identifier of the member whom this one replaces.
        paper_since: the day on which they asked for paper; today when that is not said.
    """

    name: str
    address: str
    title: str = ""
    rank: int = 0
    alternate_of: str | None = None
    paper: bool = False
    paper_since: date | None = None


def may_change(principal: Principal, organisation_id: str) -> bool:
    """Tell whether somebody may set up the assemblies of an organisation."""
    return principal.may(Right.ADMINISTER, organisation_id) or principal.may(Right.DEPOSIT, organisation_id)


def assemblies_of(session: Session, organisation_id: str) -> list[Assembly]:
    """Return the assemblies of an organisation by name, those that meet no more last."""
    wanted = select(Assembly).where(Assembly.organisation_id == organisation_id)
    found = session.exec(wanted.order_by(col(Assembly.name), col(Assembly.id)))
    return sorted(found, key=lambda one: one.closed is not None)


def assembly_of(session: Session, assembly_id: str) -> Assembly:
    """Return an assembly.

    Raises:
        NotFound: there is none, or it is not seen by this session.
    """
    found = session.exec(select(Assembly).where(Assembly.id == assembly_id)).first()
    if found is None:
        raise NotFound(_t("assembly.unknown"))
    return found


def member_of(session: Session, assembly: Assembly, member_id: str) -> AssemblyMember:
    """Return a member of an assembly.

    Raises:
        NotFound: there is none.
    """
    found = session.exec(
        select(AssemblyMember).where(AssemblyMember.id == member_id, AssemblyMember.assembly_id == assembly.id)
    ).first()
    if found is None:
        raise NotFound(_t("member.unknown"))
    return found


def make(session: ScopedSession, principal: Principal, organisation_id: str, details: AssemblyDetails) -> Assembly:
    """Make an assembly.

    Raises:
        Forbidden: the principal may not there.
        UsageError: something of it cannot be.
        Conflict: the organisation has one of that name.
    """
    _require(principal, organisation_id)
    assembly = Assembly(organisation_id=organisation_id, name="", rule="", days=0)
    _set(session, assembly, details)
    session.add(assembly)
    session.flush()
    _note(session, principal, assembly, "made")
    return assembly


def change(session: ScopedSession, principal: Principal, assembly: Assembly, details: AssemblyDetails) -> None:
    """Change an assembly; meetings that were convened keep the last day that they had.

    Raises:
        Forbidden, UsageError, Conflict: as ``make``.
    """
    _require(principal, assembly.organisation_id)
    _set(session, assembly, details)
    session.add(assembly)
    session.flush()
    _note(session, principal, assembly, "changed")


def close(session: ScopedSession, principal: Principal, assembly: Assembly) -> None:
    """Have an assembly meet no more.

    Raises:
        Forbidden: as ``make``.
    """
    _require(principal, assembly.organisation_id)
    assembly.closed = assembly.closed or clock.now()
    session.add(assembly)
    _note(session, principal, assembly, "closed")


def reopen(session: ScopedSession, principal: Principal, assembly: Assembly) -> None:
    """Have a closed assembly meet again.

    Raises:
        Forbidden: as ``make``.
    """
    _require(principal, assembly.organisation_id)
    assembly.closed = None
    session.add(assembly)
    _note(session, principal, assembly, "reopened")


def add_member(session: ScopedSession, principal: Principal, assembly: Assembly, details: MemberDetails) -> AssemblyMember:
    """Add a member, after the others when no rank is given.

    Raises:
        Forbidden: as ``make``.
        UsageError: something of them cannot be.
        Conflict: another member has the same address.
    """
    _require(principal, assembly.organisation_id)
    member = AssemblyMember(
        organisation_id=assembly.organisation_id, assembly_id=assembly.id, rank=0, name="", address="", normal=""
    )
    set_member(session, assembly, member, details)
    session.flush()
    _note(session, principal, assembly, "member_added", member.id)
    return member


def change_member(
    session: ScopedSession, principal: Principal, assembly: Assembly, member: AssemblyMember, details: MemberDetails
) -> None:
    """Change a member; a convocation that has left is not concerned.

    Raises:
        Forbidden, UsageError, Conflict: as ``add_member``.
    """
    _require(principal, assembly.organisation_id)
    set_member(session, assembly, member, details)
    session.flush()
    _note(session, principal, assembly, "member_changed", member.id)


def end_mandate(
    session: ScopedSession, principal: Principal, assembly: Assembly, member: AssemblyMember, until: date | None
) -> None:
    """Say until which day a member, and whoever replaces them, is in office; None takes it back.

    Raises:
        Forbidden: as ``make``.
    """
    _require(principal, assembly.organisation_id)
    for one in members_of(session, assembly.id):
        if member.id in {one.id, one.alternate_of}:
            one.until = until
            session.add(one)
    _note(session, principal, assembly, "mandate_ended", member.id)


def set_member(session: Session, assembly: Assembly, member: AssemblyMember, details: MemberDetails) -> None:
    """Write what is said of a member.

    Raises:
        UsageError, Conflict: as ``add_member``.
    """
    name, address = " ".join(details.name.split()), " ".join(details.address.split())
    if not 0 < len(name) <= LONGEST_PERSON or len(details.title) > LONGEST_NAME:
        raise UsageError(_t("member.name", most=LONGEST_PERSON))
    if not 0 < len(address) <= _LONGEST_ADDRESS:
        raise UsageError(_t("member.address", name=name))
    if not details.paper:
        addresses.check(address)
    others = [one for one in members_of(session, assembly.id) if one.id != member.id]
    normal = f"paper:{member.id}" if details.paper else addresses.normal(address)
    if any(one.normal == normal for one in others):
        raise Conflict(_t("member.taken", address=address))
    _set_alternate(member, details.alternate_of, others)
    member.name, member.title, member.address, member.normal = name, " ".join(details.title.split()), address, normal
    member.rank = details.rank or member.rank or 1 + max((one.rank for one in others), default=0)
    member.paper_since = (details.paper_since or member.paper_since or _today()) if details.paper else None
    member.paper = details.paper
    session.add(member)


def _set_alternate(member: AssemblyMember, wanted: str | None, others: list[AssemblyMember]) -> None:
    titular = next((one for one in others if one.id == wanted), None)
    if wanted and (titular is None or titular.alternate_of is not None or any(one.alternate_of == member.id for one in others)):
        raise UsageError(_t("member.alternate"))
    member.alternate_of = wanted or None


def _set(session: Session, assembly: Assembly, details: AssemblyDetails) -> None:
    name = " ".join(details.name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise UsageError(_t("assembly.name", most=LONGEST_NAME))
    if len(details.place) > LONGEST_PLACE:
        raise UsageError(_t("assembly.place", most=LONGEST_PLACE))
    rule = delays.rule_named(details.rule)
    if rule.usual is None and not 1 <= details.days <= delays.MOST_DAYS:
        raise UsageError(_t("assembly.days", most=delays.MOST_DAYS))
    if not 0 <= details.reminder <= LONGEST_REMINDER:
        raise UsageError(_t("assembly.reminder", most=LONGEST_REMINDER))
    same = select(Assembly.id).where(Assembly.organisation_id == assembly.organisation_id, Assembly.name == name)
    if session.exec(same.where(Assembly.id != assembly.id)).first() is not None:
        raise Conflict(_t("assembly.taken", name=name))
    assembly.name, assembly.rule, assembly.place = name, rule.name, " ".join(details.place.split())
    assembly.days = rule.usual.days if rule.usual else details.days
    assembly.proxies, assembly.remote, assembly.reminder = details.proxies, details.remote, details.reminder
    assembly.note = details.note or rule.note


def _require(principal: Principal, organisation_id: str) -> None:
    if not may_change(principal, organisation_id):
        raise Forbidden(_t("assembly.forbidden"))


def _note(session: ScopedSession, principal: Principal, assembly: Assembly, did: str, member_id: str = "") -> None:
    facts = {"assembly": assembly.id} | ({"member": member_id} if member_id else {})
    journal.write(session, organisation_id=assembly.organisation_id, kind=f"assembly.{did}", actor=principal.actor, facts=facts)


def _today() -> date:
    return clock.in_paris(clock.now()).date()
