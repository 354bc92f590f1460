"""Opening a session with the DGFiP's gateway: to the server whose key is pinned and to no other, with the account's credential.

What is done in a session lives in ``client``; sessions kept open between two uses in ``sessions``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from paramiko import AuthenticationException, BadHostKeyException, RejectPolicy, SFTPError, SSHClient, SSHException

from connectors.helios import errors
from connectors.helios.client import Session, reason_of
from connectors.helios.settings import HeliosGateway
from connectors.helios.sftp import TolerantSftp
from core.messages import Catalogue

_SSH_PORT = 22
_messages = Catalogue("connectors.helios")


@contextmanager
def connect(gateway: HeliosGateway) -> Iterator[Session]:
    """Open a session with the gateway, and hang up at the end.

    Raises:
        HostKeyChanged: the server's key is not the pinned one; nothing was sent to it.
        AuthenticationRefused: the account is refused.
        GatewayUnavailable: no answer in time, or the connection broke.
    """
    session = open_session(gateway)
    try:
        yield session
    finally:
        session.close()


def open_session(gateway: HeliosGateway) -> Session:
    """Open a session that the caller closes. Raises what ``connect`` does."""
    client = SSHClient()
    try:
        _authenticate(client, gateway)
        sftp = _open_sftp(client, gateway)
    except (OSError, SSHException, SFTPError, EOFError) as error:
        client.close()
        raise _connection_error(gateway, error) from error
    except BaseException:
        client.close()
        raise
    return Session(gateway, client, sftp)


def _open_sftp(client: SSHClient, gateway: HeliosGateway) -> TolerantSftp:
    transport = client.get_transport()
    sftp = TolerantSftp.from_transport(transport) if transport else None
    if transport is None or sftp is None:
        raise SSHException("no SFTP channel")
    transport.set_keepalive(gateway.keepalive_interval)
    sftp.sock.settimeout(gateway.operation_timeout)
    return sftp


def _authenticate(client: SSHClient, gateway: HeliosGateway) -> None:
    client.set_missing_host_key_policy(RejectPolicy())
    place = gateway.host if gateway.port == _SSH_PORT else f"[{gateway.host}]:{gateway.port}"
    client.get_host_keys().add(place, gateway.host_key_algorithm, gateway.pinned_key())
    link = socket.create_connection((gateway.host, gateway.port), timeout=gateway.connect_timeout)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # paramiko leaves Nagle's algorithm on: 100 times slower
    started = time.monotonic()
    try:
        client.connect(
            gateway.host,
            gateway.port,
            gateway.username,
            password=gateway.password.get_secret_value() if gateway.password else None,
            pkey=gateway.client_key(),
            sock=link,
            timeout=gateway.connect_timeout,
            banner_timeout=gateway.connect_timeout,
            auth_timeout=gateway.authentication_timeout,
            channel_timeout=gateway.operation_timeout,
            allow_agent=False,
            look_for_keys=False,
        )
    except AuthenticationException as error:
        transport = client.get_transport()
        late = time.monotonic() - started >= gateway.authentication_timeout
        if late or transport is None or not transport.is_active():  # nobody refused: the server went silent or hung up
            raise SSHException(str(error)) from error
        raise
    except BaseException:
        link.close()
        raise


def _connection_error(gateway: HeliosGateway, error: Exception) -> Exception:
    if isinstance(error, BadHostKeyException):
        return errors.HostKeyChanged(
            _messages(
                "host_key_changed.message",
                host=gateway.host,
                port=gateway.port,
                expected=error.expected_key.fingerprint,
                found=error.key.fingerprint,
            )
        )
    if isinstance(error, AuthenticationException):
        return errors.AuthenticationRefused(
            _messages("authentication.message", host=gateway.host, port=gateway.port, username=gateway.username)
        )
    return errors.GatewayUnavailable(
        _messages("unreachable.message", host=gateway.host, port=gateway.port, reason=reason_of(error))
    )
