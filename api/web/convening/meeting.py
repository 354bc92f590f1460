"""A meeting: what its draft lacks, then who was told, who comes, proxies, the quorum, what was added; and what may be done."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session, col, select
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import downloads
from api.problems import fault_of
from api.web.acts.page import Identifier
from api.web.convening import seen
from api.web.convening.seen import MEETINGS, Seen
from api.web.visitor import Fields, Parts, SignedIn, Visitor
from core.errors import Conflict, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.mail import intake as mails
from flows.mail.convening import attending, meetings, sheet
from flows.mail.convening.attending import ANSWERS, AttendanceForm
from flows.mail.convening.models import Presence, QuestionAnswer
from flows.mail.keeping import ADDITION
from flows.mail.models import MailRecipient
from flows.mail.rules import Unsendable

router = APIRouter()
ONE = MEETINGS + "/{meeting_id}"
Done = Annotated[str, Query(max_length=20)]
_t = Catalogue("api.web.convening")
_QUESTION = "question."


@router.get(ONE)
def shown(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, fait: Done = "") -> HTMLResponse:
    """Show a meeting; ``fait`` says what the visitor has just done."""
    return page(request, platform, visitor, seen.seen(platform, visitor, meeting_id), done=fait)


@router.post(f"{ONE}/envoi")
def send(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, fields: Fields) -> Response:
    """Have the convocation leave."""
    visitor.check(fields.get("csrf"))
    found = seen.to_act(platform, visitor, meeting_id)
    try:
        mails.send(platform, visitor.principal, meeting_id)
    except (Unsendable, Conflict) as refused:
        return page(request, platform, visitor, found, status=fault_of(refused).status, trouble=str(refused))
    return gone(meeting_id, "envoi")


@router.post(f"{ONE}/abandon")
def abandon(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, fields: Fields) -> Response:
    """Give a draft up."""
    visitor.check(fields.get("csrf"))
    found = seen.to_act(platform, visitor, meeting_id)
    try:
        mails.abandon(platform, visitor.principal, meeting_id)
    except Conflict as refused:
        return page(request, platform, visitor, found, status=409, trouble=str(refused))
    return RedirectResponse(f"{MEETINGS}?fait=abandon", status_code=303)


@router.get(ONE + "/reponse/{convened_id}")
def ask(request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, convened_id: Identifier) -> HTMLResponse:
    """Show the form by which a clerk answers for somebody who tells them."""
    return _answering(request, platform, visitor, seen.to_act(platform, visitor, meeting_id), convened_id)


@router.post(ONE + "/reponse/{convened_id}")
def answered(
    request: Request, platform: Parts, visitor: SignedIn, meeting_id: Identifier, convened_id: Identifier, fields: Fields
) -> Response:
    """Answer for somebody."""
    visitor.check(fields.get("csrf"))
    found = seen.to_act(platform, visitor, meeting_id)
    found.known.seat(convened_id)
    answers = {name.removeprefix(_QUESTION): value for name, value in fields.items() if name.startswith(_QUESTION)}
    try:
        attending.attend(
            platform,
            convened_id,
            fields.get("presence", ""),
            fields.get("proxy_to") or None,
            answers,
            clerk=visitor.principal,
        )
    except (UsageError, Conflict) as refused:
        return _answering(request, platform, visitor, found, convened_id, refused)
    return gone(meeting_id, "reponse")


@router.get(f"{ONE}/feuille.pdf")
def printed(platform: Parts, visitor: SignedIn, meeting_id: Identifier) -> Response:
    """Give the attendance sheet: to be signed, or as it was closed."""
    seen.seen(platform, visitor, meeting_id)
    with platform.database.reading(visitor.principal) as session:
        octets = sheet.pdf(session, meeting_id)
    return downloads.copy(f"feuille-de-presence-{meeting_id}.pdf", octets, "application/pdf")


def page(
    request: Request, platform: Platform, visitor: Visitor, found: Seen, *, status: int = 200, done: str = "", trouble: str = ""
) -> HTMLResponse:
    """Return the page of a meeting."""
    with platform.database.reading(PLATFORM) as session:
        polled = _polled(session, found)
    told: dict[str, Any] = {
        "found": found,
        "meeting": found.known.meeting,
        "assembly": found.known.assembly,
        "mail": found.known.mail,
        "forecast": found.forecast,
        "expected": {place.seat.recipient.id: place for place in found.forecast.places if place.seat},
        "closed": sheet.closed_of(found.known.meeting),
        "case": meetings.case_of(found.known.meeting).value,
        "polled": polled,
        "additions": [one for one in found.files if one.role == ADDITION],
        "documents": [one for one in found.files if one.role != ADDITION],
        "problems": seen.problems_of(platform, found) if found.is_draft else [],
        "told_before": found.dossier.problems if found.is_draft else [],
        "done": done if f"done.{done}" in _t else "",
        "trouble": trouble,
        "presences": Presence,
        "limit": platform.settings.upload_limit,
    }
    return seen.shown(request, "meeting.html", visitor, status=status, **told)


def gone(meeting_id: str, done: str) -> RedirectResponse:
    """Go to the page of a meeting, and say there what was done."""
    return RedirectResponse(f"{MEETINGS}/{meeting_id}?fait={done}", status_code=303)


def _polled(session: Session, found: Seen) -> list[tuple[str, dict[str, int]]]:
    """Return each question with how many answered what."""
    asked = found.known.questions
    wanted = select(QuestionAnswer).where(col(QuestionAnswer.question_id).in_([one.id for one in asked]))
    given = list(session.exec(wanted)) if asked else []
    return [
        (one.text, {answer: sum((it.question_id, it.answer) == (one.id, answer) for it in given) for answer in ANSWERS})
        for one in asked
    ]


def _answering(
    request: Request,
    platform: Platform,
    visitor: Visitor,
    found: Seen,
    convened_id: str,
    refused: Exception | None = None,
) -> HTMLResponse:
    seat = found.known.seat(convened_id)
    with platform.database.reading(visitor.principal) as session:
        asked: AttendanceForm | None = attending.presence_form(session, session.get_one(MailRecipient, seat.recipient.id))
    told = {"found": found, "seat": seat, "asked": asked, "answers": ANSWERS, "trouble": str(refused or "")}
    status = fault_of(refused).status if refused else 200
    return seen.shown(request, "answer.html", visitor, status=status, **told)
