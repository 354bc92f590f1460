"""The HTTP of the simulated parapheur: accounts, sizes, who answers what, and everything that can go wrong on the way."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from connectors.iparapheur import messages as wire
from connectors.iparapheur.errors import MessageUnreadable
from connectors.iparapheur.fields import element_of
from connectors.iparapheur.reading import LARGEST, decode
from connectors.iparapheur.simulated_circuit import Circuit, Gesture, Refusal
from connectors.iparapheur.simulated_rest import Asked, RestDoor, RestRefusal, Told, error_body
from connectors.iparapheur.simulated_soap import SoapDoor
from connectors.iparapheur.simulated_typology import Person
from connectors.iparapheur.writing import MEDIA, write
from core.identifiers import new_id
from core.listener import Listener

SOAP_PATHS = (wire.PATH, "/ws-iparapheur")
CONTROL = "/simulator/"
_OK, _SERVER_FAULT = 200, 500
_PIECE = 1 << 18
_SILENCE = 30.0
_DRIP = 0.05


class Mishap(StrEnum):
    """What can go wrong with a request.

    All but ``REFUSED`` happen once the request was done.
    """

    REFUSED = "refused"
    LOST = "lost"
    SILENT = "silent"
    HALF = "half"
    SLOW = "slow"


@dataclass
class Faults:
    """What goes wrong with the next requests.

    Attributes:
        planned: mishaps, each for the next request whose operation has that name; an empty name means any. An operation is an
            element of SOAP without ``Request``, or a method of HTTP and the last part of a path: ``POST folder``.
        stopping: ends every silence.
    """

    planned: list[tuple[str, Mishap]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, mishap: Mishap, operation: str = "", times: int = 1) -> None:
        """Let something go wrong with the next requests of an operation."""
        with self._lock:
            self.planned += [(operation, mishap)] * times

    def next(self, operation: str) -> Mishap | None:
        """Return what goes wrong with this request."""
        with self._lock:
            found = next((one for one in self.planned if one[0] in {"", operation}), None)
            if found is not None:
                self.planned.remove(found)
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Doors:
    """Who answers.

    Attributes:
        circuit: dossiers and what people do to them.
        soap: the legacy service.
        rest: the service of version 5.
        faults: what goes wrong.
        incoming: where requests and answers go while they are handled.
    """

    circuit: Circuit
    soap: SoapDoor
    rest: RestDoor
    faults: Faults
    incoming: Path

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Lend a private folder."""
        self.incoming.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.incoming) as folder:
            yield Path(folder)


class Server(Listener):
    """Listens, one thread a connection."""

    def __init__(self, doors: Doors, host: str, port: int) -> None:
        shutil.rmtree(doors.incoming, ignore_errors=True)  # of requests that a kill interrupted
        self._faults = doors.faults
        super().__init__(ThreadingHTTPServer((host, port), _handler(doors)), "parapheur")

    def stop(self) -> None:
        """Answer no more."""
        self._faults.stopping.set()
        super().stop()


class _Bounded:
    """The body of a request, as far as it was announced."""

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """Return at most so many octets, nothing at the end."""
        wanted = self._left if size < 0 else min(size, self._left)
        piece: bytes = self._source.read(wanted) if wanted else b""
        self._left -= len(piece)
        return piece


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, lets the right door answer, and sends the answer as the plan of mishaps has it."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    doors: Doors

    def do_POST(self) -> None:
        """Answer."""
        self._handle()

    def do_GET(self) -> None:
        """Answer."""
        self._handle()

    def do_PUT(self) -> None:
        """Answer."""
        self._handle()

    def do_DELETE(self) -> None:
        """Answer."""
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: who signs is nobody's business."""

    def _handle(self) -> None:
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST or "chunked" in self.headers.get("Transfer-Encoding", ""):
            self._send(413, MEDIA, BytesIO(), 0, None)
            return
        body: Any = _Bounded(self.rfile, int(length))
        path = urlsplit(self.path).path
        with self.doors.room() as folder:
            if path in SOAP_PATHS and self.command == "POST":
                self._soap(body, folder)
            elif path.startswith(CONTROL) and self.command == "POST":
                self._control(path.removeprefix(CONTROL), body)
            else:
                self._rest(path, body)

    def _soap(self, body: Any, folder: Path) -> None:
        person = self._account()
        if person is None:
            self._send(401, MEDIA, BytesIO(), 0, None)
            return
        mishap, status = None, _OK
        answer: wire.Answer
        try:
            request = _request(decode(body, self.headers.get("Content-Type", ""), folder))
            mishap = self.doors.faults.next(element_of(type(request)).removesuffix("Request"))
            if mishap is Mishap.REFUSED:
                self._send(503, "text/html", BytesIO(), 0, None)
                return
            answer = self.doors.soap.answer(request, person, folder)
        except MessageUnreadable as error:
            answer, status = wire.Fault("Client", str(error)), _SERVER_FAULT
        path = folder / new_id()
        size = write(answer, path)
        with path.open("rb") as stream:
            self._send(status, MEDIA, stream, size, mishap)

    def _rest(self, path: str, body: Any) -> None:
        mishap = self.doors.faults.next(f"{self.command} {path.rpartition('/')[2]}")
        if mishap is Mishap.REFUSED:
            self._send(503, "text/html", BytesIO(), 0, None)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, path, parse_qs(urlsplit(self.path).query), headers, body)
        try:
            told = self.doors.rest.answer(asked)
        except RestRefusal as refusal:
            told = Told(refusal.status, error_body(refusal.status, str(refusal), path))
        content = told.content if told.json is None else json.dumps(told.json).encode()
        self._send(told.status, told.media, BytesIO(content), len(content), mishap)

    def _control(self, what: str, body: Any) -> None:
        """Do what a test or a demonstration asks for: ``act`` at the desk of the account."""
        person = self._account()
        if person is None:
            self._send(401, MEDIA, BytesIO(), 0, None)
            return
        status, said = _OK, ""
        try:
            asked = json.loads(body.read() if what == "act" else b"")
            self.doors.circuit.act(person, asked["dossier"], Gesture(asked["gesture"]), str(asked.get("note", "")))
        except (Refusal, ValueError, KeyError, TypeError) as error:
            status, said = 409, str(error)
        content = json.dumps({"message": said}).encode()
        self._send(status, "application/json", BytesIO(content), len(content), None)

    def _account(self) -> Person | None:
        """Return whose account the request came with (RFC 7617): the password may hold a colon."""
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        try:
            login, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:  # no base64, or no UTF-8 in it
            return None
        person = self.doors.circuit.typology.person(login)
        known = person is not None and hmac.compare_digest(password.encode(), person.password.encode())
        return person if known and scheme == "Basic" else None

    def _send(self, status: int, media: str, content: IO[bytes], size: int, mishap: Mishap | None) -> None:
        if mishap is Mishap.SILENT:
            self.doors.faults.stopping.wait(_SILENCE)
        if mishap in {Mishap.SILENT, Mishap.LOST}:
            return
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="i-Parapheur"')
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(size))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # whoever asked waits no longer
            self._write(content, size, mishap)

    def _write(self, content: IO[bytes], size: int, mishap: Mishap | None) -> None:
        if mishap is Mishap.HALF:
            self.wfile.write(content.read(size // 2))
        elif mishap is Mishap.SLOW:
            while (piece := content.read(1)) and not self.doors.faults.stopping.wait(_DRIP):
                self.wfile.write(piece)
        else:
            shutil.copyfileobj(content, self.wfile, _PIECE)


def _request(message: wire.Message) -> wire.Request:
    if not isinstance(message, wire.Request):
        raise MessageUnreadable("a request is expected")
    return message


def _handler(doors: Doors) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"doors": doors})
