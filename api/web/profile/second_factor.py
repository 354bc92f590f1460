"""The second factor of one's own account: turned on and off with the password. Its words are those of the door."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.sign_in.device import device_of
from api.web.sign_in.enrolment import enrolment
from api.web.visitor import Fields, Parts, SignedIn, Visitor, bear
from core import door, second_factor, web_sessions
from core.errors import UsageError
from core.lockout import Locked
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM

router = APIRouter(prefix="/compte/second-facteur")
_PAGE, _LONGEST = "/compte/second-facteur", 300


@router.get("")
def shown(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show where the second factor stands: off, being enrolled, or on."""
    return _page(request, platform, visitor)


@router.post("/debut")
def begin(platform: Parts, visitor: SignedIn, fields: Fields) -> RedirectResponse:
    """Make a fresh secret to enrol."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        second_factor.begin(session, platform.secrets, visitor.person_id)
    return RedirectResponse(_PAGE, status_code=303)


@router.post("")
def turn_on(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Turn it on with a code of the application; the session goes on under another cookie.

    The password is asked for: a passer-by who enrols a telephone of theirs would lock the owner out.
    """
    visitor.check(fields.get("csrf"))
    try:
        _confirm_password(platform, visitor, fields)
        door.count_code(platform.database, visitor.person_id)
        with platform.database.writing(PLATFORM) as session:
            person = session.get_one(Person, visitor.person_id)
            codes = door.turn_on(session, platform.secrets, person, fields.get("code", "")[:_LONGEST])
            web_sessions.close_of(session, person.id)
            cookie, _ = web_sessions.open_session(session, person, device_of(request.headers.get("user-agent", "")))
    except (UsageError, Locked) as refused:
        return _page(request, platform, visitor, trouble=refused)
    answer = _codes(request, None, codes, on=True)
    bear(request, answer, cookie)
    return answer


@router.post("/codes")
def renew_codes(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Make other recovery codes, in place of those that are left."""
    visitor.check(fields.get("csrf"))
    try:
        _confirm_password(platform, visitor, fields)
    except (UsageError, Locked) as refused:
        return _page(request, platform, visitor, trouble=refused)
    with platform.database.writing(PLATFORM) as session:
        if not second_factor.is_on(session, visitor.person_id):
            return RedirectResponse(_PAGE, status_code=303)
        codes = second_factor.renew_recovery_codes(session, visitor.person_id)
        door.note(session, visitor.person_id, "person.recovery_codes_renewed")
    return _codes(request, visitor, codes, on=False)


@router.post("/retrait")
def turn_off(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Turn it off."""
    visitor.check(fields.get("csrf"))
    try:
        _confirm_password(platform, visitor, fields)
    except (UsageError, Locked) as refused:
        return _page(request, platform, visitor, trouble=refused)
    with platform.database.writing(PLATFORM) as session:
        second_factor.remove(session, visitor.person_id)
        door.note(session, visitor.person_id, "person.second_factor_removed")
    return RedirectResponse(_PAGE, status_code=303)


def _confirm_password(platform: Platform, visitor: Visitor, fields: dict[str, str]) -> None:
    with platform.database.reading(PLATFORM) as session:
        person = session.get_one(Person, visitor.person_id)
    door.confirm_password(platform.database, person, fields.get("password", "")[:_LONGEST])


def _codes(request: Request, visitor: Visitor | None, codes: list[str], *, on: bool) -> HTMLResponse:
    return render(request, "web/sign_in/recovery.html", visitor=visitor, codes=codes, on=on, onwards=_PAGE)


def _page(request: Request, platform: Platform, visitor: Visitor, trouble: Exception | None = None) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        person = session.get_one(Person, visitor.person_id)
        on = second_factor.is_on(session, person.id)
        begun = second_factor.begun(session, platform.secrets, person.id) is not None
        values: dict[str, Any] = {
            "required": second_factor.is_required(session, platform.secrets, person.id),
            "codes_left": second_factor.recovery_codes_left(session, person.id),
        }
    if begun:
        values |= enrolment(platform, person)
    status = 200 if trouble is None else 429 if isinstance(trouble, Locked) else 400
    state = "on" if on else "enrol" if begun else "off"
    return render(
        request,
        "web/sign_in/second_factor.html",
        visitor=visitor,
        status=status,
        state=state,
        trouble=str(trouble or ""),
        csrf=visitor.csrf,
        **values,
    )
