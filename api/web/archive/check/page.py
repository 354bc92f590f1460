"""“Vérifier un document”: a file is digested as it arrives, nothing of it is kept; its digests are looked for in the archive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.multipart import Form
from api.problems import fault_of
from api.uploads import Body, Uploads
from api.web.pages import render
from api.web.visitor import Parts, SignedIn
from archive.finding.holding import Held, holding
from core.blobs import TooLarge
from core.errors import UsageError
from flows.engine import reading

router = APIRouter()
PATH = "/archives/verifier"
_PIECE = 256 * 1024
_HASHES = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of a file.

    Attributes:
        found: the records that hold its very bytes; none when it is unknown, or not for this visitor.
    """

    name: str
    size: int
    sha256: str
    found: list[Held]


@router.get(PATH)
def ask(request: Request, visitor: SignedIn) -> HTMLResponse:
    """Show the form."""
    return render(request, "web/archive/check/check.html", visitor=visitor, checked=None, trouble="")


@router.post(PATH)
async def checked(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Digest a file, and say whether it was sealed."""
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> Checked:
        form = Form(body, content_type, frozenset({"csrf"}))
        visitor.check(form.values.get("csrf"))
        digests, size = [hashlib.new(name) for name in _HASHES], 0
        while piece := form.read(_PIECE):
            size += len(piece)
            for digest in digests:
                digest.update(piece)
        values = [digest.hexdigest() for digest in digests]
        with reading.opened(platform.database, visitor.principal) as session:
            return Checked(form.file_name, size, values[0], holding(session, values))

    try:
        told = await turnstile.run(request, read)
    except (UsageError, TooLarge) as error:
        fault = fault_of(error)
        page = {"checked": None, "trouble": fault.detail}
        return render(request, "web/archive/check/check.html", visitor=visitor, status=fault.status, **page)
    return render(request, "web/archive/check/check.html", visitor=visitor, checked=told, trouble="")
