"""Addresses that others than the operator name: public ones are reached, those of other networks where the operator permits it.

Without this, who administers an organisation could make the platform speak to its own neighbours. A name is resolved once for
each connection; all its addresses must be permitted, and one of these very addresses is connected to, so that nothing which a
name server says in between counts. TLS is spoken with the name all the same. Who connects follows no redirection unlooked at.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import partial
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from core.errors import Misconfigured
from core.messages import Catalogue

_messages = Catalogue("core")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_MOST_TRIED = 4
"""Addresses of a name that are tried in turn: one that has hundreds must not hold its caller up."""


class AddressRefused(Misconfigured):
    """The address is neither public nor of a network that the operator permits.

    The message does not say what a name resolves to: that is how the operator's own network is made.
    """


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public network: neither this machine, nor its neighbours, nor a tunnel to them."""
    if isinstance(address, ipaddress.IPv6Address):
        tunnelled = address.sixtofour is not None or address.teredo is not None
        return address in _GLOBAL_UNICAST and address.is_global and not tunnelled
    return address.is_global and not address.is_multicast


def check(host: str, networks: Networks) -> None:
    """Refuse an address where somebody writes it down, as a connection will; a name that is not known now is for then.

    Raises:
        AddressRefused: as ``connected``.
    """
    try:
        _permitted(host, 0, networks)
    except OSError:
        return


def connected(host: str, port: int, networks: Networks, timeout: float | None) -> socket.socket:
    """Connect to a host.

    Args:
        host: name or address, in any spelling that the system knows.
        port: of TCP.
        networks: that may be reached although they are not public.
        timeout: seconds for each address that is tried, then of each operation of the socket.

    Raises:
        AddressRefused: one of its addresses may not be reached; nothing was sent to any.
        OSError: the name is not known now (``socket.gaierror``), or no address answers.
    """
    failures = []
    for address in _permitted(host, port, networks)[:_MOST_TRIED]:
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failures.append(error)
    raise failures[0]


def _permitted(host: str, port: int, networks: Networks) -> list[str]:
    name = host.strip("[]")
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)]
    except ValueError as error:  # a label that is too long for IDNA, or a character that no name has
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    for one in found:
        address = ipaddress.ip_address(one.partition("%")[0])
        if not (is_public(address) or any(address in network for network in networks)):
            raise AddressRefused(_messages("address.refused", host=name))
    return found


class PlainConnection(HTTPConnection):
    """A connection of urllib3 to a host that ``connected`` reaches; ``networks`` are its."""

    def __init__(self, *args: Any, networks: Networks, **options: Any) -> None:
        super().__init__(*args, **options)
        self._networks = networks

    def _new_conn(self) -> socket.socket:
        """Make the line; urllib3 calls this for each, and speaks TLS over it where there is one."""
        try:
            line = connected(self._dns_host, self.port, self._networks, self.timeout)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        for option in self.socket_options or ():
            line.setsockopt(*option)
        return line


class TlsConnection(PlainConnection, HTTPSConnection):
    """The same over TLS: the certificate must be of the host's name."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = TlsConnection


def pool(networks: Networks, **options: Any) -> urllib3.PoolManager:
    """Return a pool whose every connection is one of ``connected``; ``options`` are those of ``urllib3.PoolManager``."""
    made = urllib3.PoolManager(**options)
    made.pool_classes_by_scheme = {  # urllib3 only calls them
        "http": partial(_PlainPool, networks=networks),  # type: ignore[dict-item]
        "https": partial(_TlsPool, networks=networks),  # type: ignore[dict-item]
    }
    return made
