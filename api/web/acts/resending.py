"""Sending again what nobody knows to have arrived: for those who operate, once they have asked the ministry."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.web.acts.page import Identifier
from api.web.acts.telling import Telling, tell
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn
from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Right
from flows.actes import resending
from flows.actes.flow import ACTES
from flows.actes.following import messages_of
from flows.engine.models import Dossier

router = APIRouter()
_PATH = "/actes/{act_id}/renvoi"
_messages = Catalogue("flows.actes")


@router.get(_PATH)
def ask(
    request: Request,
    platform: Parts,
    visitor: SignedIn,
    act_id: Identifier,
    message: Annotated[str, Query(max_length=26)] = "",
) -> Response:
    """Show what sending again risks; ``message`` names one that follows the act, nothing the act itself."""
    telling = tell(platform, visitor, act_id, surveys=True)
    visitor.principal.require(Right.OPERATE, telling.seen.dossier.organisation_id)
    again = [one for one in telling.messages if one.again and message in {"", one.message.id}]
    told = again[0] if again and not (telling.again and not message) else None
    if told is None and not telling.again:
        return RedirectResponse(_home(telling), status_code=303)
    values: dict[str, Any] = {"seen": telling.seen, "act": telling.act, "told": told, "home": _home(telling)}
    return render(request, "web/acts/again.html", visitor=visitor, **values)


@router.post(_PATH)
def again(platform: Parts, visitor: SignedIn, fields: Fields, act_id: Identifier) -> RedirectResponse:
    """Send again."""
    visitor.check(fields.get("csrf"))
    telling = tell(platform, visitor, act_id, surveys=True)
    visitor.principal.require(Right.OPERATE, telling.seen.dossier.organisation_id)
    if wanted := fields.get("message", ""):
        if all(one.message.id != wanted for one in telling.messages):
            raise NotFound(_messages("again.unknown"))
        resending.send_message_again(platform, visitor.principal, wanted)
    else:
        resending.send_again(platform, visitor.principal, act_id)
    return RedirectResponse(f"{_home(telling)}?fait=renvoi", status_code=303)


def is_doubtful(session: Session, dossier: Dossier) -> bool:
    """Tell whether an act, or a message that follows it, may be sent again."""
    if dossier.flow != ACTES.name:
        return False
    messages = messages_of(session, dossier.id)
    return resending.may_leave_again(dossier) or any(resending.is_resendable(dossier, one, messages) for one in messages)


def _home(telling: Telling) -> str:
    """Return where the act is shown: to whoever surveys it, the page that tells how it stands."""
    dossier_id = telling.seen.dossier.id
    return f"/actes/{dossier_id}" if telling.seen.read else f"/dossiers/{dossier_id}"
