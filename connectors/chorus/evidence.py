"""What is kept of every call, to prove what was asked and answered and to ask the support of PISTE: no secret, no file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

BULK = 4096
"""Characters beyond which a text is a file, or is cut."""

_FILES = {"fichierFlux", "pieceJointeFichier"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """Evidence of one call; a call that was replayed with a new token is two.

    Attributes:
        service: path below ``/cpro``.
        moment: when it left.
        request: what was asked; a file in it is replaced by its SHA-256 and its size. No secret is ever in it.
        status: of HTTP; zero when no answer came.
        code: ``codeRetour``; None when there was none.
        wording: ``libelle``.
        correlation: ``x-correlationid``, which the support of PISTE asks for.
        size: octets of the answer that were read.
        sha256: of these octets.
    """

    service: str
    moment: datetime
    request: Mapping[str, Any]
    status: int
    code: int | None
    wording: str
    correlation: str
    size: int
    sha256: str


Evidence = Callable[[Exchange], None]
"""Keeps the evidence of a call, whether it went well or not."""


def without_files(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request fit to be kept: files, and texts too long to be anything else, are replaced by digest and size."""
    return {
        name: {"sha256": hashlib.sha256(value.encode()).hexdigest(), "size": len(value)}
        if isinstance(value, str) and (name in _FILES or len(value) > BULK)
        else value
        for name, value in body.items()
    }
