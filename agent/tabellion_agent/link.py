"""What opens the agent: ``tabellion-agent://host[:port]/…?ticket=…`` names the platform and carries a ticket that serves once."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tabellion_agent.errors import BadLink

SCHEME = "tabellion-agent"
_LOCAL = {"127.0.0.1", "localhost"}
_LONGEST_TICKET = 512
_HOST = re.compile(r"[a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Link:
    """Where the agent was called from.

    Attributes:
        origin: scheme, host and port: whom the person trusts.
        ticket: serves once.
    """

    origin: str
    ticket: str = field(repr=False)

    @classmethod
    def read(cls, text: str, *, insecure_localhost: bool = False) -> Link:
        """Read the address that opened the agent.

        Args:
            text: the address.
            insecure_localhost: speak plain http to this very machine; to any other, never.

        Raises:
            BadLink: another scheme, no host, no ticket, or anything that such an address does not hold.
        """
        try:
            parts = urlsplit(text.strip())
            port = f":{parts.port}" if parts.port is not None else ""
            host = _host(parts.hostname or "")
        except ValueError as error:
            raise BadLink("Cette adresse n’est pas lisible. Relancez la signature depuis la plateforme.") from error
        tickets = parse_qs(parts.query).get("ticket", [])
        if parts.scheme != SCHEME or not host or parts.username is not None or parts.password is not None:
            raise BadLink("Cette adresse n’est pas celle d’une signature. Relancez la signature depuis la plateforme.")
        if len(tickets) != 1 or len(tickets[0]) > _LONGEST_TICKET or not tickets[0].isprintable():
            raise BadLink("Cette adresse ne porte pas de ticket. Relancez la signature depuis la plateforme.")
        plain = insecure_localhost and host in _LOCAL
        return cls(f"{'http' if plain else 'https'}://{host}{port}", tickets[0])


def _host(name: str) -> str:
    """Return the name of a host as it is sent, in ASCII: letters of another script may pass for those of a known name.

    Raises:
        ValueError: no host has that name.
    """
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    sent = name.encode("idna").decode("ascii") if name else ""
    if _HOST.fullmatch(sent) is None:
        raise ValueError("no host has that name")
    return sent
