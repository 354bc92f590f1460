"""“Courriers revenus”: what came back and could not be applied; a person looks, mends, and says that it is settled.

What came back may hold the message that was sent, with its working link: it is never given out as it came, and what is shown of
it is without anything that looks like the secret of a link.
"""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from api.web.acts.page import Identifier
from api.web.pages import render
from api.web.visitor import Fields, Parts, SignedIn
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Right
from flows.mail import reading, returning
from flows.mail.models import MailReturn

router = APIRouter()
_t = Catalogue("api.web.mails")
PATH = "/courriers/retours"
_ONE = f"{PATH}/{{return_id}}"
_READ, _SHOWN = 256 * 1024, 4000
_SECRET = re.compile(r"[A-Za-z0-9_-]{30,}")
_HEADERS = ("From", "Subject", "Date")


@router.get(PATH)
def listed(request: Request, platform: Parts, visitor: SignedIn, fait: Annotated[str, Query(max_length=20)] = "") -> HTMLResponse:
    """Show what waits for a person, oldest first."""
    found = reading.unsettled(platform.database, visitor.principal)
    values: dict[str, Any] = {"found": found, "most": reading.MOST, "done": fait == "regle"}
    values["reads"] = bool(visitor.where(Right.READ) or visitor.where(Right.DEPOSIT))
    return render(request, "web/mails/returns.html", visitor=visitor, **values)


@router.get(_ONE)
def one(request: Request, platform: Parts, visitor: SignedIn, return_id: Identifier) -> HTMLResponse:
    """Show what can be read of a message that came back."""
    found = next((one for one in reading.unsettled(platform.database, visitor.principal) if one.id == return_id), None)
    if found is None:
        raise NotFound(_t("return.none"))
    headers, text = _read(platform, found)
    principal, owner = visitor.principal, found.organisation_id
    may = principal.may(Right.DEPOSIT, owner) or (found.dossier_id is None and principal.may(Right.OPERATE, owner))
    values: dict[str, Any] = {"found": found, "headers": headers, "text": text, "may": may}
    return render(request, "web/mails/return.html", visitor=visitor, **values)


@router.post(_ONE)
def settled(platform: Parts, visitor: SignedIn, fields: Fields, return_id: Identifier) -> RedirectResponse:
    """Note that a person dealt with it."""
    visitor.check(fields.get("csrf"))
    returning.settle_return(platform, visitor.principal, return_id)
    return RedirectResponse(f"{PATH}?fait=regle", status_code=303)


def _read(platform: Platform, found: MailReturn) -> tuple[list[tuple[str, str]], str]:
    """Return some headers and the beginning of the text, whatever a stranger wrote."""
    with platform.objects.reading(found.sha256) as stream:
        octets: Any = stream.read(_READ)
    message = email.message_from_bytes(bytes(octets), _class=EmailMessage, policy=default)
    try:
        headers = [(name, _shown(str(message[name]))[:300]) for name in _HEADERS if message[name]]
        part = message.get_body(("plain",))
        text = str(part.get_content()) if part is not None else ""
    except (LookupError, ValueError, AttributeError, TypeError):  # encodings and headers that are none
        return [], ""
    return headers, _shown(text)[:_SHOWN]


def _shown(text: str) -> str:
    return _SECRET.sub("…", "".join(sign for sign in text if sign.isprintable() or sign == "\n"))
