"""A wire between a mail client and its server, that is cut where a test wants it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from enum import Enum, auto

HOST = "127.0.0.1"
_END = b"\r\n.\r\n"


class Cut(Enum):
    """Where: before the server consents to receive, inside the message, inside its last octets, after them, or never: silence."""

    CONSENT = auto()
    MIDDLE = auto()
    LAST_OCTETS = auto()
    ANSWER = auto()
    SILENCE = auto()


class Wire:
    """A wire to a port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.create_server((HOST, 0))
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # less than a message cut in its middle
        self._open: list[socket.socket] = []
        self.cut: Cut | None = None
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def hang_up(self) -> None:
        """End every connection."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def close(self) -> None:
        """End everything."""
        self._listening.close()
        self.hang_up()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection((HOST, self._target))
                self._open += [here, there]
                muted = threading.Event()
                threading.Thread(target=self._up, args=(here, there, muted), daemon=True).start()
                threading.Thread(target=self._down, args=(there, here, muted), daemon=True).start()

    def _up(self, here: socket.socket, there: socket.socket, muted: threading.Event) -> None:
        seen = b""
        with suppress(OSError):
            while piece := here.recv(1 << 16):
                seen = seen[-len(_END) :] + piece
                if self.cut is Cut.CONSENT and piece.lower().startswith(b"data"):
                    return self.hang_up()
                if self.cut is Cut.MIDDLE and b"MIDDLE" in piece:
                    return self.hang_up()
                if seen.endswith(_END):
                    if self.cut is Cut.LAST_OCTETS:
                        there.sendall(piece[:-2])
                        return self.hang_up()
                    if self.cut in {Cut.ANSWER, Cut.SILENCE}:
                        muted.set()
                there.sendall(piece)
        return None

    def _down(self, there: socket.socket, here: socket.socket, muted: threading.Event) -> None:
        with suppress(OSError):
            while piece := there.recv(1 << 16):
                if not muted.is_set():
                    here.sendall(piece)
                elif self.cut is Cut.ANSWER:
                    return self.hang_up()
        return None
