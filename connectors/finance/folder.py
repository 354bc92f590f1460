"""A watched folder of this machine, or of a share mounted on it, below the folder that the operator set aside.

Everything is reached from open directories, never by a path, and no link is followed: whoever else writes into the share can lead
us nowhere. What was written is on the disk before anybody is told that it is about to be published.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from connectors.finance import errors
from connectors.finance.naming import plain, temporary_name
from connectors.finance.places import LARGEST_ANSWER, AnswerFile, Presence, settled
from connectors.finance.settings import Bounds, FolderPlace
from core.messages import Catalogue

_messages = Catalogue("connectors.finance")
_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_MODE = 0o660  # the software reads with an account of its own, of the same group
_NOT_OVER_ANOTHER = 1  # RENAME_NOREPLACE, renameat2(2)
_NOT_KNOWN_HERE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
_LEADS_ELSEWHERE = {errno.ELOOP, errno.ENOTDIR, errno.ENOENT}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_libc = ctypes.CDLL(None, use_errno=True)


class WatchedFolder:
    """The two directories, held open; for one thread at a time."""

    def __init__(self, place: FolderPlace, deliveries: int, answers: int) -> None:
        self._place = place
        self._deliveries = deliveries
        self._answers = answers

    def presence(self, name: str) -> Presence:
        """Tell what stands under the final and the temporary name."""
        with self._told(name):
            return Presence(self._size(plain(name)) is not None, self._size(temporary_name(name)))

    def upload(self, path: Path, name: str) -> None:
        """Write a local file under the temporary name, in place of what an interrupted upload left."""
        temporary = temporary_name(name)
        with self._told(name), path.open("rb") as source:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=self._deliveries)
            with os.fdopen(os.open(temporary, _NEW, _MODE, dir_fd=self._deliveries), "wb") as target:
                while piece := source.read(_CHUNK):
                    target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            _kept(self._deliveries)

    def publish(self, name: str) -> None:
        """Give the temporary file its final name."""
        with self._told(name):
            try:
                _renamed(self._deliveries, temporary_name(name), plain(name))
            except FileExistsError as error:
                raise errors.NameTaken(_messages("name.taken", name=name)) from error
            except FileNotFoundError as error:
                raise errors.TemporaryMissing(_messages("temporary.missing", name=name)) from error
            _kept(self._deliveries)

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of what stands under the final name."""
        with self._told(name):
            try:
                opened = os.open(plain(name), _PLAIN, dir_fd=self._deliveries)
            except FileNotFoundError:
                return None
            with os.fdopen(opened, "rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()

    def answers(self) -> list[AnswerFile]:
        """Return the answers that are whole, oldest first."""
        with self._told(self._place.answers or self._place.directory):
            return settled(self._look, self._place)

    def read(self, name: str) -> bytes:
        """Return an answer."""
        with self._told(name), os.fdopen(os.open(plain(name), _PLAIN, dir_fd=self._answers), "rb") as stream:
            told = os.fstat(stream.fileno())
            if not stat.S_ISREG(told.st_mode) or told.st_size > LARGEST_ANSWER:
                raise errors.AnswerUnreadable(_messages("answer.large", name=name, limit=LARGEST_ANSWER // 1024))
            return stream.read(LARGEST_ANSWER)

    def remove(self, name: str) -> None:
        """Delete an answer that was heard."""
        with self._told(name), suppress(FileNotFoundError):
            os.unlink(plain(name), dir_fd=self._answers)

    def _size(self, name: str) -> int | None:
        try:
            return os.stat(name, dir_fd=self._deliveries, follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def _look(self) -> list[AnswerFile]:
        found = []
        with os.scandir(self._answers) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    told = entry.stat(follow_symlinks=False)
                    found.append(AnswerFile(entry.name, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC)))
        return found

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Turn what the system raises into the room's errors."""
        try:
            yield
        except OSError as error:
            raise _failure(error, what) from error


@contextmanager
def opened(place: FolderPlace, bounds: Bounds) -> Iterator[WatchedFolder]:
    """Open a watched folder, and close it at the end.

    Raises:
        PlaceMissing: the operator set no folder aside, or a directory does not exist below it, or is a link.
        AccessRefused: the platform's account has no right there.
    """
    if bounds.folder is None:
        raise errors.PlaceMissing(_messages("folder.none"))
    with ExitStack() as held:
        deliveries = _below(held, bounds.folder, place.directory)
        answers = _below(held, bounds.folder, place.answers or place.directory)
        yield WatchedFolder(place, deliveries, answers)


def _below(held: ExitStack, root: Path, directory: str) -> int:
    """Return a directory below the operator's folder, open; each step is one of its own, and no link."""
    try:
        step = _held(held, os.open(root, os.O_RDONLY | os.O_DIRECTORY))
        for part in PurePosixPath(directory).parts:
            step = _held(held, os.open(part, _DIRECTORY, dir_fd=step))
    except OSError as error:
        raise _failure(error, f"{root.name}/{directory}", missing=True) from error
    return step


def _held(held: ExitStack, opened_directory: int) -> int:
    held.callback(os.close, opened_directory)
    return opened_directory


def _failure(error: OSError, what: str, *, missing: bool = False) -> Exception:
    reason = error.strerror or type(error).__name__
    if missing and error.errno in _LEADS_ELSEWHERE:
        return errors.PlaceMissing(_messages("folder.missing", directory=what))
    if error.errno in _REFUSED or error.errno == errno.ELOOP:
        return errors.AccessRefused(_messages("folder.refused", what=what, reason=reason))
    return errors.FinanceUnavailable(_messages("folder.unavailable", what=what, reason=reason))


def _kept(directory: int) -> None:
    """Have the names of a directory written to the disk; some shares know no such call, and see to it by themselves."""
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno not in _NOT_KNOWN_HERE:
            raise


def _renamed(directory: int, source: str, target: str) -> None:
    """Rename within a directory, atomically, and never over another file.

    Raises:
        FileExistsError, FileNotFoundError, OSError: as the system says.
    """
    done = _libc.renameat2(directory, os.fsencode(source), directory, os.fsencode(target), _NOT_OVER_ANOTHER)
    if done == 0:
        return
    number = ctypes.get_errno()
    if number not in _NOT_KNOWN_HERE:
        raise OSError(number, os.strerror(number))
    # Some shares do not know that call: there a name is looked at first. It is of no other invoice than ours.
    with suppress(FileNotFoundError):
        os.stat(target, dir_fd=directory, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(source, target, src_dir_fd=directory, dst_dir_fd=directory)
