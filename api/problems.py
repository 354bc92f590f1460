"""Errors as problem details (RFC 9457): every fault of a request has a type, a status, and a sentence that says what to do.

What lives here: which error is which status, and the JSON. What does not: the error pages of the web face (api/web/errors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from api.words import messages
from core.blobs import TooLarge
from core.errors import (
    Conflict,
    Forbidden,
    Gone,
    Misconfigured,
    NeedsOperator,
    NotFound,
    Refused,
    TabellionError,
    Unauthenticated,
    Unavailable,
    UsageError,
)
from core.problems import Severity

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER = "10"


class TooSlow(UsageError):
    """The body of the request stopped coming."""


class UnknownBody(UsageError):
    """The body of the request is of a kind that is not read here."""


# The first class that fits gives the status; a subclass stands before its parent.
_STATUS: tuple[tuple[type[TabellionError], int], ...] = (
    (TooLarge, 413),
    (TooSlow, 408),
    (UnknownBody, 415),
    (UsageError, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Gone, 410),
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 422),
    (Unavailable, 503),
    (NeedsOperator, 503),
    (Misconfigured, 503),
)
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": 'Bearer realm="tabellion"'},
    # What was not read of a body would be taken for the next request.
    408: {"Connection": "close"},
    503: {"Retry-After": _RETRY_AFTER},
}


class ProblemItem(BaseModel):
    """One rule broken at one place, as in ``tabellion check --json``."""

    rule: str
    severity: str
    message: str
    line: int | None = None
    path: str | None = None
    found: str | None = None
    expected: str | None = None
    mend: str | None = None
    scope: str = "flow"


class ProblemDetails(BaseModel):
    """What went wrong with a request (RFC 9457)."""

    type: str = Field(description="URI of the kind of problem; it does not change.")
    title: str
    status: int
    detail: str = Field(description="What is wrong, what was expected, what to do.")
    instance: str = Field(description="Reference of this very request, to be given to the operator.")
    problems: list[ProblemItem] = []
    existing: str | None = Field(None, description="Identifier of what is already there, for a conflict.")


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed request, before it is written as JSON or as a page."""

    status: int
    detail: str
    problems: Sequence[Mapping[str, Any]] = ()
    existing: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the status means, in words."""
        key = f"status.{self.status}"
        return messages(key) if key in messages else HTTPStatus(self.status).phrase


def fault_of(error: Exception) -> Fault:
    """Return what to answer to an error; one that nobody foresaw tells nothing of itself."""
    if isinstance(error, TabellionError):
        return _of_ours(error)
    if isinstance(error, RequestValidationError):
        return Fault(422, messages("invalid.detail"), [_of_value(fault) for fault in error.errors()])
    if isinstance(error, DataError):
        # What no rule foresaw and the database cannot hold, such as the character NUL.
        return Fault(422, messages("detail.unstorable"))
    if isinstance(error, HTTPException):
        key = f"detail.{error.status_code}"
        return Fault(error.status_code, messages(key) if key in messages else error.detail, headers=error.headers or {})
    return Fault(500, messages("detail.500"))


def _of_ours(error: TabellionError) -> Fault:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    headers = _HEADERS.get(status, {})
    if isinstance(error, Refused):
        return Fault(status, messages("detail.422"), [problem.as_json() for problem in error.problems], headers=headers)
    if isinstance(error, Conflict):
        return Fault(status, str(error), existing=error.existing, headers=headers)
    if isinstance(error, Misconfigured):
        # Says where and how the platform is set up: for its operator, who has the log.
        return Fault(status, messages("detail.misconfigured"), headers=headers)
    return Fault(status, str(error) if status != HTTPStatus.INTERNAL_SERVER_ERROR else messages("detail.500"), headers=headers)


def _of_value(fault: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value of the request that does not fit, with the keys of a problem."""
    key = f"invalid.{fault['type']}"
    name = next((part for part in reversed(fault["loc"]) if isinstance(part, str)), "")  # of a list, not its rank
    wanted = fault.get("ctx", {})
    limit = next(
        (wanted[bound] for bound in ("ge", "le", "gt", "lt", "max_length", "pattern", "expected") if bound in wanted), None
    )
    return {
        "rule": "HTTP",
        "severity": Severity.ERROR.value,
        "message": messages(key if key in messages else "invalid.other", name=name),
        "path": ".".join(map(str, fault["loc"])),
        "found": _found(fault),
        "expected": None if limit is None else str(limit),
        "mend": messages("invalid.mend"),
    }


def _found(fault: Mapping[str, Any]) -> str | None:
    if fault["type"] == "json_invalid":
        return str(fault["ctx"]["error"])  # where reading stopped; what was given is the whole body
    return None if fault["type"] == "missing" else str(fault.get("input"))[:200]


def problem_response(request: Request, fault: Fault) -> JSONResponse:
    """Return the fault as problem details."""
    details = ProblemDetails(
        type=f"urn:tabellion:problem:{HTTPStatus(fault.status).name.lower().replace('_', '-')}",
        title=fault.title,
        status=fault.status,
        detail=fault.detail,
        instance=f"urn:tabellion:request:{request.state.reference}",
        problems=[ProblemItem(**problem) for problem in fault.problems],
        existing=fault.existing,
    )
    return JSONResponse(
        details.model_dump(exclude_none=True), status_code=fault.status, headers=dict(fault.headers), media_type=MEDIA_TYPE
    )
