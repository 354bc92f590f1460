"""Opening a session with the DGFiP's gateway: to the server whose key is pinned and to no other, with the account's credential.

What is done in a session lives in ``client``; sessions kept open between two uses in ``sessions``.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from paramiko import AuthenticationException, BadHostKeyException, SFTPError, SSHClient, SSHException

from connectors.helios import errors
from connectors.helios.client import Session, reason_of
from connectors.helios.settings import HeliosGateway
from core.messages import Catalogue
from core.sftp import TolerantSftp, open_sftp, sign_in

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
    sftp = open_sftp(client, gateway)
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(gateway.keepalive_interval)
    return sftp


def _authenticate(client: SSHClient, gateway: HeliosGateway) -> None:
    line = socket.create_connection((gateway.host, gateway.port), timeout=gateway.connect_timeout)
    sign_in(client, gateway, line, patience=gateway.authentication_timeout)


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
