"""The gate that every request passes: size limits, language, security headers, a reference, one line of log.

A plain ASGI middleware, so that bodies stream through it. The log holds no address, no query, no name: the route, the outcome,
the time it took, and the reference that the answer bears.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import URL, Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import SOFTWARE, answer
from api.metrics import Requests
from api.words import messages
from core.blobs import TooLarge
from core.errors import UsageError
from core.identifiers import new_id
from core.messages import LOCALES, speaking

_log = structlog.get_logger()
_SMALL = 256 * 1024
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CONTROL = re.compile(rb"%(0[0-9a-f]|1[0-9a-f]|7f)|[\x00-\x1f\x7f]", re.IGNORECASE)
_IDENTIFIER = re.compile(r"/([0-9A-Z]{26}|[0-9]{1,9})(?=/|$)")
_WEIGHT = re.compile(r"[01](\.\d{1,3})?")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}


class Guard:
    """The middleware.

    Args:
        app: what stands behind.
        limits: largest body in bytes of the paths that take large ones, an identifier or a number in them written ``{id}``; every
            other path takes a small form only.
        requests: where requests are counted.
        public_url: the address under which people reach the platform; https makes browsers insist on it.
    """

    def __init__(self, app: ASGIApp, limits: Mapping[str, int], requests: Requests, public_url: str) -> None:
        self._app, self._limits, self._requests = app, limits, requests
        self._headers = SECURITY_HEADERS | (_TRANSPORT if urlsplit(public_url).scheme == "https" else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})["reference"] = new_id()
        with speaking(_language(Headers(scope=scope).get("accept-language", ""))):
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, status, method = time.monotonic(), 500, scope["method"]
        if head := method == "HEAD" and scope["path"].startswith(SOFTWARE):
            # Answered as GET, without its body (RFC 9110, 9.3.2); what people open may count as having been read.
            scope = {**scope, "method": "GET"}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(scope, message)
            elif head:
                message = {**message, "body": b""}
            await send(message)

        limit = self._limits.get(_IDENTIFIER.sub("/{id}", scope["path"]), _SMALL)
        try:
            if fault := _fault_at_the_gate(scope, limit):
                await answer(Request(scope), fault)(scope, receive, sending)
            else:
                await self._app(scope, _limited(receive, limit), sending)
        finally:
            self._note(scope, method, status, time.monotonic() - started)

    def _dress(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        headers["X-Request-Id"] = scope["state"]["reference"]
        if "location" in headers:
            headers["Location"] = _here(scope, headers["Location"])
        headers.add_vary_header("Accept-Language")

    def _note(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "-")
        method = method if method in _METHODS else "OTHER"
        self._requests.count(method, route, status, seconds)
        _log.info(
            "http.request",
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000),
            request=scope["state"]["reference"],
        )


def _here(scope: Scope, location: str) -> str:
    """Return where a redirection leads, without a host when it is the one that the request names: anybody can name another."""
    asked = URL(scope=scope)
    path = location.removeprefix(f"{asked.scheme}://{asked.netloc}")
    return path if path.startswith("/") and not path.startswith("//") else location


def _fault_at_the_gate(scope: Scope, limit: int) -> UsageError | TooLarge | None:
    # A control character in an address serves nobody, and a database may refuse to be asked about it.
    if _CONTROL.search(scope.get("raw_path") or b"") or _CONTROL.search(scope["query_string"]):
        return UsageError(messages("gate.control"))
    stated = Headers(scope=scope).get("content-length", "0")
    return TooLarge(limit) if stated.isascii() and stated.isdigit() and int(stated) > limit else None


def _limited(receive: Receive, limit: int) -> Receive:
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise TooLarge(limit)
        return message

    return receiving


def _language(accepted: str) -> str:
    """Return the language that the browser prefers among those spoken here (RFC 9110, 12.5.4); French when it names none."""
    best, most = LOCALES[0], 0.0
    for choice in accepted[:200].split(","):
        name, _, weight = choice.replace(" ", "").partition(";q=")
        language, wished = name[:2].lower(), float(weight) if _WEIGHT.fullmatch(weight) else 1.0
        if language in LOCALES and wished > most:
            best, most = language, wished
    return best
