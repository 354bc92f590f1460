"""The console of the simulated ministry, for demonstrations: what came in as JSON, and letters written on demand.

``GET /`` tells deliveries, acts and letters. ``POST /letters`` with ``{"act": …, "message": "3-1", "text": …, "day": …}`` writes
one. Plain HTTP: it belongs on the loopback address.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from core.errors import NotFound, TabellionError
from core.listener import Listener

_JSON = "application/json"
_LARGEST = 65536


class Console(Listener):
    """Listens, one thread a request."""

    def __init__(
        self, told: Callable[[], dict[str, object]], write: Callable[[dict[str, Any]], None], host: str, port: int
    ) -> None:
        handler = type("Handler", (_Handler,), {"told": staticmethod(told), "write": staticmethod(write)})
        super().__init__(ThreadingHTTPServer((host, port), handler), "actes-console")


class _Handler(BaseHTTPRequestHandler):
    """Reads and writes JSON."""

    timeout = 30
    told: Callable[[], dict[str, object]]
    write: Callable[[dict[str, Any]], None]

    def do_GET(self) -> None:
        """Tell everything."""
        self._answer(200 if self.path == "/" else 404, self.told() if self.path == "/" else {})

    def do_POST(self) -> None:
        """Write a letter."""
        length = self.headers.get("Content-Length", "")
        # A page of another origin cannot send this type without being allowed to, which nobody is.
        if self.path != "/letters" or self.headers.get_content_type() != _JSON:
            self._answer(404, {})
        elif not length.isdigit() or int(length) > _LARGEST:
            self._answer(413, {})
        else:
            self._answer(*self._written(self.rfile.read(int(length))))

    def _written(self, body: bytes) -> tuple[int, dict[str, object]]:
        try:
            self.write(json.loads(body))
        except NotFound as error:
            return 404, {"message": str(error)}
        except (TabellionError, ValueError, KeyError, TypeError) as error:
            return 422, {"message": str(error)}
        return 202, {}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Stay silent."""

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content, ensure_ascii=False, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{_JSON}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
