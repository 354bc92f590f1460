"""The page behind a link that was handed over: a person chooses a password. The secret in the address is all that opens it."""

from __future__ import annotations

import secrets
from typing import Annotated
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.pages import render
from api.web.visitor import Fields, Parts, over_https, platform_of, same
from api.words import messages
from core import invitations
from core.errors import UsageError
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM

router = APIRouter()
_t = Catalogue("api.web.people")
_PATH, _BEFORE = "/invitation", "tabellion_invitation"
_LONGEST = 300
Secret = Annotated[str, Path(max_length=100)]


def link(request: Request, secret: str) -> str:
    """Return the whole address to hand over."""
    root = platform_of(request).settings.public_url or str(request.base_url)
    return f"{root.rstrip('/')}{_PATH}/{secret}"


@router.get(f"{_PATH}/{{secret}}")
def ask(request: Request, platform: Parts, secret: Secret) -> HTMLResponse:
    """Show the form."""
    return _form(request, platform, secret)


@router.post(f"{_PATH}/{{secret}}")
async def choose(request: Request, platform: Parts, fields: Fields, secret: Secret) -> Response:
    """Keep the password that was chosen, and lead to the door."""
    if not same(request.cookies.get(_BEFORE) or secrets.token_hex(), fields.get("csrf")):
        return _form(request, platform, secret, status=403, trouble=messages("form.foreign"))
    password = fields.get("password", "")[:_LONGEST]

    def keep() -> None:
        if password != fields.get("again", ""):
            raise UsageError(_t("invitation.mistyped"))
        with platform.database.writing(PLATFORM) as session:
            invitations.accept(session, secret, password)

    try:
        await to_thread.run_sync(keep)
    except UsageError as refused:
        return _form(request, platform, secret, status=400, trouble=str(refused))
    answer = RedirectResponse("/connexion?fait=mot-de-passe", status_code=303)
    answer.delete_cookie(_BEFORE, path=_PATH)
    return answer


def _form(request: Request, platform: Platform, secret: str, *, status: int = 200, trouble: str = "") -> HTMLResponse:
    person = _invited(platform, secret)
    token = request.cookies.get(_BEFORE) or secrets.token_urlsafe(32)
    page = render(
        request,
        "web/people/invitation.html",
        status=status,
        csrf=token,
        person=person,
        action=f"{_PATH}/{quote(secret, safe='')}",
        trouble=trouble,
    )
    page.set_cookie(_BEFORE, token, path=_PATH, httponly=True, secure=over_https(request), samesite="lax")
    return page


def _invited(platform: Platform, secret: str) -> Person:
    with platform.database.reading(PLATFORM) as session:
        return invitations.invited(session, secret)
