"""What a request is answered that the gate refuses, or that leads nowhere: in the form of the interface."""

from __future__ import annotations

from fastapi.responses import Response

from api.pastell.calls import refusal
from api.problems import Fault

V2 = "/api/v2"


def is_pastell(path: str) -> bool:
    """Tell whether a path is one of the second generation; the names of the first stand among those of S2LOW."""
    return path.startswith(f"{V2}/")


def pastell_fault(fault: Fault) -> Response:
    """Return a refusal of the gate, or of an address that leads nowhere."""
    return refusal(fault.detail, fault.status)
