"""“Mon compte”: what a person sets for themselves. What needs the password again asks for it, and counts the tries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.profile import second_factor
from api.web.sign_in.device import device_of
from api.web.visitor import COOKIE, Fields, Parts, SignedIn, Visitor, bear
from core import door, people, web_sessions
from core import second_factor as factor
from core.errors import Forbidden, UsageError
from core.lockout import Locked
from core.messages import LOCALES, Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM, Right

router = APIRouter()
router.include_router(second_factor.router)
_t = Catalogue("api.web.profile")
_DONE = ("nom", "mot-de-passe", "preferences", "session")
_DENSITIES = ("", "compact")
_LONGEST_NAME, _LONGEST = 120, 300


@router.get("/compte")
def shown(request: Request, platform: Parts, visitor: SignedIn, fait: str = "") -> HTMLResponse:
    """Show the account; ``fait`` says what the visitor has just done."""
    return _page(request, platform, visitor, done=fait if fait in _DONE else "")


@router.post("/compte/nom")
def rename(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Change one's name; whoever signs does not: the name of the account says whose certificates it may use.

    Raises:
        Forbidden: the visitor holds desks of the parapheur somewhere.
    """
    visitor.check(fields.get("csrf"))
    if visitor.where(Right.ACT):
        raise Forbidden(_t("name.kept"))
    name = " ".join(fields.get("name", "").split())

    def change() -> Response:
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise UsageError(_t("name.unfit", longest=_LONGEST_NAME))
        with platform.database.writing(PLATFORM) as session:
            people.rename(session.get_one(Person, visitor.person_id), name)
            door.note(session, visitor.person_id, "person.renamed")
        return _done("nom")

    return _tried(request, platform, visitor, "name", change)


@router.post("/compte/mot-de-passe")
def change_password(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> Response:
    """Change one's password; the other sessions are closed, and this one goes on under another cookie."""
    visitor.check(fields.get("csrf"))
    current, fresh = (fields.get(name, "")[:_LONGEST] for name in ("current", "password"))

    def change() -> Response:
        door.confirm_password(platform.database, _self(platform, visitor), current)
        if fresh != fields.get("again", ""):
            raise UsageError(_t("password.mistyped"))
        with platform.database.writing(PLATFORM) as session:
            person = session.get_one(Person, visitor.person_id)
            people.choose_password(person, fresh)
            web_sessions.close_of(session, person.id)
            door.note(session, person.id, "person.password_changed")
            cookie, _ = web_sessions.open_session(session, person, device_of(request.headers.get("user-agent", "")))
        answer = _done("mot-de-passe")
        bear(request, answer, cookie)
        return answer

    return _tried(request, platform, visitor, "password", change)


@router.post("/compte/preferences")
def prefer(platform: Parts, visitor: SignedIn, fields: Fields) -> RedirectResponse:
    """Keep the language and the density that a person prefers."""
    visitor.check(fields.get("csrf"))
    language, density = fields.get("language", ""), fields.get("density", "")
    with platform.database.writing(PLATFORM) as session:
        person = session.get_one(Person, visitor.person_id)
        person.language = language if language in LOCALES else ""
        person.density = density if density in _DENSITIES else ""
    return _done("preferences")


@router.post("/compte/sessions")
def close_sessions(platform: Parts, visitor: SignedIn, fields: Fields) -> RedirectResponse:
    """Close one session, by its identifier, or all of them and this one with them."""
    visitor.check(fields.get("csrf"))
    one = None if "tout" in fields else fields.get("session", "")
    with platform.database.writing(PLATFORM) as session:
        web_sessions.close_of(session, visitor.person_id, one=one)
    if one is not None and one != visitor.session_id:
        return _done("session")
    answer = RedirectResponse("/connexion?fait=partout", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _tried(request: Request, platform: Platform, visitor: Visitor, section: str, change: Callable[[], Response]) -> Response:
    """Do what a form asks, or show the account again with what is wrong beside the form."""
    try:
        return change()
    except (UsageError, Locked) as refused:
        status = 429 if isinstance(refused, Locked) else 400
        return _page(request, platform, visitor, status=status, trouble=str(refused), troubled=section)


def _page(request: Request, platform: Platform, visitor: Visitor, *, status: int = 200, **context: Any) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        person = session.get_one(Person, visitor.person_id)
        values = {
            "person": person,
            "held": people.memberships(session, person.id),
            "sessions": web_sessions.open_of(session, person.id),
            "factor": factor.is_on(session, person.id),
            "codes_left": factor.recovery_codes_left(session, person.id),
        }
    shown = {"done": "", "trouble": "", "troubled": "", "csrf": visitor.csrf, "signs": bool(visitor.where(Right.ACT))}
    shown |= values | context
    return render(request, "web/profile/profile.html", visitor=visitor, status=status, **shown)


def _self(platform: Platform, visitor: Visitor) -> Person:
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(Person, visitor.person_id)


def _done(what: str) -> RedirectResponse:
    return RedirectResponse(f"/compte?fait={what}", status_code=303)
