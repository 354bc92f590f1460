"""The HTTPS door of the simulated Chorus Pro: requests in, answers out as the plan of mishaps has it, and the console."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import shutil
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from connectors.chorus.simulated_faults import Mishap
from connectors.chorus.simulated_gateway import BASE, TOKEN, Answer, Gateway
from core.errors import TabellionError
from core.listener import Listener

CONSOLE = "/simulator/"
_LARGEST = 64 << 20
_BLOCK = 3 << 16  # whole groups of base64
_SILENCE, _DRIP, _PATIENCE = 60.0, 0.05, 30.0
_RESULT = '"fichierResultat": "'

Control = Callable[[dict[str, Any]], Any]


class Door(Listener):
    """Listens, one thread a connection."""

    def __init__(
        self,
        gateway: Gateway,
        controls: Mapping[str, Control],
        *,
        incoming: Path,
        tls: ssl.SSLContext,
        host: str,
        port: int,
    ) -> None:
        """Prepare to listen.

        Args:
            gateway: who answers.
            controls: what the console does, by name.
            incoming: where files of answers are made.
            tls: how TLS is spoken.
            host: address to listen on.
            port: TCP port; zero for a free one.
        """
        shutil.rmtree(incoming, ignore_errors=True)  # of requests that a kill interrupted
        incoming.mkdir(parents=True)
        handler = type("Handler", (_Handler,), {"gateway": gateway, "controls": controls, "incoming": incoming, "tls": tls})
        self._gateway = gateway
        super().__init__(_Server((host, port), handler), "chorus", scheme="https")

    def stop(self) -> None:
        """Answer no more."""
        self._gateway.faults.stopping.set()
        super().stop()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent where a client hung up or does not trust the certificate: that is what tests are about."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    gateway: Gateway
    controls: Mapping[str, Control]
    incoming: Path
    tls: ssl.SSLContext

    def setup(self) -> None:
        """Agree on TLS, in the connection's own thread."""
        self.request.settimeout(_PATIENCE)
        self.request = self.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        """Say that TLS ends: whoever reads to the end must know it from a cut."""
        super().finish()
        with contextlib.suppress(OSError):
            self.request.unwrap()

    def do_POST(self) -> None:
        """Answer."""
        self._handle()

    def do_GET(self) -> None:
        """Answer."""
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent: what is asked is noted by the gateway."""

    def _handle(self) -> None:
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST:
            self._send(Answer(413, ""))
            return
        body = self.rfile.read(int(length))
        path = self.path.partition("?")[0]
        if path == TOKEN and self.command == "POST":
            self._send(self.gateway.token(body))
        elif path.startswith(CONSOLE) and self.command == "POST":
            self._send(self._controlled(path.removeprefix(CONSOLE), body))
        elif path.startswith(BASE):
            headers = {name.lower(): value for name, value in self.headers.items()}
            with tempfile.TemporaryDirectory(dir=self.incoming) as folder:
                self._send(self.gateway.answer(self.command, path.removeprefix(BASE), headers, body, Path(folder)))
        else:
            self._send(Answer(404, ""))

    def _controlled(self, name: str, body: bytes) -> Answer:
        """Do what the console is asked, with the application's identifier and secret (RFC 7617)."""
        world = self.gateway.portal.world
        shown = f"Basic {base64.b64encode(f'{world.client_id}:{world.client_secret}'.encode()).decode()}"
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), shown.encode()):
            return Answer(401, {"message": "application"})
        if name not in self.controls:
            return Answer(404, {"message": name})
        try:
            return Answer(200, {"told": self.controls[name](json.loads(body or b"{}"))})
        except (TabellionError, ValueError, TypeError, KeyError) as error:
            return Answer(409, {"message": str(error)})

    def _send(self, answer: Answer) -> None:
        mishap = answer.mishap
        if mishap is Mishap.SILENT:
            self.gateway.faults.stopping.wait(_SILENCE)
        if mishap in {Mishap.SILENT, Mishap.LOST}:
            return
        text = answer.told if isinstance(answer.told, str) else json.dumps(answer.told)
        size, blocks = _framed(text.encode(), answer.file)
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if isinstance(answer.told, str) else "application/json")
        self.send_header("Content-Length", str(size))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self._write(size, blocks, mishap)

    def _write(self, size: int, blocks: Iterator[bytes], mishap: Mishap | None) -> None:
        left = size // 2 if mishap is Mishap.HALF else size
        for block in blocks:
            if mishap is Mishap.SLOW:
                for octet in block:
                    if self.gateway.faults.stopping.wait(_DRIP):
                        return
                    self.wfile.write(bytes((octet,)))
                continue
            self.wfile.write(block[:left])
            left -= min(left, len(block))


def _framed(text: bytes, file: Path | None) -> tuple[int, Iterator[bytes]]:
    """Return the length of an answer, and its octets block by block, the file in base64 as its last member."""
    if file is None:
        return len(text), iter((text,))
    head, tail = text[:-1] + b", " + _RESULT.encode(), b'"}'

    def blocks() -> Iterator[bytes]:
        yield head
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield base64.b64encode(block)
        yield tail

    return len(head) + 4 * -(-file.stat().st_size // 3) + len(tail), blocks()
