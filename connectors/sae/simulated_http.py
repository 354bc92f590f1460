"""The HTTP of simulated archive services: a thread a connection, bodies bounded, and what can go wrong on the way."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from core.listener import Listener

LARGEST = 256 << 20


class Mishap(StrEnum):
    """What can go wrong with a request.

    ``UNAVAILABLE`` and ``FAULT`` do nothing of what was asked; ``LOST`` does it and does not answer.
    """

    UNAVAILABLE = "unavailable"
    FAULT = "fault"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, whole."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    body: bytes = b""
    media: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: int, words: str) -> Told:
        """Return an answer in words."""
        return cls(status, words.encode(), "text/plain; charset=utf-8")


class Faults:
    """What goes wrong with the next requests."""

    def __init__(self) -> None:
        self._planned: list[tuple[str, Mishap]] = []
        self._lock = threading.Lock()

    def plan(self, mishap: Mishap, operation: str, times: int = 1) -> None:
        """Let something go wrong with the next requests whose method and path hold an operation: ``POST /sedaMessages``."""
        with self._lock:
            self._planned += [(operation, mishap)] * times

    def next(self, asked: Asked) -> Mishap | None:
        """Return what goes wrong with this request."""
        with self._lock:
            told = f"{asked.method} {asked.path}"
            found = next((one for one in self._planned if one[0] in told), None)
            if found is not None:
                self._planned.remove(found)
        return found[1] if found else None


class Server(Listener):
    """Listens, and lets one function answer everything."""

    def __init__(
        self, answer: Callable[[Asked], Told], faults: Faults, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer), "faults": faults})
        server = _Quiet((host, port), handler)
        if context is not None:
            # The handshake takes place in the thread of the connection: one that fails there holds up nobody.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        super().__init__(server, "sae", scheme="https" if context else "http")


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that goes away, or shows no certificate: it is told on its own side."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    answer: Callable[[Asked], Told]
    faults: Faults

    def do_GET(self) -> None:
        """Answer."""
        self._handle()

    def do_HEAD(self) -> None:
        """Answer."""
        self._handle()

    def do_POST(self) -> None:
        """Answer."""
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: what is archived is nobody's business."""

    def _handle(self) -> None:
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST or "Transfer-Encoding" in self.headers:
            self._send(Told.text(413, "trop volumineux, ou sans longueur"))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, urlsplit(self.path).path, headers, self.rfile.read(int(length)))
        mishap = self.faults.next(asked)
        if mishap is Mishap.UNAVAILABLE:
            self._send(Told(503, b"<html>maintenance</html>", "text/html"))
        elif mishap is Mishap.FAULT:
            self._send(Told.text(500, "Erreur interne : base de données indisponible"))
        else:
            told = self.answer(asked)
            if mishap is not Mishap.LOST:
                self._send(told)

    def _send(self, told: Told) -> None:
        self.send_response(told.status)
        for name, value in {"Content-Type": told.media, "Content-Length": str(len(told.body)), **told.headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told.body)
