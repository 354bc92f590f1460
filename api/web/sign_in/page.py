"""Signing in and out. A wrong password and an unknown address are answered alike, and take as long."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.visitor import COOKIE, Fields, Parts, SignedIn, over_https, same
from api.words import messages
from core.errors import Unauthenticated
from core.people import SESSION_LIFETIME, sign_in, sign_out
from core.platform import Platform
from core.principal import PLATFORM

router = APIRouter()
_BEFORE = "tabellion_connexion"
_HOME = "/dossiers"
_LONGEST = 300
_LOCAL = re.compile(r"(/[A-Za-z0-9_-]+)+")
# Argon2 takes 64 MB and a core for each password: a crowd at the door must not fill the machine.
_AT_ONCE = 2


@router.get("/connexion", name="sign_in")
def ask(request: Request, suite: str = _HOME) -> HTMLResponse:
    """Show the form."""
    return _form(request, suite)


@router.post("/connexion")
async def enter(request: Request, fields: Fields, platform: Parts) -> Response:
    """Open a session and go to the page that was asked for."""
    suite = fields.get("suite", _HOME)
    if not same(request.cookies.get(_BEFORE) or secrets.token_hex(), fields.get("csrf")):
        return _form(request, suite, trouble=messages("sign_in.stale"), status=403)
    limiter: CapacityLimiter = request.app.state.__dict__.setdefault("sign_in_limiter", CapacityLimiter(_AT_ONCE))
    try:
        cookie = await to_thread.run_sync(_open, platform, fields, limiter=limiter)
    except Unauthenticated:
        return _form(request, suite, trouble=messages("sign_in.refused"), status=401, email=fields.get("email", ""))
    answer = RedirectResponse(suite if _LOCAL.fullmatch(suite) else _HOME, status_code=303)
    answer.delete_cookie(_BEFORE, path="/connexion")
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        httponly=True,
        secure=over_https(request),
        samesite="lax",
    )
    return answer


@router.post("/deconnexion")
def leave(request: Request, fields: Fields, platform: Parts, visitor: SignedIn) -> RedirectResponse:
    """Close the session."""
    visitor.check(fields.get("csrf"))
    with platform.database.writing(PLATFORM) as session:
        sign_out(session, request.cookies[COOKIE])
    answer = RedirectResponse("/connexion", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _open(platform: Platform, fields: Mapping[str, str]) -> str:
    email, password = fields.get("email", "")[:_LONGEST], fields.get("password", "")[:_LONGEST]
    # The password is verified before the database is written to: SQLite's one writer is not held meanwhile.
    with platform.database.reading(PLATFORM) as session:
        cookie, opened = sign_in(session, email, password)
        session.expunge(opened)
    with platform.database.writing(PLATFORM) as session:
        session.add(opened)
    return cookie


def _form(request: Request, suite: str, *, trouble: str = "", status: int = 200, email: str = "") -> HTMLResponse:
    # Before anyone is known, a form is ours if it bears what the cookie bears.
    token = request.cookies.get(_BEFORE) or secrets.token_urlsafe(32)
    page = render(
        request, "web/sign_in/sign_in.html", status=status, csrf=token, suite=suite, trouble=trouble, email=email[:_LONGEST]
    )
    page.set_cookie(_BEFORE, token, path="/connexion", httponly=True, secure=over_https(request), samesite="lax")
    return page
