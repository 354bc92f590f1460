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

from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    SFTPAttributes,
    SFTPClient,
    SFTPError,
    SSHClient,
    SSHException,
)

from connectors.finance import errors
from connectors.finance.naming import plain, temporary_name
from connectors.finance.places import LARGEST_ANSWER, AnswerFile, Presence, settled
from connectors.finance.settings import Bounds, SftpPlace
from core import addresses
from core.messages import Catalogue
from core.sftp import open_sftp, sign_in

_messages = Catalogue("connectors.finance")
_CHUNK = 32 * 1024
_BROKEN = (OSError, SSHException, SFTPError, EOFError)


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
            line = addresses.connected(place.host, place.port, bounds.networks, place.connect_timeout)
            sign_in(client, place, line, patience=place.connect_timeout)
            sftp = open_sftp(client, place)
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


def _unavailable(place: SftpPlace, error: BaseException) -> errors.FinanceUnavailable:
    reason = str(error) or type(error).__name__
    return errors.FinanceUnavailable(_messages("sftp.unavailable", host=place.host, port=place.port, reason=reason[:200]))


def _seen(entry: SFTPAttributes) -> AnswerFile:
    return AnswerFile(entry.filename, entry.st_size or 0, datetime.fromtimestamp(entry.st_mtime or 0, UTC))
