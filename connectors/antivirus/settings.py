"""What the operator sets to have files scanned: the address of a clamd."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.antivirus")
_UNIX = "unix:"
_PORT = 3310


@dataclass(frozen=True, slots=True)
class Scanner:
    """A clamd, and how to reach it.

    Attributes:
        place: path of a UNIX socket, or host and port.
        connect_timeout: seconds to reach it.
        answer_timeout: seconds without any progress before it is given up; clamd itself spends two minutes on a file at most.
        whole_timeout: seconds for one file, from the first octet to the answer.
    """

    place: str | tuple[str, int]
    connect_timeout: float = 10.0
    answer_timeout: float = 180.0
    whole_timeout: float = 600.0

    @classmethod
    def of(cls, address: str) -> Self:
        """Read ``unix:/path/of/the/socket`` or ``tcp://host[:port]``.

        Raises:
            Misconfigured: it reads otherwise.
        """
        if address.startswith(_UNIX + "/"):
            return cls(address.removeprefix(_UNIX))
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError as error:
            raise Misconfigured(_messages("settings.address", found=address)) from error
        if (
            parts.scheme != "tcp"
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise Misconfigured(_messages("settings.address", found=address))
        return cls((parts.hostname, port or _PORT))

    def __str__(self) -> str:
        """Return the address, for a person."""
        return self.place if isinstance(self.place, str) else f"{self.place[0]}:{self.place[1]}"

    def connect(self) -> socket.socket:
        """Open a connection.

        Raises:
            OSError: it cannot be opened.
        """
        if isinstance(self.place, tuple):
            opened = socket.create_connection(self.place, timeout=self.connect_timeout)
        else:
            opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            opened.settimeout(self.connect_timeout)
            try:
                opened.connect(self.place)
            except OSError:
                opened.close()
                raise
        return opened
