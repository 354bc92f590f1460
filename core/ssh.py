"""SSH as a client: keys as OpenSSH or PEM writes them, signing in at the server whose key is pinned and at no other, SFTP.

Old servers write file names and answers in ISO-8859-1, and paramiko would give up a whole listing for one of them.
"""

from __future__ import annotations

import base64
import binascii
import io
import socket
import time
from typing import Any

from paramiko import (
    AuthenticationException,
    ECDSAKey,
    Ed25519Key,
    Message,
    PKey,
    RejectPolicy,
    RSAKey,
    SFTPClient,
    SSHClient,
    SSHException,
)
from paramiko.pkey import UnknownKeyType
from paramiko.sftp import CMD_NAME

from core.ssh_account import SshAccount

_PORT = 22

_PRIVATE: tuple[type[Ed25519Key | ECDSAKey | RSAKey], ...] = (Ed25519Key, ECDSAKey, RSAKey)


def public_key(algorithm: str, text: str) -> PKey:
    """Return a server's key.

    Args:
        algorithm: as SSH names it, ``ssh-ed25519``.
        text: the key in base64, as in ``known_hosts``.

    Raises:
        ValueError: the algorithm is not known, or the text is not such a key.
    """
    try:
        key = PKey.from_type_string(algorithm, base64.b64decode(text, validate=True))
    except (binascii.Error, UnknownKeyType, SSHException, IndexError) as error:
        raise ValueError(algorithm) from error
    if key.get_name() != algorithm:
        raise ValueError(algorithm)
    return key


def private_key(text: str, passphrase: str | None) -> PKey:
    """Return a private key.

    Raises:
        ValueError: no key of a known kind, or a wrong passphrase.
    """
    for kind in _PRIVATE:
        try:
            return kind.from_private_key(io.StringIO(text), password=passphrase)
        except (SSHException, ValueError, IndexError):
            continue
    raise ValueError("no key of a known kind, or a wrong passphrase")


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
