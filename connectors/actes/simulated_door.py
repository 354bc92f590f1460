"""The HTTPS door of the simulated platform: mutual TLS, credentials, one archive a request, and everything that can go wrong.

Any form with one file is taken, whatever its field is called, as the original does. What becomes of an archive is decided
elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.actes.settings import Credentials
from connectors.actes.simulated_form import Form
from core.listener import Listener

_PIECE = 1 << 16
_LARGEST = 1 << 30
_SILENCE = 60.0
_DRIP = 0.5
_HANDSHAKE = 10.0


class Mishap(StrEnum):
    """What can go wrong with a deposit.

    ``REFUSED``, ``BUSY``, ``DENIED``, ``FAILED``: status 400, 503, 403, 500, nothing is kept. ``KEPT``: status 500, though
    the archive is kept. ``EARLY``: status 413 before the archive was read. ``DROPPED``: cut off in the middle of the archive.
    ``LOST``: kept, then cut off without an answer. ``SILENT``: kept, no answer. ``SLOW``: kept, the answer comes letter by
    letter. ``STRANGER``: another certificate is shown. ``MUTE``: the connection is taken, TLS never begins.
    """

    REFUSED = "refused"
    BUSY = "busy"
    DENIED = "denied"
    FAILED = "failed"
    KEPT = "kept"
    EARLY = "early"
    DROPPED = "dropped"
    LOST = "lost"
    SILENT = "silent"
    SLOW = "slow"
    STRANGER = "stranger"
    MUTE = "mute"


_BEFORE_HTTP = {Mishap.STRANGER, Mishap.MUTE}
_STATUS = {Mishap.REFUSED: 400, Mishap.BUSY: 503, Mishap.DENIED: 403, Mishap.FAILED: 500, Mishap.KEPT: 500, Mishap.EARLY: 413}
_KEEPING = {None, Mishap.KEPT, Mishap.LOST, Mishap.SILENT, Mishap.SLOW}


@dataclass
class Faults:
    """What goes wrong with the next deposits, in their order.

    Attributes:
        stopping: ends every silence.
    """

    stopping: threading.Event = field(default_factory=threading.Event)
    _planned: list[Mishap] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, mishap: Mishap, times: int = 1) -> None:
        """Let something go wrong with the next deposits."""
        with self._lock:
            self._planned += [mishap] * times

    def next(self, *, before_http: bool) -> Mishap | None:
        """Return what goes wrong now: when the connection is made, or when the request is."""
        with self._lock:
            if self._planned and (self._planned[0] in _BEFORE_HTTP) == before_http:
                return self._planned.pop(0)
        return None


@dataclass(frozen=True, slots=True)
class Access:
    """What the door asks of whoever deposits.

    Attributes:
        credentials: beside the certificate.
        user, password: when there are any.
    """

    credentials: Credentials = Credentials.NONE
    user: str = ""
    password: str = ""

    def granted(self, authorization: str, query: str) -> bool:
        """Tell whether a request comes with what is asked."""
        if self.credentials is Credentials.NONE:
            return True
        shown = _in_query(query) if self.credentials is Credentials.QUERY else _in_header(authorization)
        return hmac.compare_digest(shown.encode(), f"{self.user}:{self.password}".encode())


def _in_query(query: str) -> str:
    given = parse_qs(query)
    return f"{given.get('user', [''])[0]}:{given.get('password', [''])[0]}"


def _in_header(authorization: str) -> str:
    scheme, _, encoded = authorization.partition(" ")
    with contextlib.suppress(ValueError):
        return base64.b64decode(encoded).decode() if scheme == "Basic" else ""
    return ""


Take = Callable[[Path, str, str], None]
"""Takes the file of an archive, its name as the form says it, and the subject of the client's certificate."""


class Door(Listener):
    """Listens, one thread a connection."""

    def __init__(
        self,
        take: Take,
        *,
        incoming: Path,
        faults: Faults,
        access: Access,
        genuine: ssl.SSLContext,
        stranger: ssl.SSLContext,
        host: str,
        port: int,
    ) -> None:
        """Prepare to listen.

        Args:
            take: what is done with an archive.
            incoming: where archives are laid down while they arrive.
            faults: what goes wrong.
            access: what is asked beside a certificate.
            genuine: how TLS is spoken.
            stranger: how an impostor speaks it.
            host: address to listen on.
            port: TCP port; zero for a free one.
        """
        self._faults = faults
        server = _Server((host, port), _handler(take, incoming, faults, access))
        server.faults, server.genuine, server.stranger = faults, genuine, stranger
        super().__init__(server, "actes-door", scheme="https")

    def stop(self) -> None:
        """Answer no more."""
        self._faults.stopping.set()
        super().stop()


class _Server(ThreadingHTTPServer):
    """Speaks TLS in the thread of each connection, so that a slow one keeps nobody waiting."""

    faults: Faults
    genuine: ssl.SSLContext
    stranger: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Agree on TLS, then read the request."""
        mishap = self.faults.next(before_http=True)
        if mishap is Mishap.MUTE:
            self.faults.stopping.wait(_SILENCE)
            return
        request.settimeout(_HANDSHAKE)
        context = self.stranger if mishap is Mishap.STRANGER else self.genuine
        with context.wrap_socket(request, server_side=True) as opened:
            super().finish_request(opened, client_address)
            _close_gently(opened)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: connections that break off are what this door is for."""


def _close_gently(opened: ssl.SSLSocket) -> None:
    """Let the other side read the answer before it learns that the rest of its request is not wanted."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(opened, socket.SHUT_WR)
        opened.settimeout(1)
        while opened.recv(_PIECE):
            continue


class _Handler(BaseHTTPRequestHandler):
    """Reads one request, has its archive taken, and answers as the plan of mishaps has it."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    take: Take
    incoming: Path
    faults: Faults
    access: Access

    def do_POST(self) -> None:
        """Take an archive."""
        self.close_connection = True
        if not self.access.granted(self.headers.get("Authorization", ""), urlsplit(self.path).query):
            self._answer(401)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST:
            self._answer(411 if not length.isdigit() else 413)
            return
        mishap = self.faults.next(before_http=False)
        if mishap is Mishap.EARLY:
            self._answer(_STATUS[mishap])
            return
        if mishap is Mishap.DROPPED:
            self.rfile.read(int(length) // 2)
            # A reset, not an end: whoever is still sending learns it at once.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        self._receive(int(length), mishap)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: the ledger tells what arrived."""

    def _receive(self, length: int, mishap: Mishap | None) -> None:
        with tempfile.NamedTemporaryFile(dir=self.incoming, delete=False) as file:
            path = Path(file.name)
            form = Form(self.headers.get("Content-Type", ""), file)
            try:
                whole = form.read(self.rfile, length)
            except ValueError:  # the parser's errors are such
                whole = False
        try:
            if not whole or form.files != 1:
                self._answer(400)
                return
            if mishap in _KEEPING:
                self.take(path, form.name, _subject(self.connection))
            self._tell(mishap)
        finally:
            path.unlink(missing_ok=True)

    def _tell(self, mishap: Mishap | None) -> None:
        if mishap is Mishap.SILENT:
            self.faults.stopping.wait(_SILENCE)
        if mishap in {Mishap.SILENT, Mishap.LOST}:
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        elif mishap is Mishap.SLOW:
            for letter in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                if self.faults.stopping.wait(_DRIP):
                    return
                self.wfile.write(bytes([letter]))
        else:
            self._answer(_STATUS[mishap] if mishap else 200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


def _subject(connection: Any) -> str:
    """Return the common name of the client's certificate; empty when it showed none."""
    shown = connection.getpeercert() or {}
    return next((value for part in shown.get("subject", ()) for key, value in part if key == "commonName"), "")


def _handler(take: Take, incoming: Path, faults: Faults, access: Access) -> type[BaseHTTPRequestHandler]:
    # A function in a class would become a method of the request.
    return type("Handler", (_Handler,), {"take": staticmethod(take), "incoming": incoming, "faults": faults, "access": access})
