"""The attendance sheet: printed before the meeting to be signed, closed after it with who was there. It is the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from core import clock
from core.database import ScopedSession
from core.errors import Conflict, UsageError
from core.messages import Catalogue, current_locale
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.mail import events
from flows.mail.convening import meetings
from flows.mail.convening.forecast import THERE, Forecast, forecast_of, quorum_of
from flows.mail.convening.meetings import Convocation
from flows.mail.convening.models import AssemblyMember, Meeting, Presence
from flows.mail.convening.wording import minute_in_words
from flows.mail.events import EventKind
from signing.report.content import Line as Printed
from signing.report.content import Page, Row, Section, Table, Tone, plain
from signing.report.pdf import as_pdf

_t = Catalogue("flows.mail.convening")
_ROOM = "\u00a0"  # a line, so that a name can be signed by hand
KEPT = (Presence.PRESENT, Presence.REMOTE, Presence.PROXY, Presence.ABSENT)


@dataclass(frozen=True, slots=True)
class Seen:
    """How a member was there.

    Attributes:
        presence: one of ``KEPT``.
        proxy_to: member who voted for them, with ``Presence.PROXY``.
    """

    presence: Presence
    proxy_to: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A member on a closed sheet, as they were called that day.

    Attributes:
        proxy_to: name of whoever voted for them; empty otherwise.
    """

    name: str
    title: str
    presence: Presence
    proxy_to: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A sheet that was closed, as it is read: nothing that is changed in the assembly later changes it.

    Attributes:
        lines: in the order of the table.
        quorum: how many had to be there; ``there`` how many were.
    """

    lines: tuple[Line, ...]
    quorum: int

    @property
    def there(self) -> int:
        """How many members were there."""
        return sum(line.presence in THERE for line in self.lines)


def close(platform: Platform, principal: Principal, dossier_id: str, seen: Mapping[str, Seen]) -> None:
    """Close the sheet of a meeting, once: who was there, and who voted for whom.

    The chair has the last word: a member may have come who said otherwise. What the law wants is looked at all the same.

    Args:
        platform: which.
        principal: who closes it, with the right to deposit.
        dossier_id: of the convocation.
        seen: by identifier of member: every member in office; an alternate who sat.

    Raises:
        NotFound: there is no such meeting, or it is not seen.
        Forbidden: they may not there.
        Conflict: the meeting has not begun, or was cancelled, or its sheet is closed already.
        UsageError: a member is missing or unknown; a proxy is given to nobody, to somebody who was not there, or is one too many.
    """
    with platform.database.writing(principal) as session:
        meeting = _held(session, dossier_id)
        principal.require(Right.DEPOSIT, meeting.organisation_id)
        known = meetings.convocation_of(session, dossier_id)
        _refuse(known)
        _check(session, known, seen)
        meeting.held = clock.now()
        meeting.sheet = _frozen(session, known, seen)
        session.add(meeting)
        events.record(session, known.mail, EventKind.SHEET, {"sheet": meeting.sheet}, actor=principal.actor)


def _frozen(session: Session, known: Convocation, seen: Mapping[str, Seen]) -> dict[str, Any]:
    """Return the sheet as it is kept: who was a member and what they were called on the day of the meeting, and the quorum."""
    members = meetings.members_of(session, known.assembly.id, meetings.day_of(known.meeting))
    titular = [one for one in members if not one.alternate_of]
    told = [
        {"id": one.id, "name": one.name, "title": one.title, "presence": seen[one.id].presence.value}
        | ({"proxy_to": seen[one.id].proxy_to} if seen[one.id].proxy_to else {})
        for one in members
        if one.id in seen
    ]
    return {"members": told, "quorum": quorum_of(len(titular), second=known.meeting.second)}


def closed_of(meeting: Meeting) -> Closed | None:
    """Return the closed sheet of a meeting; None while it is open."""
    if meeting.sheet is None:
        return None
    members = meeting.sheet["members"]
    names = {one["id"]: one["name"] for one in members}
    lines = (
        Line(one["name"], one["title"], Presence(one["presence"]), names.get(one.get("proxy_to", ""), "")) for one in members
    )
    return Closed(tuple(lines), meeting.sheet["quorum"])


def pdf(session: Session, dossier_id: str) -> bytes:
    """Return the sheet as a tagged PDF in the current locale: to be signed while it is open, the record once it is closed.

    Raises:
        NotFound: the dossier convenes no meeting.
        SandboxError, Unavailable: it could not be composed; see ``signing.report.pdf``.
    """
    known = meetings.convocation_of(session, dossier_id)
    organisation = session.get_one(Organisation, known.meeting.organisation_id)
    closed = closed_of(known.meeting)
    made = known.meeting.held or known.mail.sent or known.meeting.starts
    expected = forecast_of(session, known)
    page = _recorded(known, closed, organisation) if closed else _to_sign(known, expected, organisation)
    return as_pdf(page, made)


def _held(session: ScopedSession, dossier_id: str) -> Meeting:
    meetings.meeting_of(session, dossier_id)
    wanted = select(Meeting).where(Meeting.dossier_id == dossier_id).with_for_update().execution_options(populate_existing=True)
    return session.exec(wanted).one()


def _refuse(known: Convocation) -> None:
    if known.mail.cancelled is not None:
        raise Conflict(_t("closed.cancelled"))
    if not meetings.begun(known.meeting):
        raise Conflict(_t("sheet.early", moment=minute_in_words(known.meeting.starts)))
    if known.meeting.held is not None:
        raise Conflict(_t("sheet.closed", moment=minute_in_words(known.meeting.held)))


def _check(session: Session, known: Convocation, seen: Mapping[str, Seen]) -> None:
    every = {one.id: one for one in meetings.members_of(session, known.assembly.id, meetings.day_of(known.meeting))}
    missing = [one.name for one in every.values() if one.alternate_of is None and one.id not in seen]
    if missing or not set(seen) <= set(every):
        raise UsageError(_t("sheet.missing", names=", ".join(missing[:5]) or "–"))
    held: dict[str, str] = {}
    for member_id, one in seen.items():
        name = every[member_id].name
        if one.presence not in KEPT:
            raise UsageError(_t("sheet.presence", name=name))
        if one.presence is not Presence.PROXY:
            continue
        receiver = seen.get(one.proxy_to)
        if receiver is None or one.proxy_to == member_id or receiver.presence not in THERE:
            raise UsageError(_t("sheet.proxy", name=name))
        if one.proxy_to in held:
            raise UsageError(_t("proxy.taken", name=every[one.proxy_to].name))
        held[one.proxy_to] = member_id
    _one_a_seat(every, seen)


def _one_a_seat(every: Mapping[str, AssemblyMember], seen: Mapping[str, Seen]) -> None:
    """Refuse an alternate who sat beside the member whom they replace."""
    for member_id, one in seen.items():
        titular = every[member_id].alternate_of
        if titular and one.presence in THERE and seen[titular].presence is not Presence.ABSENT:
            raise UsageError(_t("sheet.alternate", name=every[member_id].name))


def _to_sign(known: Convocation, expected: Forecast, organisation: Organisation) -> Page:
    rows = [
        Row(_member(place.member, place.alternate), (_expected(place.presence, place.proxy_to), _t("sheet.signature"), _ROOM))
        for place in expected.places
    ]
    section = Section(_t("sheet.members"), tuple(rows))
    return _page(known, organisation, _t("sheet.open"), Tone.PLAIN, _quorum(expected.quorum), section)


def _recorded(known: Convocation, closed: Closed, organisation: Organisation) -> Page:
    head = (_t("sheet.column.member"), _t("sheet.column.presence"))
    lines = [Printed((_named(one.name, one.title), _expected(one.presence, one.proxy_to))) for one in closed.lines]
    reached = closed.there >= closed.quorum
    verdict = _t("sheet.reached" if reached else "sheet.lacking", there=closed.there, quorum=closed.quorum)
    tone = Tone.GOOD if reached else Tone.BAD
    section = Section(_t("sheet.section.members"), (), (Table(_t("sheet.members"), head, 2, tuple(lines)),))
    return _page(known, organisation, verdict, tone, _quorum(closed.quorum), section)


def _page(known: Convocation, organisation: Organisation, verdict: str, tone: Tone, quorum: str, members: Section) -> Page:
    meeting = known.meeting
    rows = [
        Row(_t("sheet.row.organisation"), (plain(organisation.name),)),
        Row(_t("sheet.row.meeting"), (minute_in_words(meeting.starts),)),
        *([Row(_t("sheet.row.place"), (plain(meeting.place),))] if meeting.place else []),
        Row(_t("sheet.row.quorum"), (quorum,)),
        *([Row(_t("sheet.row.held"), (minute_in_words(meeting.held),))] if meeting.held else []),
    ]
    return Page(
        language=current_locale(),
        title=_t("sheet.title", assembly=plain(known.assembly.name)),
        verdict=verdict,
        tone=tone,
        meaning=_t("sheet.meaning.closed" if meeting.held else "sheet.meaning.open"),
        reasons=(),
        sections=(Section(_t("sheet.section.meeting"), tuple(rows)), members),
        notes=(_t("sheet.note"),),
    )


def _member(member: AssemblyMember, alternate: AssemblyMember | None) -> str:
    told = _named(member.name, member.title)
    return plain(_t("sheet.replaced", member=told, alternate=alternate.name)) if alternate else told


def _named(name: str, title: str) -> str:
    return plain(f"{name} – {title}" if title else name)


def _expected(presence: Presence, proxy_to: str) -> str:
    if presence is Presence.PROXY and proxy_to:
        return plain(_t("sheet.proxy_to", name=proxy_to))
    return _t(f"presence.{presence.value}")


def _quorum(quorum: int) -> str:
    return _t("sheet.quorum", quorum=quorum) if quorum else _t("sheet.no_quorum")
