"""A finance software of the tests, over real HTTP: it checks every call that tells it of a delivery, and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connectors.chorus.simulated_certificate import Certificate
from connectors.finance.settings import WebhookPlace
from connectors.finance.webhook import KEY, SIGNATURE, TIMESTAMP, signature
from core.clock import now

SECRET = "a secret that both sides know and nobody else"


@dataclass
class Software:
    """What the software was told, and what it answers: a status and a body, or a line that is cut.

    Attributes:
        taken: deliveries by their key: a repeat is the same delivery.
        calls: every call that was signed as it should be.
        refused: how many were not.
    """

    address: str = ""
    certificate: Certificate | None = None
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    usual: tuple[int, bytes] = (202, b"")
    taken: dict[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refused: int = 0
    cut: int = 0

    def place(self, **changes: object) -> WebhookPlace:
        """The settings that reach it."""
        authorities = self.certificate.pem if self.certificate else None
        values = {"address": f"{self.address}/factures?origine=tabellion", "secret": SECRET, "authorities": authorities}
        return WebhookPlace.model_validate(values | changes)


def _handler(software: Software) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stamp = self.headers[TIMESTAMP]
            fresh = abs(now().timestamp() - int(stamp)) < 300
            if not fresh or self.headers[SIGNATURE] != signature(SECRET, stamp, body) or "?origine=" not in self.path:
                software.refused += 1
                self.answer(401, b"")
                return
            software.calls.append(self.headers[KEY])
            before = software.taken.setdefault(self.headers[KEY], json.loads(body))
            assert before == json.loads(body)
            if software.cut:
                software.cut -= 1
                self.close_connection = True
                self.connection.close()
                return
            self.answer(*(software.answers.pop(0) if software.answers else software.usual))

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", software.address)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def finance_software(certificate: Certificate | None = None) -> Iterator[Software]:
    """Serve a finance software on this machine; over TLS when it is given a certificate."""
    software = Software(certificate=certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(software))
    server.daemon_threads = True
    if certificate is not None:
        server.socket = certificate.serving().wrap_socket(server.socket, server_side=True)
    software.address = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield software
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
