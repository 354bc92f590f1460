"""“Préférences”: what the visitor's signatures say, how they are told, with which certificates they are known to sign."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import words
from api.web.administered import Filled
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core import clock, door
from core.errors import UsageError
from core.platform import Platform
from core.principal import PLATFORM
from signing.parapheur import signatories
from signing.parapheur.models import SignatoryProfile
from signing.parapheur.notices import Frequency

router = APIRouter()
_PATH, _PAGE = "/parapheur/preferences", "web/preferences/preferences.html"
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get(_PATH)
def page(request: Request, platform: Parts, visitor: SignedIn, fait: str = "") -> HTMLResponse:
    """Show the preferences; ``fait`` says what the visitor has just done."""
    return _shown(request, platform, visitor, done=fait)


@router.post(_PATH)
def prefer(request: Request, platform: Parts, visitor: SignedIn, sheet: Filled) -> Response:
    """Keep what the visitor's signatures say, and how they want to be told."""
    visitor.check(sheet.text("csrf"))
    wanted = SignatoryProfile(
        person_id=visitor.person_id,
        quality=sheet.text("quality"),
        city=sheet.text("city"),
        postal_code=sheet.text("postal_code"),
        frequency=sheet.text("frequency"),
    )
    try:
        wanted.digest_hour = sheet.number("digest_hour", otherwise=8)
        with platform.database.writing(PLATFORM) as session:
            signatories.keep_profile(session, wanted)
            door.note(session, visitor.person_id, "person.signature_changed")
    except UsageError as refused:
        return _shown(request, platform, visitor, status=400, trouble=str(refused), profile=wanted)
    return RedirectResponse(f"{_PATH}?fait=garde", status_code=303)


@router.post(f"{_PATH}/certificats/{{sha256}}/oubli")
def forget(platform: Parts, visitor: SignedIn, sha256: Digest, sheet: Filled) -> RedirectResponse:
    """Forget one of the visitor's certificates."""
    visitor.check(sheet.text("csrf"))
    with platform.database.writing(PLATFORM) as session:
        signatories.forget(session, visitor.person_id, sha256)
        door.note(session, visitor.person_id, "certificate.forgotten")
    return RedirectResponse(f"{_PATH}?fait=oublie", status_code=303)


def _shown(
    request: Request, platform: Platform, visitor: Visitor, *, status: int = 200, done: str = "", **said: Any
) -> HTMLResponse:
    with platform.database.reading(PLATFORM) as session:
        values: dict[str, Any] = {
            "profile": signatories.profile_of(session, visitor.person_id),
            "certificates": signatories.known_to(session, visitor.person_id),
        }
    values |= {
        "frequencies": list(Frequency),
        "now": clock.now(),
        "done": done if f"done.{done}" in words.of_page(_PAGE) else "",
        "trouble": "",
        "csrf": visitor.csrf,
    }
    return render(request, _PAGE, visitor=visitor, status=status, **values | said)
