"""A socket server in a thread of its own: how every simulator of an outside system listens."""

from __future__ import annotations

import socketserver
import threading
from typing import Self

_POLL = 0.05  # seconds until a stop is noticed


class Listener:
    """Runs a server, and tells where it is.

    Args:
        server: bound already, of those that give each connection a thread which keeps no process from ending.
        name: of the thread, where one looks what hangs.
        scheme: of what it speaks.
    """

    def __init__(self, server: socketserver.TCPServer, name: str, *, scheme: str = "http") -> None:
        self._server, self._scheme = server, scheme
        self._thread = threading.Thread(target=server.serve_forever, args=(_POLL,), name=name, daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on, chosen by the system when it was given as zero."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it answers, without a path."""
        return f"{self._scheme}://{self._server.server_address[0]!s}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Begin to answer."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self.stop()
