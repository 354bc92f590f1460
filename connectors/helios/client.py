"""Our side of the DGFiP's gateway: SFTP in the PASSTRANS form, with the routing metadata in the file's name.

A session only does what it is told, one step at a time; when to send, to repeat or to give up is the flow's business.
A delivery is exactly-once because a file has one temporary name, and its rename to the final name is the arbiter: it
succeeds once. Whoever recorded "about to publish" before, and finds the temporary gone after a crash, knows it happened.

Names of deposits live in ``remote_name``, sessions kept open between uses in ``sessions``.
"""

from __future__ import annotations

import os
import posixpath
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    RejectPolicy,
    SFTPAttributes,
    SFTPError,
    SSHClient,
    SSHException,
)

from connectors.helios import errors
from connectors.helios.remote_name import temporary_name
from connectors.helios.settings import HeliosGateway
from connectors.helios.sftp import TolerantSftp
from core.clock import now
from core.errors import UsageError
from core.messages import Catalogue

RESPONSE_LIMIT = 150 * 1024 * 1024
_CHUNK = 32 * 1024
_OURS = "PESALR2_"
_SSH_PORT = 22
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


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """A file in the response directory.

    Attributes:
        name: as the server has it.
        size: bytes; zero is possible, and worth telling somebody.
        modified: by the server's clock, to the second.
    """

    name: str
    size: int
    modified: datetime


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
        return posixpath.join(self.gateway.depot_directory, _plain(name))

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
        files = [_response(entry) for entry in entries if _is_response(entry)]
        return sorted(files, key=lambda file: (file.modified, file.name))

    def _find_response(self, name: str) -> str | bytes | None:
        """Return the path of a response as the server spells it: not all servers write names in UTF-8."""
        path = posixpath.join(self.gateway.response_directory, _plain(name))
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
            remote.prefetch(before)
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
                self._text("unavailable", step=_messages(f"step.{step}"), what=what, reason=_reason(error))
            ) from error


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
        _messages("unreachable.message", host=gateway.host, port=gateway.port, reason=_reason(error))
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _plain(name: str) -> str:
    """Refuse a name that would lead elsewhere: a server is not trusted with our paths, nor a caller with the server's.

    Raises:
        UsageError: the name is empty, a relative step, or holds a separator or a control character.
    """
    if not _is_plain(name):
        raise UsageError(_messages("name.path", name=ascii(name)[:100]))
    return name


def _is_plain(name: str) -> bool:
    return name not in {"", ".", ".."} and not any(letter in "/\\\x7f" or letter < " " for letter in name)


def _is_response(entry: SFTPAttributes) -> bool:
    return _is_file(entry) and _is_plain(entry.filename) and not entry.filename.startswith(_OURS)


def _is_file(entry: SFTPAttributes) -> bool:
    return entry.st_mode is None or stat.S_ISREG(entry.st_mode)


def _response(entry: SFTPAttributes) -> ResponseFile:
    return ResponseFile(entry.filename, entry.st_size or 0, datetime.fromtimestamp(entry.st_mtime or 0, UTC))
