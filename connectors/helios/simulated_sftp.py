"""The simulator's door: an SFTP server over two directories per account, and the faults that it can be told to commit.

What becomes of a file once it is deposited is ``simulator``'s matter; here it is only carried. A connection lives in its own
guarded thread, so that a port probe, which says nothing that SSH understands, stops nothing.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from paramiko import (
    PKey,
    ServerInterface,
    SFTPAttributes,
    SFTPHandle,
    SFTPServer,
    SFTPServerInterface,
    SSHException,
    Transport,
)
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK, SFTP_PERMISSION_DENIED

from connectors.helios.remote_name import RemoteName
from core.errors import UsageError
from core.messages import Catalogue

DEPOT = "depot"
RESPONSES = "sortie"
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


@dataclass(slots=True)
class Faults:
    """What the gateway does wrong; set at any time, heeded by the next operation. Those that hang up do it once.

    Attributes:
        refuse_connections: hang up on whoever connects.
        latency: seconds more each time that a name is looked up.
        drop_upload_after: bytes of one file after which the connection is cut.
        drop_download_after: the same when a response is read.
        drop_before_publication: cut the connection instead of renaming.
        drop_after_publication: rename, then cut the connection before answering.
        growing: names of responses that are one byte longer each time somebody looks.
    """

    refuse_connections: bool = False
    latency: float = 0.0
    drop_upload_after: int | None = None
    drop_download_after: int | None = None
    drop_before_publication: bool = False
    drop_after_publication: bool = False
    growing: set[str] = field(default_factory=set)


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
            transport.set_subsystem_handler("sftp", SFTPServer, _Directories)
            transport.start_server(server=_Visitor(self, transport))
        except (SSHException, OSError, EOFError):
            link.close()


class _Visitor(ServerInterface):
    """One connection: who it is, and that it may only speak SFTP."""

    def __init__(self, door: SftpDoor, transport: Transport) -> None:
        self.door = door
        self.transport = transport
        self.gone = False

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002 - paramiko's signature
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        account = self.door.accounts.get(username)
        expected = account.password if account else None
        same = hmac.compare_digest(password.encode(), (expected or "").encode())
        return AUTH_SUCCESSFUL if expected and same else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: PKey) -> int:
        account = self.door.accounts.get(username)
        expected = account.public_key if account else None
        same = hmac.compare_digest(key.get_base64(), expected or "")
        return AUTH_SUCCESSFUL if expected and same else AUTH_FAILED

    def hang_up(self) -> None:
        """Cut the connection as a broken network would: no goodbye, and nothing heard of what is still on its way."""
        self.gone = True
        self.transport.sock.close()
        self.transport.close()


class _Directories(SFTPServerInterface):
    """The two directories of an account, and nothing else."""

    def __init__(self, server: _Visitor) -> None:
        super().__init__(server)
        self._visitor = server
        self._faults = server.door.faults
        self._account = server.transport.get_username() or ""
        self._root = server.door.folder / self._account

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        folder = self._local(path)
        if folder is None or not folder.is_dir():
            return SFTP_NO_SUCH_FILE
        return [attributes for entry in folder.iterdir() if (attributes := self._attributes(entry)) is not None]

    def stat(self, path: str) -> SFTPAttributes | int:
        local = self._local(path)
        return (self._attributes(local) if local else None) or SFTP_NO_SUCH_FILE

    def lstat(self, path: str) -> SFTPAttributes | int:
        return self.stat(path)

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:  # noqa: ARG002 - paramiko's signature
        local = self._local(path)
        if local is None:
            return SFTP_NO_SUCH_FILE
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        if local.is_dir() or (writes and not self._is_temporary(local)):
            return SFTP_PERMISSION_DENIED
        try:
            return _File(self._visitor, local, flags)
        except OSError as error:
            return SFTPServer.convert_errno(error.errno or 0)

    def remove(self, path: str) -> int:
        local = self._local(path)
        if local is None or not local.is_file():
            return SFTP_NO_SUCH_FILE
        local.unlink(missing_ok=True)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        source, target = self._local(oldpath), self._local(newpath)
        if source is None or not source.is_file():
            return SFTP_NO_SUCH_FILE
        name = RemoteName.parse(target.name) if target else None
        if target is None or name is None or not self._is_temporary(source) or target.parent != source.parent:
            return SFTP_PERMISSION_DENIED
        if target.exists():
            return SFTP_FAILURE
        return self._publish(source, name)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self.rename(oldpath, newpath)

    def _publish(self, source: Path, name: RemoteName) -> int:
        if self._faults.drop_before_publication:
            self._faults.drop_before_publication = False
            self._visitor.hang_up()
            return SFTP_FAILURE
        try:
            taken = self._visitor.door.deposit(self._account, source, name)
        except FileNotFoundError:  # another connection was quicker
            return SFTP_NO_SUCH_FILE
        if taken and self._faults.drop_after_publication:
            self._faults.drop_after_publication = False
            self._visitor.hang_up()
        return SFTP_OK if taken else SFTP_PERMISSION_DENIED

    def _local(self, path: str) -> Path | None:
        """Return the local path of ``/``, of a directory, or of a file directly in one; None for anything else."""
        time.sleep(self._faults.latency)
        parts = PurePosixPath("/", path).parts[1:]
        if ".." in parts or len(parts) > 2 or (parts and parts[0] not in {DEPOT, RESPONSES}):
            return None
        return self._root.joinpath(*parts)

    def _is_temporary(self, local: Path) -> bool:
        return local.parent.name == DEPOT and RemoteName.parse(local.name) is None

    def _attributes(self, local: Path) -> SFTPAttributes | None:
        if local.name in self._faults.growing and local.parent.name == RESPONSES:
            with local.open("ab") as stream:
                stream.write(b" ")
        try:
            return SFTPAttributes.from_stat(local.stat(), local.name)
        except FileNotFoundError:
            return None


class _File(SFTPHandle):
    """An open file, whose transfer may be cut by a fault."""

    def __init__(self, visitor: _Visitor, local: Path, flags: int) -> None:
        super().__init__(flags)
        self._visitor = visitor
        self._descriptor = os.open(local, flags | os.O_CLOEXEC, 0o600)
        self._moved = 0

    def read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, offset)
        self._moved += len(data)
        limit = self._visitor.door.faults.drop_download_after
        if limit is not None and self._moved > limit:
            self._visitor.door.faults.drop_download_after = None
            self._visitor.hang_up()
        return data

    def write(self, offset: int, data: Any) -> int:
        if self._visitor.gone:
            return SFTP_FAILURE
        self._moved += len(data)
        limit = self._visitor.door.faults.drop_upload_after
        if limit is not None and self._moved > limit:
            self._visitor.door.faults.drop_upload_after = None
            self._visitor.hang_up()
            return SFTP_FAILURE
        os.pwrite(self._descriptor, data, offset)
        return SFTP_OK

    def stat(self) -> SFTPAttributes:
        return SFTPAttributes.from_stat(os.fstat(self._descriptor))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
