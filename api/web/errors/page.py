"""The error page: what happened, what was not done, what to do, and the reference to give to the operator."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.problems import Fault
from api.web.pages import render


def error_page(request: Request, fault: Fault) -> HTMLResponse:
    """Return a fault as a page."""
    page = render(request, "web/errors/error.html", status=fault.status, fault=fault, reference=request.state.reference)
    page.headers.update(fault.headers)
    return page
