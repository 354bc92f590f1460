"""What the tests of ACTES speak to: the platform's door, its authority, and a wire that can be cut."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.actes.settings import ActesOperator
from connectors.actes.simulated_certificates import Identity, TlsAuthority
from connectors.actes.simulated_door import Access, Door, Faults

HOST = "127.0.0.1"
NAME = "TAB-TACT--214009995--20261128-1.tar.gz"


# Made before any thread asks for them: two that ask at once would get two authorities.
_AUTHORITY = TlsAuthority.create()
_OTHER_AUTHORITY = TlsAuthority.create("Une autre autorité")
_SERVER = _AUTHORITY.server(HOST, "localhost")
_OPERATOR = _AUTHORITY.client()


def authority() -> TlsAuthority:
    return _AUTHORITY


def other_authority() -> TlsAuthority:
    return _OTHER_AUTHORITY


def server_identity() -> Identity:
    return _SERVER


def operator_identity() -> Identity:
    return _OPERATOR


def endpoint(port: int, **changes: Any) -> dict[str, Any]:
    tls = {"authorities": authority().pem, **changes.pop("tls", {})}
    made = {
        "url": f"https://{HOST}:{port}/actes",
        "client_certificate": operator_identity().pem,
        "connect_timeout": 10,
        "total_timeout": 30,
        "tls": tls,
    }
    return made | changes


def operator(first: dict[str, Any], rescue: dict[str, Any] | None = None, **changes: Any) -> ActesOperator:
    box = {"host": HOST, "user": "tdt", "password": "secret"}
    made = {"trigramme": "TAB", "endpoint": first, "rescue": rescue, "mailbox": box, "return_address": "tdt@tdt.test"}
    return ActesOperator.model_validate(made | changes)


@dataclass
class Platform:
    """A door, and what came through it: name, SHA-256, subject of the certificate."""

    door: Door
    faults: Faults
    taken: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.door.port


@contextmanager
def platform(
    folder: Path, *, access: Access | None = None, speaking: Callable[[ssl.SSLContext], None] = lambda _: None
) -> Iterator[Platform]:
    """A door for the time of a block; ``speaking`` changes how it speaks TLS."""
    taken: list[tuple[str, str, str]] = []

    def take(path: Path, name: str, subject: str) -> None:
        with path.open("rb") as stream:
            taken.append((name, hashlib.file_digest(stream, "sha256").hexdigest(), subject))

    folder.mkdir(parents=True, exist_ok=True)
    faults = Faults()
    genuine = server_identity().serving(asks_for=authority())
    speaking(genuine)
    stranger = authority().server(HOST).serving()
    asked = access or Access()
    door = Door(take, incoming=folder, faults=faults, access=asked, genuine=genuine, stranger=stranger, host=HOST, port=0)
    door.start()
    try:
        yield Platform(door, faults, taken)
    finally:
        door.stop()


class Wire:
    """A wire to a port, which can be cut once so many octets came back from the server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._left: int | None = None
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_after(self, octets: int | None) -> None:
        """Cut every connection once the server has answered so many octets; None mends the wire."""
        self._left = octets

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection((HOST, self._target))
                threading.Thread(target=self._carry, args=(here, there, False), daemon=True).start()
                threading.Thread(target=self._carry, args=(there, here, True), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(4096):
                if counted and self._left is not None:
                    self._left -= len(piece)
                    if self._left < 0:
                        break
                target.sendall(piece)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
