"""Signing in and out: a password, then a code where one is asked for. What is known and what is not are answered alike.

One address shows the step that is due: between the two a cookie says whose code is awaited, and opens nothing else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.sign_in import expiry
from api.web.sign_in.device import device_of
from api.web.sign_in.enrolment import enrolment
from api.web.visitor import COOKIE, Fields, Parts, SignedIn, bear, over_https, same
from api.words import messages
from core import door, second_factor, web_sessions
from core.door import Admitted
from core.errors import Unauthenticated, UsageError
from core.lockout import Locked
from core.platform import Platform
from core.principal import PLATFORM

router = APIRouter()
router.include_router(expiry.router)
Outcome = TypeVar("Outcome")
_BEFORE = "tabellion_connexion"
_AWAITING = "tabellion_double"
_PATH = "/connexion"
_HOME = "/"
_LONGEST = 300
_LOCAL = re.compile(r"(/[A-Za-z0-9_-]+)+(\?[A-Za-z0-9_=&%.,:~+-]*)?")
_DONE = ("mot-de-passe", "partout")
# Argon2 takes 64 MB and a core for each password: a crowd at the door must not fill the machine.
_AT_ONCE = 2


@router.get("/connexion", name="sign_in")
async def ask(request: Request, platform: Parts, suite: str = _HOME, fait: str = "") -> HTMLResponse:
    """Show the form of the step that is due; ``fait`` says what the visitor has just done."""
    done = fait if fait in _DONE else ""
    over = not done and await to_thread.run_sync(_is_over, platform, request.cookies.get(COOKIE, ""))
    return await _shown(request, platform, suite, done=done, over=over)


@router.post("/connexion")
async def enter(request: Request, fields: Fields, platform: Parts) -> Response:
    """Take the answer to the step that is due, and go on."""
    suite = fields.get("suite", _HOME)
    if not same(request.cookies.get(_BEFORE) or secrets.token_hex(), fields.get("csrf")):
        return await _shown(request, platform, suite, trouble=messages("sign_in.stale"), status=403)
    if "recommencer" in fields:
        return _again()
    awaiting = request.cookies.get(_AWAITING, "")
    try:
        if "code" in fields:
            return await _take_code(request, platform, awaiting, fields["code"][:_LONGEST], suite)
        return await _take_password(request, platform, fields, suite)
    except Locked as locked:
        page = await _shown(request, platform, suite, trouble=str(locked), status=429, email=fields.get("email", ""))
        page.headers["Retry-After"] = str(int(locked.wait.total_seconds()) + 1)
        return page
    except (Unauthenticated, UsageError) as refused:
        return await _shown(request, platform, suite, trouble=str(refused), status=401, email=fields.get("email", ""))


@router.post("/deconnexion")
def leave(request: Request, fields: Fields, platform: Parts, visitor: SignedIn) -> RedirectResponse:
    """Close the session."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        web_sessions.close(session, request.cookies[COOKIE])
    answer = RedirectResponse(_PATH, status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


async def _take_password(request: Request, platform: Platform, fields: Fields, suite: str) -> Response:
    email, password = fields.get("email", "")[:_LONGEST], fields.get("password", "")[:_LONGEST]
    host = request.client.host if request.client else ""
    device = device_of(request.headers.get("user-agent", ""))

    def present() -> Admitted:
        return door.present_password(platform.database, platform.secrets, email, password, host=host, device=device)

    admitted = await _one_of_few(request, present)
    if admitted.session:
        return await _let_in(request, platform, admitted.session, RedirectResponse(_safe(suite), status_code=303))
    answer = RedirectResponse(request.url_for("sign_in").include_query_params(suite=_safe(suite)), status_code=303)
    answer.set_cookie(
        _AWAITING,
        admitted.awaiting,
        max_age=int(web_sessions.UNFINISHED.total_seconds()),
        path=_PATH,
        httponly=True,
        secure=over_https(request),
        samesite="lax",
    )
    return answer


async def _take_code(request: Request, platform: Platform, awaiting: str, code: str, suite: str) -> Response:
    device = device_of(request.headers.get("user-agent", ""))

    def present() -> tuple[Admitted, list[str]]:
        person = door.whose(platform.database, awaiting)
        with platform.database.reading(PLATFORM) as session:
            enrolled = second_factor.is_on(session, person.id)
        if not enrolled:
            return door.enrol(platform.database, platform.secrets, awaiting, code, device=device)
        return door.present_code(platform.database, platform.secrets, awaiting, code, device=device), []

    admitted, codes = await _one_of_few(request, present)
    onwards: Response = RedirectResponse(_safe(suite), status_code=303)
    if codes:
        onwards = render(request, "web/sign_in/recovery.html", codes=codes, on=True, onwards=_safe(suite))
    return await _let_in(request, platform, admitted.session, onwards)


async def _let_in(request: Request, platform: Platform, cookie: str, answer: Response) -> Response:
    """Give the cookie of a fresh session; one that the browser had before is closed."""
    if earlier := request.cookies.get(COOKIE):
        await to_thread.run_sync(_close, platform, earlier)
    answer.delete_cookie(_BEFORE, path=_PATH)
    answer.delete_cookie(_AWAITING, path=_PATH)
    bear(request, answer, cookie)
    return answer


def _close(platform: Platform, cookie: str) -> None:
    with platform.database.writing(PLATFORM) as session:
        web_sessions.close(session, cookie)


async def _one_of_few(request: Request, present: Callable[[], Outcome]) -> Outcome:
    limiter: CapacityLimiter = request.app.state.__dict__.setdefault("sign_in_limiter", CapacityLimiter(_AT_ONCE))
    return await to_thread.run_sync(present, limiter=limiter)


def _safe(suite: str) -> str:
    """Return the page that was asked for, if it is one of ours."""
    return suite if _LOCAL.fullmatch(suite) else _HOME


def _again() -> RedirectResponse:
    answer = RedirectResponse(_PATH, status_code=303)
    answer.delete_cookie(_AWAITING, path=_PATH)
    return answer


def _is_over(platform: Platform, cookie: str) -> bool:
    """Tell whether a cookie was that of a session which opens nothing any more."""
    if not cookie:
        return False
    try:
        with platform.database.reading(PLATFORM) as session:
            web_sessions.behind(session, cookie)
    except Unauthenticated:
        return True
    return False


def _step(platform: Platform, awaiting: str) -> dict[str, Any]:
    """Return what the step that is due shows: the password, the code, or a second factor to enrol."""
    with platform.database.reading(PLATFORM) as session:
        person = web_sessions.awaited(session, awaiting)
        if person is None:
            return {"step": "password"}
        if second_factor.is_on(session, person.id):
            return {"step": "code"}
    return {"step": "enrol", **enrolment(platform, person)}


async def _shown(request: Request, platform: Platform, suite: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    # Before anyone is known, a form is ours if it bears what the cookie bears.
    token = request.cookies.get(_BEFORE) or secrets.token_urlsafe(32)
    step = await to_thread.run_sync(_step, platform, request.cookies.get(_AWAITING, ""))
    shown: dict[str, Any] = {"trouble": "", "email": "", "done": "", "over": False} | context | step
    shown["email"] = shown["email"][:_LONGEST]
    page = render(request, "web/sign_in/sign_in.html", status=status, csrf=token, suite=suite, **shown)
    page.set_cookie(_BEFORE, token, path=_PATH, httponly=True, secure=over_https(request), samesite="lax")
    return page
