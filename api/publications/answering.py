"""Answers that a reader may keep: each bears a validator, and is not given again to whoever has it (RFC 9110, 13.1.2)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.web.pages import render

_SHORTLY = "public, max-age=60"
_ASKED_AGAIN = "public, no-cache"
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def page(request: Request, template: str, **context: Any) -> Response:
    """Return a page below ``api/publications``: a browser asks each time whether it has changed, so that nothing lingers."""
    shown = render(request, f"publications/{template}", **context)
    return validated(request, tag_of(bytes(shown.body)), lambda: shown, keeps=_ASKED_AGAIN)


def validated(request: Request, tag: str, make: Callable[[], Response], *, keeps: str = _SHORTLY) -> Response:
    """Return what is made, or that the reader has it already.

    Args:
        request: which may say what its sender has.
        tag: names the content, and no other.
        make: makes the answer; not called for a reader who has it.
        keeps: for how long a copy counts without asking.
    """
    known = request.headers.get("if-none-match", "")
    held = known.strip() == "*" or f'"{tag}"' in _TAG.findall(known)
    answer = Response(status_code=304) if held else make()
    answer.headers["ETag"], answer.headers["Cache-Control"] = f'"{tag}"', keeps
    return answer


def tag_of(octets: bytes) -> str:
    """Return the validator of octets."""
    return hashlib.sha256(octets).hexdigest()[:32]


def gone(request: Request, template: str, **context: Any) -> HTMLResponse:
    """Return a page that says that what was here is so no more."""
    return render(request, f"publications/{template}", status=410, **context)
