"""Which addresses may be reached: those of the public network, and those that the operator permitted.

Organisations name the addresses; without this a platform could be made to speak to its own neighbours.
"""

from __future__ import annotations

import ipaddress
import socket

from connectors.finance.errors import AddressRefused, FinanceUnavailable
from connectors.finance.settings import Bounds
from core.messages import Catalogue
from signing.revocation import is_public

_messages = Catalogue("connectors.finance")


def resolved(host: str, port: int, bounds: Bounds) -> str:
    """Return the one address to connect to, so that what was looked at is what is reached; all those of a name must be permitted.

    Raises:
        AddressRefused: one of them is neither public nor of a permitted network.
        FinanceUnavailable: the name is not known now.
    """
    name = host.strip("[]")
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # a label that is too long for IDNA is a ValueError
        raise FinanceUnavailable(_messages("address.unknown", host=name)) from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not (is_public(address) or any(address in network for network in bounds.networks)):
            raise AddressRefused(_messages("address.refused", host=name))
    return str(addresses[0])
