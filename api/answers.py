"""One answer to an error: problem details for software, a page for people, a bare one for the public and for recipients."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.courrier.faults import recipients_fault
from api.courrier.visitor import is_recipients
from api.iparapheur.faults import is_iparapheur, soap_fault
from api.pastell.faults import is_pastell, pastell_fault
from api.problems import fault_of, problem_response
from api.publications.faults import is_public, public_fault
from api.s2low.faults import is_s2low, s2low_fault
from api.web.errors.page import error_page
from core.errors import Misconfigured, TabellionError, Unauthenticated

_log = structlog.get_logger()
SOFTWARE = ("/v1/", "/health/", "/metrics")


def answer(request: Request, error: Exception) -> Response:
    """Return what a failed request is answered."""
    if isinstance(error, Misconfigured):
        _log.error("http.misconfigured", request=request.state.reference, reason=str(error))
    fault = fault_of(error)
    if request.url.path.startswith(SOFTWARE):
        return problem_response(request, fault)
    if is_s2low(request.url.path):
        return s2low_fault(request, fault)
    if is_pastell(request.url.path):
        return pastell_fault(request, fault)
    if is_iparapheur(request.url.path):
        return soap_fault(request, fault)
    if isinstance(error, RequestValidationError) and any(part["loc"][0] == "path" for part in error.errors()):
        fault = fault_of(HTTPException(HTTPStatus.NOT_FOUND))  # nothing has such an identifier; patterns are for software
    if is_public(request.url.path):
        return public_fault(request, fault)
    if is_recipients(request.url.path):
        return recipients_fault(request, fault)
    if isinstance(error, Unauthenticated) and request.method == "GET" and "HX-Request" not in request.headers:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(request.url_for("sign_in").include_query_params(suite=asked), status_code=303)
    return error_page(request, fault)


async def _foreseen(request: Request, error: Exception) -> Response:
    return answer(request, error)


async def _unforeseen(request: Request, error: Exception) -> Response:
    """Answer to a fault of ours; whoever serves the application logs its trace, this line ties it to the reference."""
    _log.error("http.fault", request=request.state.reference, error=type(error).__name__)
    return answer(request, error)


def install(app: FastAPI) -> None:
    """Have every error of the application answered so."""
    for kind in (TabellionError, HTTPException, RequestValidationError, DataError):
        app.add_exception_handler(kind, _foreseen)
    app.add_exception_handler(Exception, _unforeseen)
