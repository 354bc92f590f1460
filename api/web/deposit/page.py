"""Depositing a document by hand: the same way in as for software, read as it comes."""

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
from flows.registry import DEPOSITS

router = APIRouter()
_FIELDS = frozenset({"csrf", "flow", "organisation"})


@router.get("/deposer")
def ask(request: Request, platform: Parts, visitor: SignedIn) -> HTMLResponse:
    """Show the form."""
    return _form(request, platform, visitor)


@router.post("/deposer")
async def deposited(request: Request, platform: Parts, visitor: SignedIn) -> Response:
    """Make a dossier of the document and show it."""
    uploads: Uploads = request.app.state.uploads
    content_type = request.headers.get("content-type", "")

    def read(body: Body) -> Received:
        form = Form(body, content_type, _FIELDS)
        visitor.check(form.values.get("csrf"))
        to = Destination(form.values.get("flow", ""), form.values.get("organisation", ""))
        return deposit(platform, visitor.principal, to, form, form.file_name)

    try:
        received = await uploads.run(request, read)
    except (UsageError, TooLarge, Conflict) as error:
        fault = fault_of(error)
        return _form(request, platform, visitor, status=fault.status, trouble=fault.detail, existing=fault.existing)
    done = "depot" if received.created else "deja"
    return RedirectResponse(f"/dossiers/{received.dossier.id}?fait={done}", status_code=303)


def _form(request: Request, platform: Platform, visitor: Visitor, *, status: int = 200, **said: Any) -> HTMLResponse:
    return render(
        request,
        "web/deposit/deposit.html",
        visitor=visitor,
        status=status,
        flows=sorted(DEPOSITS),
        organisations=where(platform, visitor.principal, Right.DEPOSIT),
        limit=platform.settings.upload_limit,
        **{"trouble": "", "existing": None, **said},
    )
