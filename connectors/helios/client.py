"""Our side of the DGFiP's gateway: SFTP in the PASSTRANS form, with the routing metadata in the file's name.

A session only does what it is told, one step at a time; when to send, to repeat or to give up is the flow's business.
A delivery is exactly-once because a file has one temporary name, and its rename to the final name is the arbiter: it
succeeds once. Whoever recorded "about to publish" before, and finds the temporary gone after a crash, knows it happened.

Names of deposits live in ``remote_name``, those of responses in ``responses``; how a session is opened in ``connection``; those
kept open between uses in ``sessions``.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from paramiko import SFTPError, SSHClient, SSHException

from connectors.helios import errors
from connectors.helios.remote_name import temporary_name
from connectors.helios.responses import ResponseFile, is_response, plain, response_of
from connectors.helios.settings import HeliosGateway
from core.clock import now
from core.messages import Catalogue
from core.sftp import TolerantSftp

RESPONSE_LIMIT = 1 << 30  # a PES Retour of a large authority; it passes in pieces
_CHUNK = 32 * 1024
_AT_ONCE = 64  # pieces asked for ahead: all of them at once would be held in memory
_messages = Catalogue("connectors.helios")


@dataclass(frozen=True, slots=True)
class Presence:
    """What stands on the server for one deposit.

    Attributes:
        final: a file has the final name, not yet taken by the gateway.
        temporary_size: bytes of the temporary file; None when there is none.
    """

    final: bool
    temporary_size: int | None

    @property
    def nothing(self) -> bool:
        """Neither name exists: never uploaded, or published and taken since."""
        return not self.final and self.temporary_size is None


class Session:
    """One SFTP session with the gateway, for one thread at a time."""

    def __init__(self, gateway: HeliosGateway, client: SSHClient, sftp: TolerantSftp) -> None:
        self.gateway = gateway
        self._client = client
        self._sftp = sftp

    def presence(self, remote_name: str) -> Presence:
        """Tell what stands on the server under the final and the temporary name.

        Raises:
            DirectoryMissing: there is no deposit directory, hence nothing can be concluded.
            GatewayUnavailable, PermissionRefused: see ``errors``.
        """
        final, temporary = self._depot(remote_name), self._depot(temporary_name(self.gateway, remote_name))
        with self._told("presence", remote_name):
            found = Presence(self._size(final) is not None, self._size(temporary))
            if found.nothing:
                self._require(self.gateway.depot_directory)
        return found

    def upload(self, path: Path, remote_name: str) -> int:
        """Write a local file under the temporary name, over whatever is there, and return its size in bytes.

        It is not published: the gateway does not see it yet.

        Raises:
            TemporaryIncomplete: the server kept another number of bytes.
            DirectoryMissing, GatewayUnavailable, PermissionRefused: see ``errors``.
        """
        temporary = self._depot(temporary_name(self.gateway, remote_name))
        size = path.stat().st_size
        with path.open("rb") as stream, self._told("upload", remote_name):
            try:
                self._sftp.putfo(stream, temporary, confirm=False)
            except FileNotFoundError:
                self._require(self.gateway.depot_directory)
                raise
            kept = self._size(temporary)
        if kept != size:
            raise errors.TemporaryIncomplete(self._text("incomplete", name=remote_name, found=kept or 0, expected=size))
        return size

    def publish(self, remote_name: str, size: int) -> None:
        """Rename the temporary file to the final name: from then on it is delivered. Nothing is ever overwritten.

        Args:
            remote_name: the final name.
            size: bytes that the temporary file must have.

        Raises:
            AlreadyPublished: a file stands under the final name.
            TemporaryMissing: there is no temporary file: published before, or never uploaded.
            TemporaryIncomplete: it has another size, and was left as it is.
            DirectoryMissing, GatewayUnavailable, PermissionRefused: see ``errors``. After GatewayUnavailable the rename
                may have taken place: ask ``presence``.
        """
        found = self.presence(remote_name)
        if found.final:
            raise errors.AlreadyPublished(self._text("already_published", name=remote_name))
        if found.temporary_size is None:
            raise errors.TemporaryMissing(self._text("temporary_missing", name=remote_name))
        if found.temporary_size != size:
            raise errors.TemporaryIncomplete(
                self._text("incomplete", name=remote_name, found=found.temporary_size, expected=size)
            )
        self._rename(remote_name)

    def list_responses(self) -> list[ResponseFile]:
        """Return the files of the response directory that are whole, oldest first.

        A file is taken to be whole when it has not changed for ``settled_age`` seconds by the server's clock, or when a
        second look, ``second_look_after`` seconds later, finds it unchanged. Directories, ``PESALR2_…``, which are copies
        of deposits, and names that hold a separator or a control character are passed over.

        Raises:
            DirectoryMissing, GatewayUnavailable, PermissionRefused: see ``errors``.
        """
        with self._told("list", self.gateway.response_directory):
            first = self._look()
            settled_before = now() - timedelta(seconds=self.gateway.settled_age)
            if all(file.modified <= settled_before for file in first):
                return first
            time.sleep(self.gateway.second_look_after)
            second = set(self._look())
            return [file for file in first if file.modified <= settled_before or file in second]

    def fetch(self, name: str, target: Path, limit: int = RESPONSE_LIMIT) -> int:
        """Bring a response to a local path, whole or not at all, and return its size in bytes.

        Args:
            name: as ``list_responses`` gave it.
            target: replaced when it exists; its directory must exist.
            limit: bytes beyond which the response is refused.

        Raises:
            ResponseMissing: it is no longer there.
            ResponseTooLarge: it is beyond the limit.
            ResponseUnsettled: it changed meanwhile.
            GatewayUnavailable, PermissionRefused: see ``errors``.
        """
        partial = target.with_name(f".{target.name}.part")
        try:
            with partial.open("wb") as local, self._told("fetch", name):
                size = self._bring(name, local, limit)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return size

    def remove(self, name: str) -> bool:
        """Delete a response that is safe with us; False where the gateway clears its directory by itself.

        A response that is no longer there counts as deleted.

        Raises:
            GatewayUnavailable, PermissionRefused: see ``errors``.
        """
        if not self.gateway.removes_responses:
            return False
        with self._told("remove", name):
            path = self._find_response(name)
            if path is not None:
                self._sftp.remove(path)
        return True

    @property
    def alive(self) -> bool:
        """Whether the connection stood when it was last heard of."""
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _depot(self, name: str) -> str:
        return posixpath.join(self.gateway.depot_directory, plain(name))

    def _size(self, path: str | bytes) -> int | None:
        try:
            return self._sftp.stat(path).st_size or 0
        except FileNotFoundError:
            return None

    def _require(self, directory: str) -> None:
        if self._size(directory) is None:
            raise errors.DirectoryMissing(self._text("directory_missing", directory=directory))

    def _rename(self, remote_name: str) -> None:
        """Rename atomically where the server can: between the link and the unlink of a plain rename, others may look."""
        final, temporary = self._depot(remote_name), self._depot(temporary_name(self.gateway, remote_name))
        with self._told("publish", remote_name):
            try:
                self._sftp.posix_rename(temporary, final)
            except FileNotFoundError as error:
                self._require(self.gateway.depot_directory)
                raise errors.TemporaryMissing(self._text("temporary_missing", name=remote_name)) from error
            except (PermissionError, TimeoutError):
                raise
            except OSError:  # a plain failure: perhaps the extension is not known here
                if self.presence(remote_name).temporary_size is None:
                    raise
                self._sftp.rename(temporary, final)

    def _look(self) -> list[ResponseFile]:
        try:
            entries = self._sftp.listdir_attr(self.gateway.response_directory)
        except FileNotFoundError:
            self._require(self.gateway.response_directory)
            raise
        files = [response_of(entry) for entry in entries if is_response(entry)]
        return sorted(files, key=lambda file: (file.modified, file.name))

    def _find_response(self, name: str) -> str | bytes | None:
        """Return the path of a response as the server spells it: not all servers write names in UTF-8."""
        path = posixpath.join(self.gateway.response_directory, plain(name))
        spellings: list[str | bytes] = [path]
        if not name.isascii():
            spellings.append(path.encode("latin-1", "replace"))
        return next((spelling for spelling in spellings if self._size(spelling) is not None), None)

    def _bring(self, name: str, local: BinaryIO, limit: int) -> int:
        path = self._find_response(name)
        if path is None:
            raise errors.ResponseMissing(self._text("response_missing", name=name))
        before = self._size(path) or 0
        if before > limit:
            raise errors.ResponseTooLarge(self._text("response_too_large", name=name, size=before, limit=limit))
        read = 0
        with self._sftp.open(path, "rb") as remote:
            remote.prefetch(before, max_concurrent_requests=_AT_ONCE)
            while read <= before and (data := remote.read(_CHUNK)):
                read += local.write(data)
        local.flush()
        os.fsync(local.fileno())
        after = self._size(path)  # asked first: a connection that was cut may have looked like the end of the file
        if not read == before == after:
            raise errors.ResponseUnsettled(self._text("response_unsettled", name=name))
        return read

    def _text(self, key: str, **places: object) -> str:
        return _messages(f"{key}.message", host=self.gateway.host, port=self.gateway.port, **places)

    @contextmanager
    def _told(self, step: str, what: str) -> Iterator[None]:
        """Turn what SSH and SFTP raise into the room's errors: what failed, where, what to do."""
        try:
            yield
        except PermissionError as error:
            raise errors.PermissionRefused(self._text("permission", step=_messages(f"step.{step}"), what=what)) from error
        except (OSError, SSHException, SFTPError, EOFError) as error:
            raise errors.GatewayUnavailable(
                self._text("unavailable", step=_messages(f"step.{step}"), what=what, reason=reason_of(error))
            ) from error


def reason_of(error: Exception) -> str:
    """Return what an error of SSH or SFTP says; its kind where it says nothing."""
    return str(error) or type(error).__name__
