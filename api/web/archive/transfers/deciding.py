"""One decision for several transfers of the list; what could not be decided is told row by row."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.problems import fault_of
from api.web.administered import Filled
from api.web.archive.transfers.listing import PATH, Filters, address, list_page
from api.web.visitor import Parts, SignedIn
from core.errors import UsageError
from flows.transfers import deciding

router = APIRouter()


@router.post(f"{PATH}/decisions")
def decided(request: Request, platform: Parts, visitor: SignedIn, filters: Filters, sheet: Filled) -> Response:
    """Accept or refuse the transfers that are ticked, as the button says."""
    visitor.check(sheet.text("csrf"))
    chosen, accepting = sheet.texts("transfer"), "accept" in sheet
    typed = {name: sheet.text(name) for name in ("accepting", "code", "refusing")}
    try:
        if accepting:
            found = deciding.accept_each(platform, visitor.principal, chosen, typed["accepting"])
        else:
            found = deciding.refuse_each(platform, visitor.principal, chosen, typed["code"], typed["refusing"])
    except UsageError as error:
        fault = fault_of(error)
        told = {"trouble": fault.detail, "typed": typed, "ticked": set(chosen)}
        return list_page(request, platform, visitor, filters, {}, status=fault.status, **told)
    done = "acceptes" if accepting else "refuses"
    failed = {one.dossier_id: str(one.trouble) for one in found if one.trouble is not None}
    count = len(found) - len(failed)
    if failed:
        return list_page(request, platform, visitor, filters, {}, status=409, done=done, count=count, failed=failed)
    return RedirectResponse(address(filters, fait=done, nombre=str(count)), status_code=303)
