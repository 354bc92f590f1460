"""What the operator sets to have mail sent: the address of a server, read from one URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("connectors.mail")
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server, and how to speak to it.

    Attributes:
        encrypted: TLS from the first octet (``smtps``); otherwise it is begun when the server offers it (STARTTLS).
        login: name and password; None where the server asks for none.
        connect_timeout: seconds to reach it; ``answer_timeout`` without any answer before it is given up.
        last_timeout: seconds for the answer to the last octets (RFC 5321, 4.5.3.2.6): who waits less sends twice (RFC 1047).
    """

    host: str
    port: int
    encrypted: bool
    login: tuple[str, SecretStr] | None = None
    connect_timeout: float = field(default=10.0)
    answer_timeout: float = field(default=30.0)
    last_timeout: float = field(default=600.0)

    @classmethod
    def of(cls, url: SecretStr) -> Self:
        """Read ``smtp[s]://[name:password@]host[:port]``; what is special in a name or a password is percent-encoded.

        Raises:
            Misconfigured: it reads otherwise; the message does not repeat it.
        """
        try:
            parts = urlsplit(url.get_secret_value())
            port = parts.port
        except ValueError as error:
            raise Misconfigured(_messages("settings.url")) from error
        odd = parts.path not in {"", "/"} or parts.query or parts.fragment or (parts.username and not parts.password)
        name, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme not in _PORTS or not parts.hostname or odd or not (name + password).isascii():
            raise Misconfigured(_messages("settings.url"))
        login = (name, SecretStr(password)) if name else None
        return cls(parts.hostname, port or _PORTS[parts.scheme], parts.scheme == "smtps", login)
