"""A directory of an SFTP server, with the server's key pinned.

The rename is the plain one of SFTP, which OpenSSH makes without a moment in which another file could be lost, and which refuses
to replace one.
"""

from __future__ import annotations

import hashlib
import posixpath
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    Message,
    RejectPolicy,
    SFTPAttributes,
    SFTPClient,
    SFTPError,
    SSHClient,
    SSHException,
)
from paramiko.sftp import CMD_NAME

from connectors.finance import errors
from connectors.finance.naming import plain, temporary_name
from connectors.finance.places import LARGEST_ANSWER, AnswerFile, Presence, settled
from connectors.finance.settings import Bounds, SftpPlace
from core import addresses
from core.messages import Catalogue

_messages = Catalogue("connectors.finance")
_CHUNK = 32 * 1024
_SSH_PORT = 22
_BROKEN = (OSError, SSHException, SFTPError, EOFError)


class _Names(Message):
    """An answer of names, of which one that is not UTF-8 must not hide the others."""

    def get_text(self) -> str:
        return self.get_string().decode("utf-8", "replace")


class _Sftp(SFTPClient):
    def _request(self, t: int, *args: Any) -> tuple[int, Message]:
        kind, message = super()._request(t, *args)  # type: ignore[misc]  # left out of the stubs
        return kind, _Names(message.get_remainder()) if kind == CMD_NAME else message


class SftpSession:
    """A session with the server, for one thread at a time."""

    def __init__(self, place: SftpPlace, sftp: SFTPClient) -> None:
        self._place = place
        self._sftp = sftp

    def presence(self, name: str) -> Presence:
        """Tell what stands under the final and the temporary name; nothing is concluded of a directory that is not there."""
        with self._told(name):
            found = Presence(self._size(self._path(name)) is not None, self._size(self._path(temporary_name(name))))
            if not found.final and found.temporary_size is None:
                self._require(self._place.directory)
        return found

    def upload(self, path: Path, name: str) -> None:
        """Write a local file under the temporary name, in place of what an interrupted upload left."""
        temporary, size = self._path(temporary_name(name)), path.stat().st_size
        with path.open("rb") as stream, self._told(name):
            with suppress(FileNotFoundError):
                self._sftp.remove(temporary)
            try:
                self._sftp.putfo(stream, temporary, confirm=False)
            except FileNotFoundError:
                self._require(self._place.directory)
                raise
            kept = self._size(temporary)
        if kept != size:
            raise errors.UploadIncomplete(_messages("upload.incomplete", name=name, found=kept or 0, expected=size))

    def publish(self, name: str) -> None:
        """Give the temporary file its final name."""
        found = self.presence(name)
        if found.final:
            raise errors.NameTaken(_messages("name.taken", name=name))
        if found.temporary_size is None:
            raise errors.TemporaryMissing(_messages("temporary.missing", name=name))
        with self._told(name):
            try:
                self._sftp.rename(self._path(temporary_name(name)), self._path(name))
            except FileNotFoundError as error:
                raise errors.TemporaryMissing(_messages("temporary.missing", name=name)) from error
            except (PermissionError, TimeoutError):
                raise
            except OSError as error:  # SFTP 3 has no word for a name that is taken
                if self._size(self._path(name)) is None:
                    raise
                raise errors.NameTaken(_messages("name.taken", name=name)) from error

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of what stands under the final name."""
        with self._told(name):
            path = self._path(name)
            size = self._size(path)
            if size is None:
                return None
            digest = hashlib.sha256()
            with self._sftp.open(path, "rb") as remote:
                remote.prefetch(size)
                while piece := remote.read(_CHUNK):
                    digest.update(piece)
            return digest.hexdigest()

    def answers(self) -> list[AnswerFile]:
        """Return the answers that are whole, oldest first."""
        with self._told(self._answers):
            try:
                return settled(self._look, self._place)
            except FileNotFoundError:
                self._require(self._answers)
                raise

    def read(self, name: str) -> bytes:
        """Return an answer."""
        path = posixpath.join(self._answers, plain(name))
        with self._told(name):
            told = self._sftp.lstat(path)
            if not stat.S_ISREG(told.st_mode or stat.S_IFREG) or (told.st_size or 0) > LARGEST_ANSWER:
                raise errors.AnswerUnreadable(_messages("answer.large", name=name, limit=LARGEST_ANSWER // 1024))
            with self._sftp.open(path, "rb") as remote:
                return remote.read(LARGEST_ANSWER)

    def remove(self, name: str) -> None:
        """Delete an answer that was heard."""
        with self._told(name), suppress(FileNotFoundError):
            self._sftp.remove(posixpath.join(self._answers, plain(name)))

    @property
    def _answers(self) -> str:
        return self._place.answers or self._place.directory

    def _path(self, name: str) -> str:
        return posixpath.join(self._place.directory, plain(name))

    def _size(self, path: str) -> int | None:
        try:
            return self._sftp.lstat(path).st_size or 0
        except FileNotFoundError:
            return None

    def _require(self, directory: str) -> None:
        if self._size(directory) is None:
            raise errors.PlaceMissing(_messages("sftp.directory", host=self._place.host, directory=directory))

    def _look(self) -> list[AnswerFile]:
        return [_seen(entry) for entry in self._sftp.listdir_attr(self._answers) if stat.S_ISREG(entry.st_mode or stat.S_IFREG)]

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what SSH and SFTP raise into the room's errors."""
        try:
            yield
        except PermissionError as error:
            raise errors.AccessRefused(_messages("sftp.refused", host=self._place.host, what=what)) from error
        except _BROKEN as error:
            raise _unavailable(self._place, error) from error


@contextmanager
def connected(place: SftpPlace, bounds: Bounds) -> Iterator[SftpSession]:
    """Open a session with the server, and hang up at the end.

    Raises:
        AddressRefused: the server is of a network that the operator did not permit.
        HostKeyChanged: its key is not the pinned one; nothing was sent to it.
        AccessRefused: the account is refused.
        FinanceUnavailable: no answer in time, or the connection broke.
    """
    with SSHClient() as client:
        try:
            _authenticate(client, place, bounds)
            sftp = _opened(client, place)
        except BadHostKeyException as error:
            expected, found = error.expected_key.fingerprint, error.key.fingerprint
            raise errors.HostKeyChanged(
                _messages("sftp.host_key", host=place.host, port=place.port, expected=expected, found=found)
            ) from error
        except AuthenticationException as error:
            raise errors.AccessRefused(_messages("sftp.account", host=place.host, username=place.username)) from error
        except socket.gaierror as error:
            raise errors.FinanceUnavailable(_messages("address.unknown", host=place.host)) from error
        except _BROKEN as error:
            raise _unavailable(place, error) from error
        yield SftpSession(place, sftp)


def _authenticate(client: SSHClient, place: SftpPlace, bounds: Bounds) -> None:
    client.set_missing_host_key_policy(RejectPolicy())
    known = place.host if place.port == _SSH_PORT else f"[{place.host}]:{place.port}"
    client.get_host_keys().add(known, place.host_key_algorithm, place.pinned_key())
    line = addresses.connected(place.host, place.port, bounds.networks, place.connect_timeout)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # paramiko leaves Nagle's algorithm on: 100 times slower
    try:
        client.connect(
            place.host,
            place.port,
            place.username,
            password=place.password.get_secret_value() if place.password else None,
            pkey=place.client_key(),
            sock=line,
            timeout=place.connect_timeout,
            banner_timeout=place.connect_timeout,
            auth_timeout=place.connect_timeout,
            channel_timeout=place.operation_timeout,
            allow_agent=False,
            look_for_keys=False,
        )
    except BaseException:
        line.close()
        raise


def _opened(client: SSHClient, place: SftpPlace) -> SFTPClient:
    transport = client.get_transport()
    sftp = _Sftp.from_transport(transport) if transport else None
    if sftp is None:
        raise SSHException("no SFTP channel")
    sftp.sock.settimeout(place.operation_timeout)
    return sftp


def _unavailable(place: SftpPlace, error: BaseException) -> errors.FinanceUnavailable:
    reason = str(error) or type(error).__name__
    return errors.FinanceUnavailable(_messages("sftp.unavailable", host=place.host, port=place.port, reason=reason[:200]))


def _seen(entry: SFTPAttributes) -> AnswerFile:
    return AnswerFile(entry.filename, entry.st_size or 0, datetime.fromtimestamp(entry.st_mtime or 0, UTC))
