"""Who is behind a browser: the session cookie, the person, and the token that a form of theirs must bear."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from anyio import to_thread
from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from api.uploads import known
from api.words import messages
from core import clock, web_sessions
from core.errors import Forbidden, Unauthenticated
from core.messages import Catalogue, current_locale, speaking
from core.people import principal_of
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

COOKIE = "tabellion_session"
_door = Catalogue("api.web.sign_in")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in.

    Attributes:
        csrf: what every form of this session bears.
        person_id: who.
        session_id: names the session to its person; opens nothing.
        left: seconds until the session ends if it is not used again.
        language: the one that the person prefers, or nothing: that of the browser.
        density: ``compact``, or nothing.
    """

    principal: Principal
    csrf: str
    person_id: str
    session_id: str
    left: int
    language: str = ""
    density: str = ""

    def check(self, token: str | None) -> None:
        """Go on only if a form came from one of our pages.

        Raises:
            Forbidden: it did not.
        """
        if not same(self.csrf, token):
            raise Forbidden(messages("form.foreign"))

    def where(self, right: Right) -> tuple[str, ...]:
        """Return the organisations in which a right is held."""
        return tuple(identifier for identifier in self.principal.organisations if self.principal.may(right, identifier))


def same(expected: str, given: str | None) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(expected.encode(), (given or "").encode())


def platform_of(request: Request) -> Platform:
    """Return the platform that serves the request."""
    platform: Platform = request.app.state.platform
    return platform


Parts = Annotated[Platform, Depends(platform_of)]


async def _signed_in(request: Request, platform: Parts) -> AsyncIterator[Visitor]:
    visitor = await to_thread.run_sync(_behind, request, platform)
    with speaking(visitor.language or current_locale()):
        yield visitor


def behind(request: Request, platform: Platform, *, uses: bool) -> Visitor:
    """Return who is behind a request.

    Args:
        request: as received.
        platform: which serves it.
        uses: whether the request counts as use of the session, which keeps it open.

    Raises:
        Unauthenticated: nobody, or no longer.
    """
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated(messages("session.absent"))
    with platform.database.reading(PLATFORM) as session:
        person, opened = web_sessions.behind(session, cookie)
        principal = principal_of(session, person)
    known(request, principal.actor)
    if uses and web_sessions.is_worth_noting(opened):
        with platform.database.writing(PLATFORM) as session:
            web_sessions.note_use(session, opened)
    left = max(0, int((opened.ends - clock.now()).total_seconds()))
    return Visitor(principal, opened.csrf, person.id, opened.id, left, person.language, person.density)


def _behind(request: Request, platform: Platform) -> Visitor:
    # A page that asks for news by itself is not somebody who uses it.
    by_itself = request.method == "GET" and (
        "HX-Request" in request.headers or "text/event-stream" in request.headers.get("accept", "")
    )
    return behind(request, platform, uses=not by_itself)


SignedIn = Annotated[Visitor, Depends(_signed_in)]


def allowed(*rights: Right) -> Any:
    """Return a dependency that lets in whoever holds one of these rights somewhere; where, is asked further on."""

    def check(visitor: SignedIn) -> None:
        if not any(visitor.where(right) for right in rights):
            raise Forbidden(_door("visitor.not_allowed"))

    return Depends(check)


def _administers(visitor: SignedIn) -> Visitor:
    if not visitor.where(Right.ADMINISTER):
        raise Forbidden(_door("visitor.no_administration"))
    return visitor


Administers = Annotated[Visitor, Depends(_administers)]


def over_https(request: Request) -> bool:
    """Tell whether people reach the platform over https, possibly through a proxy."""
    return "https" in {request.url.scheme, urlsplit(platform_of(request).settings.public_url).scheme}


def bear(request: Request, answer: Response, cookie: str) -> None:
    """Have an answer bear the cookie of a session."""
    answer.set_cookie(
        COOKIE,
        cookie,
        max_age=int(web_sessions.LONGEST.total_seconds()),
        httponly=True,
        secure=over_https(request),
        samesite="lax",
    )


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=100)
    return {name: value for name, value in form.items() if isinstance(value, str) and "\x00" not in value}


Fields = Annotated[dict[str, str], Depends(_fields)]
