"""Who stands behind a request of the recipients' pages: the cookie of a visit, what a form must bear, from where it comes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.visitor import Parts, platform_of, same
from core.errors import Conflict, Forbidden, NotFound
from core.messages import Catalogue
from flows.mail import opening
from flows.mail.opening import Visited
from flows.mail.sightings import Circumstances

ROOT = "/courrier"
COOKIE = "tabellion_courrier"
BEFORE = "tabellion_courrier_avant"
"""Before anything is withdrawn, a form is ours if it bears what this cookie bears."""
MAIL = "envoi"
"""What the addresses of a visit's pages bear: the mail that they are about."""
PRIVATE = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
_t = Catalogue("api.courrier")
_LONGEST_AGENT, _LONGEST_LANGUAGE = 300, 100
# Argon2 takes 64 MB and a core for each password: a crowd at the door must not fill the machine.
_AT_ONCE = 2
Outcome = TypeVar("Outcome")


def is_recipients(path: str) -> bool:
    """Tell whether an address stands among the recipients' pages."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page below ``api/courrier``, which nobody keeps and no address leaves."""
    shown = render(request, f"courrier/{template}", status=status, **{"opened": None, **context})
    shown.headers.update(PRIVATE)
    return shown


def onwards(path: str) -> RedirectResponse:
    """Go on to another of these pages."""
    return RedirectResponse(path, status_code=303)


def circumstances(request: Request) -> Circumstances:
    """Return from where a request comes."""
    return Circumstances(
        ip=request.client.host if request.client else "",
        agent=request.headers.get("user-agent", "")[:_LONGEST_AGENT],
        language=request.headers.get("accept-language", "")[:_LONGEST_LANGUAGE],
        tls="https" if is_secure(request) else "http",
        method=request.method,
    )


def is_secure(request: Request) -> bool:
    """Tell whether recipients reach these pages over https, possibly through a proxy."""
    settings = platform_of(request).settings
    return "https" in {request.url.scheme, urlsplit(settings.recipients_url or settings.public_url).scheme}


def bear(request: Request, answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Have an answer bear a cookie of these pages."""
    answer.set_cookie(name, value, max_age=seconds, path=ROOT, httponly=True, secure=is_secure(request), samesite="lax")


def token_before(request: Request) -> str:
    """Return what the forms of this browser bear before anything is withdrawn; a fresh one when it has none."""
    return request.cookies.get(BEFORE) or secrets.token_urlsafe(32)


def is_ours(request: Request, fields: dict[str, str]) -> bool:
    """Tell whether a form came from a page that this browser was given."""
    return same(request.cookies.get(BEFORE) or secrets.token_hex(), fields.get("csrf"))


async def in_turn(request: Request, act: Callable[[], Outcome]) -> Outcome:
    """Do what judges a password in a thread, few at once."""
    limiter: CapacityLimiter = request.app.state.__dict__.setdefault("courrier_limiter", CapacityLimiter(_AT_ONCE))
    return await to_thread.run_sync(act, limiter=limiter)


def visit(request: Request, platform: Parts) -> Visited:
    """Return the visit that a request belongs to.

    Raises:
        NotFound: there is none, or it is over.
        Conflict: the page that asks was that of another mail: one browser has one visit, that of the link opened last.
    """
    cookie = request.cookies.get(COOKIE, "")
    found = opening.behind_visit(platform, cookie) if cookie else None
    if found is None:
        raise NotFound(_t("nowhere.title"))
    if request.query_params.get(MAIL, found.opened.dossier.id) != found.opened.dossier.id:
        raise Conflict(_t("visit.other"))
    return found


Visiting = Annotated[Visited, Depends(visit)]
"""The visit; without one, the page is that of a link which leads to nothing."""


def check(visited: Visited, token: str | None) -> None:
    """Go on only if a form came from a page of this visit.

    Raises:
        Forbidden: it did not.
    """
    if not same(visited.csrf, token):
        raise Forbidden(_t("stale"))
