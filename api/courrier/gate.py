"""The host name of recipients, where there is one: it serves their pages alone, and no other name serves them."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.courrier.faults import recipients_fault
from api.courrier.visitor import PRIVATE, is_recipients
from api.problems import fault_of
from core.errors import NotFound
from core.messages import Catalogue
from core.settings import Settings

_t = Catalogue("api.courrier")
_STATIC = "/static/"


class RecipientsGate:
    """The middleware.

    Args:
        app: what stands behind.
        settings: which name the two addresses, that of the platform and that of recipients.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        own, usual = _host(settings.recipients_url), _host(settings.public_url)
        self._app = app
        self._own = own if own != usual else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through, or say that there is nothing there."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        theirs = is_recipients(scope["path"])

        async def sending(message: Message) -> None:
            if theirs and message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(PRIVATE)
            await send(message)

        if self._own and not self._is_served(scope, theirs=theirs):
            fault = fault_of(NotFound(_t("nowhere.title")))
            await recipients_fault(Request(scope), fault)(scope, receive, sending)
            return
        await self._app(scope, receive, sending)

    def _is_served(self, scope: Scope, *, theirs: bool) -> bool:
        asked = _host(f"//{Headers(scope=scope).get('host', '')}")
        return (theirs or scope["path"].startswith(_STATIC)) if asked == self._own else not theirs


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
