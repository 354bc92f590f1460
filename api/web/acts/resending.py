"""Sending again what nobody knows to have arrived: for those who operate, once they have asked the ministry."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.acts.page import Identifier
from api.web.acts.telling import tell
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn
from core.principal import Right
from flows.actes import following

router = APIRouter()
_PATH = "/actes/{act_id}/renvoi"


@router.get(_PATH)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    act_id: Identifier,
    message: Annotated[str, Query(max_length=26)] = "",
) -> Response:
    """Show what sending again risks; ``message`` names one that follows the act, nothing the act itself."""
    telling = tell(platform, visitor, act_id)
    visitor.principal.require(Right.OPERATE, telling.seen.dossier.organisation_id)
    told = next((one for one in telling.messages if one.message.id == message and one.again), None)
    if told is None and not telling.again:
        return RedirectResponse(f"/actes/{act_id}", status_code=303)
    dossier = telling.seen.dossier
    return render(request, "web/acts/again.html", visitor=visitor, dossier=dossier, act=telling.act, told=told)


@router.post(_PATH)
def again(platform: Parts, visitor: SignedIn, fields: Fields, act_id: Identifier) -> RedirectResponse:
    """Send again."""
    visitor.check(fields.get("csrf"))
    telling = tell(platform, visitor, act_id)
    visitor.principal.require(Right.OPERATE, telling.seen.dossier.organisation_id)
    wanted = fields.get("message", "")
    if wanted and any(one.message.id == wanted for one in telling.messages):
        following.send_message_again(platform, visitor.principal, wanted)
    else:
        following.send_again(platform, visitor.principal, act_id)
    return RedirectResponse(f"/actes/{act_id}?fait=renvoi", status_code=303)
