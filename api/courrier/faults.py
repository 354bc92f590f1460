"""What a recipient is told when an address leads to nothing, or something does not work."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.courrier.visitor import page
from api.problems import Fault


def recipients_fault(request: Request, fault: Fault) -> HTMLResponse:
    """Return a fault as a recipients' page; whatever leads to nothing is said in the same words, whatever it was."""
    if fault.status == HTTPStatus.NOT_FOUND:
        return page(request, "nowhere.html", status=fault.status)
    answer = page(request, "fault.html", status=fault.status, fault=fault, reference=request.state.reference)
    answer.headers.update(fault.headers)
    return answer
