"""What a request is answered that the gate refuses, or that leads nowhere: ``KO`` and words, as every refusal here."""

from __future__ import annotations

from fastapi.responses import Response
from starlette.requests import Request

from api.problems import Fault
from api.s2low.calls import refused

_MODULES = "/modules/"
TEST, INFO, NONCE, LOGINS = (
    "/api/test-connexion.php",
    "/api/info-connexion.php",
    "/api/get-nounce.php",
    "/admin/users/api-list-login.php",
)


def is_s2low(path: str) -> bool:
    """Tell whether an address is one of the interface."""
    return path.startswith(_MODULES) or path in {TEST, INFO, NONCE, LOGINS}


def s2low_fault(request: Request, fault: Fault) -> Response:
    """Return a refusal of the gate, or of an address that leads nowhere."""
    return refused(request.url.path, [fault.detail], fault.status)
