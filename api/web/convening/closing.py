"""Closing the attendance sheet: who was there, as the chair of the meeting kept it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.administered import Filled, Sheet
from api.web.convening import seen
from api.web.convening.meeting import ONE, gone
from api.web.convening.seen import Seen
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail.convening import meetings, sheet
from flows.mail.convening.models import AssemblyMember, Presence
from flows.mail.convening.sheet import KEPT
from flows.mail.convening.sheet import Seen as There

router = APIRouter()
PATH = f"{ONE}/feuille"
_t = Catalogue("api.web.convening")


@router.get(PATH)
def ask(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> Response:
    """Show the sheet with what members answered, to be mended by who was there."""
    found = seen.to_act(platform, visitor, meeting_id)
    if found.known.meeting.held is not None or not found.begun:
        return gone(meeting_id, "")
    return _form(request, platform, visitor, found, _expected(found))


@router.post(PATH)
def closed(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, filled: Filled) -> Response:
    """Close the sheet."""
    visitor.check(filled.text("csrf"))
    found = seen.to_act(platform, visitor, meeting_id)
    every = _members(platform, found)
    there = {one.id: _there(filled, one) for one in every if one.alternate_of is None or filled.text(f"presence.{one.id}")}
    try:
        sheet.close(platform, visitor.principal, meeting_id, there)
    except (UsageError, Conflict) as refused:
        status = fault_of(refused).status
        return _form(request, platform, visitor, found, there, status=status, trouble=str(refused))
    return gone(meeting_id, "feuille")


def _there(filled: Sheet, member: AssemblyMember) -> There:
    told = filled.text(f"presence.{member.id}")
    presence = Presence(told) if told in set(Presence) else Presence.UNKNOWN
    return There(presence, filled.text(f"proxy.{member.id}") if presence is Presence.PROXY else "")


def _expected(found: Seen) -> dict[str, There]:
    """Return what members answered, by member."""
    by_recipient = {seat.recipient.id: seat.member.id for seat in found.known.seats if seat.member}
    expected: dict[str, There] = {}
    for place in found.forecast.places:
        if place.alternate is not None:
            expected[place.member.id] = There(Presence.ABSENT)
            expected[place.alternate.id] = There(place.presence)
            continue
        receiver = place.seat.convened.proxy_to if place.seat and place.presence is Presence.PROXY else None
        expected[place.member.id] = There(place.presence, by_recipient.get(receiver or "", ""))
    return expected


def _members(platform: Platform, found: Seen) -> list[AssemblyMember]:
    with platform.database.reading(PLATFORM) as session:
        return meetings.members_of(session, found.known.assembly.id, meetings.day_of(found.known.meeting))


def _form(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    found: Seen,
    there: Mapping[str, There],
    *,
    status: int = 200,
    trouble: str = "",
) -> HTMLResponse:
    every = _members(platform, found)
    told: dict[str, Any] = {
        "found": found,
        "members": every,
        "voting": [one for one in every if one.alternate_of is None],
        "names": {one.id: one.name for one in every},
        "there": there,
        "kept": [one for one in KEPT if found.known.assembly.remote or one is not Presence.REMOTE],
        "trouble": trouble,
    }
    return seen.shown(request, "closing.html", visitor, status=status, **told)
