"""Who is behind a browser: the session cookie, the person, and the token that a form of theirs must bear."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request

from api.words import messages
from core.errors import Forbidden, Unauthenticated
from core.people import person_behind
from core.platform import Platform
from core.principal import PLATFORM, Principal

COOKIE = "tabellion_session"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in.

    Attributes:
        csrf: what every form of this session bears.
    """

    principal: Principal
    csrf: str

    def check(self, token: str | None) -> None:
        """Go on only if a form came from one of our pages.

        Raises:
            Forbidden: it did not.
        """
        if not same(self.csrf, token):
            raise Forbidden(messages("form.foreign"))


def same(expected: str, given: str | None) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(expected.encode(), (given or "").encode())


def platform_of(request: Request) -> Platform:
    """Return the platform that serves the request."""
    platform: Platform = request.app.state.platform
    return platform


Parts = Annotated[Platform, Depends(platform_of)]


def _signed_in(request: Request, platform: Parts) -> Visitor:
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise Unauthenticated(messages("session.absent"))
    with platform.database.reading(PLATFORM) as session:
        principal, opened = person_behind(session, cookie)
    return Visitor(principal, opened.csrf)


SignedIn = Annotated[Visitor, Depends(_signed_in)]


def over_https(request: Request) -> bool:
    """Tell whether people reach the platform over https, possibly through a proxy."""
    return "https" in {request.url.scheme, urlsplit(platform_of(request).settings.public_url).scheme}


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=20)
    return {name: value for name, value in form.items() if isinstance(value, str) and "\x00" not in value}


Fields = Annotated[dict[str, str], Depends(_fields)]
