"""What a reader of the public pages is told when an address leads to nothing, or something does not work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.problems import Fault
from api.publications.finding import ROOT
from api.web.pages import render


def is_public(path: str) -> bool:
    """Tell whether an address stands among the public pages."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def public_fault(request: Request, fault: Fault) -> HTMLResponse:
    """Return a fault as a public page; it names nothing of what is behind it."""
    page = render(
        request, "publications/fault.html", status=fault.status, fault=fault, reference=request.state.reference, organisation=None
    )
    page.headers.update(fault.headers)
    return page
