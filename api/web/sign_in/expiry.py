"""The end of a session, told beforehand: how long it lasts, the words of the warning, and one more hour for who asks.

Asking how long is left does not count as use. The script that asks is ``static/expiry.js``; without it, the next request
leads to the door, which says what happened and brings back.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn, behind
from core.messages import current_locale, speaking

router = APIRouter()


@router.get("/compte/session")
def left(request: Request, platform: Parts) -> JSONResponse:
    """Return how many seconds are left, and what a form must bear: another tab may have signed in again."""
    visitor = behind(request, platform, uses=False)
    return JSONResponse({"left": visitor.left, "csrf": visitor.csrf})


@router.get("/compte/session/avis")
def warning(request: Request, langue: str = "") -> HTMLResponse:
    """Return the warning itself, in the language of the page that shows it: words that anybody may read."""
    with speaking(langue or current_locale()):
        return render(request, "web/sign_in/warning.html")


@router.post("/compte/session")
def extend(request: Request, platform: Parts, visitor: SignedIn, fields: Fields) -> JSONResponse:
    """Keep the session open: this request is use."""
    visitor.check(fields.get("csrf"))
    return left(request, platform)
