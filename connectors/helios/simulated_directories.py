"""The two directories of an account of the simulator, as SFTP shows them, and the faults that they can be told to commit."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_OK, SFTP_PERMISSION_DENIED

from connectors.helios.remote_name import RemoteName

if TYPE_CHECKING:
    from connectors.helios.simulated_sftp import Visitor

DEPOT = "depot"
RESPONSES = "sortie"


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
        full: there is no room left for what is written.
        growing: names of responses that are one byte longer each time somebody looks.
    """

    refuse_connections: bool = False
    latency: float = 0.0
    drop_upload_after: int | None = None
    drop_download_after: int | None = None
    drop_before_publication: bool = False
    drop_after_publication: bool = False
    full: bool = False
    growing: set[str] = field(default_factory=set)


class Directories(SFTPServerInterface):
    """The two directories of an account, and nothing else."""

    def __init__(self, server: Visitor) -> None:
        super().__init__(server)
        self._visitor = server
        self._faults = server.door.faults
        self._account = server.transport.get_username() or ""
        self._root = server.door.folder / self._account

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        """Return what stands in a directory."""
        folder = self._local(path)
        if folder is None or not folder.is_dir():
            return SFTP_NO_SUCH_FILE
        return [attributes for entry in folder.iterdir() if (attributes := self._attributes(entry)) is not None]

    def stat(self, path: str) -> SFTPAttributes | int:
        """Return what is known of a name."""
        local = self._local(path)
        return (self._attributes(local) if local else None) or SFTP_NO_SUCH_FILE

    def lstat(self, path: str) -> SFTPAttributes | int:
        """Return the same: there are no links."""
        return self.stat(path)

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:  # noqa: ARG002 - paramiko's signature
        """Open a response to read, or a temporary file of the deposit."""
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
        """Take a file away."""
        local = self._local(path)
        if local is None or not local.is_file():
            return SFTP_NO_SUCH_FILE
        local.unlink(missing_ok=True)
        return SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> int:
        """Publish a temporary file; nothing else is renamed, and nothing overwritten."""
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
        """Do the same."""
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

    def __init__(self, visitor: Visitor, local: Path, flags: int) -> None:
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
        if self._visitor.gone or self._visitor.door.faults.full:
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
