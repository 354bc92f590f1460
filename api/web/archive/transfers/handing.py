"""“Verser un paquet”: the form, and the package that it brings, read as it comes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.deposits import Destination, deposit
from api.multipart import Form
from api.problems import fault_of
from api.tenants import where
from api.uploads import Body, Uploads
from api.web.pages import render
from api.web.visitor import Parts, SignedIn, Visitor
from core.blobs import TooLarge
from core.errors import Conflict, UsageError
from core.platform import Platform
from core.principal import Right
from flows.engine.intake import Received
from flows.transfers.flow import TRANSFER
from flows.transfers.names import DRY_RUN

router = APIRouter()
PATH = "/archives/versements/nouveau"
_FIELDS = frozenset({"csrf", "organisation", DRY_RUN})


@router.get(PATH)
def ask(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show the form."""
    return _form(request, platform, visitor, {})


@router.post(PATH)
async def handed(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Take the package, and go to its transfer."""
    turnstile: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")
    said: dict[str, str] = {}

    def read(body: Body) -> Received:
        form = Form(body, content_type, _FIELDS)
        said.update(form.values)
        visitor.check(said.get("csrf"))
        told = {DRY_RUN: said[DRY_RUN]} if DRY_RUN in said else {}
        to = Destination(TRANSFER.name, said.get("organisation", ""), told)
        return deposit(platform, visitor.principal, to, form, form.file_name)

    try:
        received = await turnstile.run(request, read)
    except (UsageError, TooLarge, Conflict) as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, said, status=fault.status, trouble=fault.detail)
    done = "verse" if received.created else "deja"
    return RedirectResponse(f"/archives/versements/{received.dossier.id}?fait={done}", status_code=303)


def _form(
    request: Request, platform: Platform, visitor: Visitor, said: dict[str, str], *, status: int = 200, trouble: str = ""
) -> HTMLResponse:
    values: dict[str, Any] = {
        "organisations": where(platform, visitor.principal, Right.DEPOSIT),
        "said": said,
        "trouble": trouble,
        "limit": platform.settings.upload_limit,
    }
    return render(request, "web/archive/transfers/new.html", visitor=visitor, status=status, **values)
