"""The simulator's door: an SFTP server over two directories per account.

What becomes of a file once it is deposited is ``simulator``'s matter; the directories, and the faults that may be committed in
them, are in ``simulated_directories``. A connection lives in its own guarded thread, so that a port probe, which says nothing
that SSH understands, stops nothing.
"""

from __future__ import annotations

import contextlib
import hmac
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from paramiko import PKey, ServerInterface, SFTPServer, SSHException, Transport
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from connectors.helios.remote_name import RemoteName
from connectors.helios.simulated_directories import DEPOT, RESPONSES, Directories, Faults
from core.errors import UsageError
from core.messages import Catalogue

_BREATH = 0.05
_NAME = re.compile(r"[A-Za-z][0-9A-Za-z_.-]{0,63}")
_messages = Catalogue("connectors.helios")


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may connect.

    Attributes:
        name: user name, and name of the account's folder.
        password: None when only a key is taken.
        public_key: base64 of the account's key, as in ``authorized_keys``; None when only a password is taken.
    """

    name: str
    password: str | None = field(default=None, repr=False)
    public_key: str | None = None

    def __post_init__(self) -> None:
        """Refuse a name that cannot be that of a folder.

        Raises:
            UsageError: a letter, then letters, digits, dots and dashes are expected.
        """
        if not _NAME.fullmatch(self.name):
            raise UsageError(_messages("name.path", name=ascii(self.name)[:100]))


class SftpDoor:
    """The listening socket and the connections behind it."""

    def __init__(
        self,
        folder: Path,
        host_key: PKey,
        accounts: tuple[Account, ...],
        faults: Faults,
        deposit: Callable[[str, Path, RemoteName], bool],
    ) -> None:
        """Prepare the accounts' directories.

        Args:
            folder: holds one folder per account, each with ``depot`` and ``sortie``.
            host_key: the server's private key.
            accounts: who may connect.
            faults: heeded live.
            deposit: called with the account, the temporary file and the final name when a file is published; takes the
                file and tells True, or False to refuse it.
        """
        self.folder = folder
        self.accounts = {account.name: account for account in accounts}
        self.faults = faults
        self.deposit = deposit
        self._host_key = host_key
        self._listener: socket.socket | None = None
        self._transports: set[Transport] = set()
        self._lock = threading.Lock()
        for account in accounts:
            for directory in (DEPOT, RESPONSES):
                (folder / account.name / directory).mkdir(parents=True, exist_ok=True)

    def start(self, host: str, port: int) -> int:
        """Listen, and return the port: the one asked for, or a free one for zero."""
        self._listener = socket.create_server((host, port), backlog=100)
        threading.Thread(target=self._accept, args=(self._listener,), name="helios-sftp", daemon=True).start()
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Listen no more and hang up on everybody."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # close alone would not wake the thread that accepts
            listener.close()
        with self._lock:
            transports = list(self._transports)
            self._transports.clear()
        for transport in transports:
            transport.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                if self._listener is None:
                    return
                time.sleep(_BREATH)  # no more descriptors, or a visitor who left at once: neither ends the service
                continue
            if self.faults.refuse_connections:
                link.close()
                continue
            threading.Thread(target=self._serve, args=(link,), name="helios-sftp-session", daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        """Negotiate; from then on the transport's own thread serves."""
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = Transport(link)
            with self._lock:
                self._transports = {other for other in self._transports if other.is_active()} | {transport}
            transport.add_server_key(self._host_key)
            transport.set_subsystem_handler("sftp", SFTPServer, Directories)
            transport.start_server(server=Visitor(self, transport))
        except (SSHException, OSError, EOFError):
            link.close()


class Visitor(ServerInterface):
    """One connection: who it is, and that it may only speak SFTP.

    Attributes:
        gone: the connection was cut.
    """

    def __init__(self, door: SftpDoor, transport: Transport) -> None:
        self.door = door
        self.transport = transport
        self.gone = False

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's signature
        """Take sessions only."""
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        """Return how one may prove who one is."""
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        """Compare a password."""
        account = self.door.accounts.get(username)
        expected = account.password if account else None
        same = hmac.compare_digest(password.encode(), (expected or "").encode())
        return AUTH_SUCCESSFUL if expected and same else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        """Compare a key; that the visitor has it, the transport checks."""
        account = self.door.accounts.get(username)
        expected = account.public_key if account else None
        same = hmac.compare_digest(key.get_base64(), expected or "")
        return AUTH_SUCCESSFUL if expected and same else AUTH_FAILED

    def hang_up(self) -> None:
        """Cut the connection as a broken network would: no goodbye, and nothing heard of what is still on its way."""
        self.gone = True
        self.transport.sock.close()
        self.transport.close()
