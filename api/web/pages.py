"""Rendering pages: one Jinja environment, escaping everything, that speaks through the catalogue."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from api import words
from api.web.archive.tabs import row_of
from api.web.navigation import entries
from api.web.visitor import Visitor
from core.messages import current_locale
from core.principal import Right

_API = Path(__file__).parents[1]
_STATIC = Path(__file__).parent / "static"
_templates = Environment(
    loader=FileSystemLoader(_API),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # a process goes on with the pages of its own version while another is installed
)
_templates.globals |= {"label": words.label, "told": words.told, "archive_tabs": row_of}
_templates.filters |= {
    "moment": words.moment,
    "euros": words.euros,
    "second": words.moment_to_the_second,
    "in_full": words.moment_in_full,
    "day": words.day,
    "number": words.number,
    "size": words.size,
}


def render(request: Request, template: str, *, visitor: Visitor | None = None, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page; ``template`` is a path below ``api/``, ``visitor`` whoever is signed in."""
    shown = _templates.get_template(template).render(
        t=words.of_page(template),
        asset=_versioned,
        lang=current_locale(),
        visitor=visitor,
        may_deposit=visitor is not None and bool(visitor.where(Right.DEPOSIT)),
        navigation=entries(visitor, request.url.path),
        path=request.url.path,
        **context,
    )
    return HTMLResponse(shown, status_code=status)


def _versioned(name: str) -> str | None:
    """Return the address of a static file, with its digest so that a browser may keep it; None when it was not built."""
    path = _STATIC / name
    if not path.exists():
        return None
    moment = path.stat().st_mtime_ns
    return f"/static/{name}?v={hashlib.sha256(str(moment).encode()).hexdigest()[:12]}"
