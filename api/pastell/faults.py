"""What a request is answered that the gate refuses, or that leads nowhere: in the form and the sentences of the interface."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.requests import Request

from api.pastell import words
from api.pastell.calls import refusal
from api.problems import Fault

ROOT, V2 = "/api", "/api/v2"
METHODS = ("GET", "POST", "PATCH", "DELETE")
_RESOURCES = frozenset({"version", "flux", "entite"})
_OURS, _NOWHERE, _METHOD = 500, 404, 405
TOLD_APART = frozenset({401, 403, 404, 405, 429, 500, 503})
"""Statuses that the old names keep; they answer all others with 200."""


def is_pastell(path: str) -> bool:
    """Tell whether an address is one of the interface; some names of S2LOW stand among those of its first generation."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def is_old(path: str) -> bool:
    """Tell whether an address is of the first generation."""
    return path.endswith(".php")


def pastell_fault(request: Request, fault: Fault) -> Response:
    """Return a refusal of the gate, or of an address that leads nowhere."""
    old = is_old(request.url.path)
    status, told = fault.status, fault.detail
    if status in {_NOWHERE, _METHOD} and request.method not in METHODS:
        status, told = _METHOD, words.NO_SUCH_METHOD
    elif status == _METHOD:
        told = words.NOT_BY_METHOD.format(method=request.method.lower())
    elif status == _NOWHERE:
        status, told = _nowhere(request.url.path)
    return refusal(told, status if not old or status in TOLD_APART else 200, texts=old)


def _nowhere(path: str) -> tuple[int, str]:
    """Return the status of an address that leads nowhere, and what is said of it."""
    generation, _, rest = path.removeprefix(f"{ROOT}/").partition("/")
    if path in {ROOT, f"{ROOT}/"}:
        return 400, words.NO_FUNCTION
    if is_old(path):
        return _NOWHERE, words.NO_SCRIPT.format(name=path.removeprefix(f"{ROOT}/")[:60])
    if generation != "v2":
        return 400, words.NO_GENERATION
    if not rest:
        return 400, words.NO_RESOURCE
    first = rest.partition("/")[0]
    name = rest if first in _RESOURCES else f"{first[:1].upper()}{first[1:]}"
    return _NOWHERE, words.RESOURCE_NOT_FOUND.format(name=name[:60])
