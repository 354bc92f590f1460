"""What a request is answered that fails outside the service itself: a fault of SOAP, which its clients can read."""

from __future__ import annotations

from http import HTTPStatus

from fastapi.responses import Response
from starlette.requests import Request

from api.problems import Fault
from connectors.iparapheur import messages as wire
from connectors.iparapheur.writing import MEDIA, encode, spoken
from core.messages import Catalogue

_messages = Catalogue("api.iparapheur")
PATHS = (wire.PATH, "/ws-iparapheur")
_KEPT = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
"""Statuses that say more than the one of every fault (SOAP 1.1, 6.2)."""


def is_iparapheur(path: str) -> bool:
    """Tell whether an address is one of the interface."""
    return path in PATHS


def client(text: str) -> wire.Fault:
    """Return a fault of whoever asks."""
    return wire.Fault("Client", spoken(text))


def server(text: str) -> wire.Fault:
    """Return a fault of ours."""
    return wire.Fault("Server", spoken(text))


def ours(reference: str) -> wire.Fault:
    """Return a fault of ours that nobody foresaw: it tells nothing of itself, and the log has its reference."""
    return server(_messages("fault.ours", reference=reference))


def soap_fault(request: Request, fault: Fault) -> Response:
    """Return a refusal of the gate, a turn that did not come, or what nobody foresaw."""
    told = client(fault.detail) if fault.status < HTTPStatus.INTERNAL_SERVER_ERROR else server(fault.detail)
    if fault.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        told = ours(request.state.reference)
    status = fault.status if fault.status in _KEPT else HTTPStatus.INTERNAL_SERVER_ERROR
    return Response(b"".join(encode(told)), status_code=status, media_type=MEDIA, headers=dict(fault.headers))
