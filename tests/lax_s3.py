"""An S3 server that breaks one promise: a proxy before a real one, which signs anew what it lets through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from core.blobs import ObjectStore
from core.s3_server import S3Server

_ITS_OWN = {"host", "authorization", "x-amz-date", "x-amz-content-sha256", "content-length", "connection", "accept-encoding"}
_NOT_OURS = {"content-length", "transfer-encoding", "connection", "date"}
_SIGNATURE = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}


@dataclass
class Request:
    """What came: its path with the query, without the parts that sign it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, list[str]]:
        """The query."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def path(self) -> str:
        """The path alone."""
        return urlsplit(self.target).path


@dataclass
class Answer:
    """What goes back."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Pass = Callable[[Request], Answer]
Fault = Callable[[Request, Pass], Answer]
"""What becomes of a request, given a way to have the real server answer it."""


@contextmanager
def lax(server: S3Server, prefix: str, fault: Fault | None) -> Iterator[ObjectStore]:
    """Run the proxy for the time of the block; without a fault it hands everything on as it came, signatures and all."""
    real = server.store(prefix)

    def pass_on(request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _ITS_OWN}
        answer = real.ask(request.method, request.target, request.body, headers)
        return Answer(answer.status, dict(answer.headers), answer.data)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = [part for part in urlsplit(self.path).query.split("&") if part and part.split("=")[0] not in _SIGNATURE]
            path = urlsplit(self.path).path
            target = path + (f"?{'&'.join(part if '=' in part else f'{part}=' for part in kept)}" if kept else "")
            request = Request(self.command, target, dict(self.headers.items()), body)
            told = fault(request, pass_on) if fault else self._as_it_came(body)
            self.send_response(told.status)
            for name, value in told.headers.items():
                if name.lower() not in _NOT_OURS:
                    self.send_header(name, value)
            length = told.headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(told.body))
            if told.status != 204:
                self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told.body)

        def _as_it_came(self, body: bytes) -> Answer:
            headers = dict(self.headers.items())
            answer = real._host.urlopen(
                self.command, self.path, body=body or None, headers=headers, retries=False, redirect=False
            )
            return Answer(answer.status, dict(answer.headers), answer.data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - the names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        store = ObjectStore(f"http://127.0.0.1:{proxy.server_port}", server.access_key, server.secret_key, prefix)
        yield store
        store._pool.clear()
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
