"""Whoever is convened says whether they will be there, who votes for them, what they answer; and keeps the date."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api import downloads
from api.courrier.reading import READING, shown
from api.courrier.visitor import ROOT, Visiting, check, onwards
from api.problems import fault_of
from api.web.visitor import Fields, Parts
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.mail.convening import attending
from schemas.mail import calendar

router = APIRouter()
_t = Catalogue("api.courrier")
_QUESTION = "question."
_MINUTES = 120
_LONGEST = 300


@router.post(ROOT + "/presence")
def attend(request: Request, platform: Parts, visited: Visiting, fields: Fields) -> Response:
    """Take the answer, in place of the one before."""
    check(visited, fields.get("csrf"))
    answers = {name.removeprefix(_QUESTION): value for name, value in fields.items() if name.startswith(_QUESTION)}
    try:
        warnings = attending.attend(
            platform,
            visited.opened.recipient.id,
            fields.get("presence", "")[:_LONGEST],
            fields.get("proxy_to", "")[:_LONGEST] or None,
            answers,
        )
    except (UsageError, Conflict) as error:
        fault = fault_of(error)
        return shown(request, platform, visited, status=fault.status, trouble=fault.detail, trouble_of="presence")
    if warnings:
        return shown(request, platform, visited, done="presence", warnings=warnings)
    return onwards(f"{READING}?fait=presence")


@router.get(ROOT + "/seance.ics")
def event(platform: Parts, visited: Visiting) -> Response:
    """Give the meeting as an entry for a calendar."""
    opened = visited.opened
    with platform.database.reading(PLATFORM) as session:
        form = attending.presence_form(session, opened.recipient)
    if form is None:
        raise NotFound(_t("nowhere.title"))
    octets = calendar.event(
        uid=f"{opened.dossier.id.lower()}@tabellion",
        starts=form.meeting.starts,
        minutes=_MINUTES,
        title=opened.mail.subject,
        place=form.meeting.place,
        description=form.meeting.agenda,
        organiser=opened.mail.reply_to,
    )
    return downloads.copy("seance.ics", octets, "text/calendar; charset=utf-8")
