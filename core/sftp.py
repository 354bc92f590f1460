"""SFTP as a client: signing in at the server whose key is pinned and at no other, and reading what old servers write.

They write file names and answers in ISO-8859-1, and paramiko would give up a whole listing for one of them.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from paramiko import AuthenticationException, Message, RejectPolicy, SFTPClient, SSHClient, SSHException
from paramiko.sftp import CMD_NAME

from core.ssh_account import SshAccount

_PORT = 22


def sign_in(client: SSHClient, account: SshAccount, line: socket.socket, *, patience: float) -> None:
    """Sign an account in over a connection that stands; it is closed when that fails.

    Args:
        client: whose other settings are left alone.
        account: whose server's key is the only one that is taken.
        line: to that server.
        patience: seconds for the server to accept the account.

    Raises:
        BadHostKeyException: the server's key is not the pinned one; nothing was sent to it.
        AuthenticationException: the account is refused.
        SSHException, OSError, EOFError: no answer in time, or the connection broke.
    """
    client.set_missing_host_key_policy(RejectPolicy())
    place = account.host if account.port == _PORT else f"[{account.host}]:{account.port}"
    client.get_host_keys().add(place, account.host_key_algorithm, account.pinned_key())
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # paramiko leaves Nagle's algorithm on: 100 times slower
    started = time.monotonic()
    try:
        client.connect(
            account.host,
            account.port,
            account.username,
            password=account.password.get_secret_value() if account.password else None,
            pkey=account.client_key(),
            sock=line,
            timeout=account.connect_timeout,
            banner_timeout=account.connect_timeout,
            auth_timeout=patience,
            channel_timeout=account.operation_timeout,
            allow_agent=False,
            look_for_keys=False,
        )
    except BaseException as error:
        transport = client.get_transport()
        heard = transport is not None and transport.is_active() and time.monotonic() - started < patience
        line.close()
        if isinstance(error, AuthenticationException) and not heard:  # nobody refused: the server went silent or hung up
            raise SSHException(str(error)) from error
        raise


def open_sftp(client: SSHClient, account: SshAccount) -> TolerantSftp:
    """Return the SFTP of an account that is signed in.

    Raises:
        SSHException: the server opens no channel for it.
    """
    transport = client.get_transport()
    sftp = TolerantSftp.from_transport(transport) if transport else None
    if sftp is None:
        raise SSHException("no SFTP channel")
    sftp.sock.settimeout(account.operation_timeout)
    return sftp


class _TolerantMessage(Message):
    """A protocol message whose texts may be in ISO-8859-1."""

    def get_text(self) -> str:
        raw = self.get_string()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


class TolerantSftp(SFTPClient):
    """An SFTP client that one badly spelled name does not stop."""

    def _request(self, t: int, *args: Any) -> tuple[int, Message]:
        kind, message = super()._request(t, *args)  # type: ignore[misc]  # left out of the stubs
        return kind, _TolerantMessage(message.get_remainder()) if kind == CMD_NAME else message

    def _convert_status(self, msg: Message) -> None:
        super()._convert_status(_TolerantMessage(msg.get_remainder()))  # type: ignore[misc]  # left out of the stubs
