"""Files that can always be made again, kept on the disk of this machine so that they are not: pages as images, texts.

One folder for all processes of a machine. What is least read goes first when there is too much, and what nobody has read for a
day goes anyhow: what was made of a document that was destroyed cannot be read any more, on whatever machine it lies. Nothing here
is needed: whoever empties the folder, at any time, loses time only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from core.settings import Settings

_log = structlog.get_logger()
_LIMIT = 2 << 30
_KEPT = 0.8  # of the limit, once what was too much is gone
_LOOKED_EVERY = 50  # of the limit: how much is written between two looks at the whole
_UNREAD = 24 * 3600.0  # seconds
_SWEPT_EVERY = 3600.0  # seconds


class DerivedFiles:
    """The cache.

    Args:
        folder: its own, made when missing.
        limit: bytes; exceeded by a fiftieth for each process that writes.
    """

    def __init__(self, folder: Path, limit: int = _LIMIT) -> None:
        self._folder, self._limit = folder, limit
        self._unseen = limit  # bytes written since the last look at the whole; the first write looks
        self._counting = threading.Lock()
        self._swept = float("-inf")  # on the monotonic clock; the first use sweeps

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key, or None."""
        self._sweep()
        path = self._path(key)
        with suppress(OSError):
            content = path.read_bytes()
            os.utime(path)  # read now: among the last to go
            return content
        return None

    def get_or_make(self, key: str, together: str, make: Callable[[], Mapping[str, bytes]]) -> bytes:
        """Return what is kept under a key, made first where it is missing.

        Of those that ask at the same time, in this process and in others, one makes and the others wait for it; so ``make`` asks
        nothing of a cache. What it raises goes through, and nothing is kept.

        Args:
            key: name of the content, never used for another content.
            together: name of what is made in one go; the same for all the keys that ``make`` gives.
            make: gives contents by key, that of ``key`` among them.
        """
        if (kept := self.get(key)) is not None:
            return kept
        with self._alone(together):
            if (kept := self.get(key)) is not None:
                return kept
            made = make()
            for name, content in made.items():
                self._put(name, content)
            return made[key]

    def forget(self, unread: float = 0.0) -> None:
        """Delete what nobody has read for so many seconds; by default all there is."""
        before = time.time_ns() - int(unread * 1e9)
        for used, _, path in self._files():
            if used <= before:
                with suppress(OSError):
                    path.unlink()

    def _sweep(self) -> None:
        with self._counting:
            now = time.monotonic()
            due = now - self._swept >= _SWEPT_EVERY
            self._swept = now if due else self._swept
        if due:
            self.forget(_UNREAD)

    def _put(self, key: str, content: bytes) -> None:
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=path.parent, prefix=".")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(written).replace(path)
            except OSError:
                Path(written).unlink(missing_ok=True)
                raise
        except OSError as error:  # a full disk costs time, never an answer
            _log.warning("derived.not_kept", reason=error.strerror)
        with self._counting:
            self._unseen += len(content)
            looking = self._unseen * _LOOKED_EVERY >= self._limit
            self._unseen = 0 if looking else self._unseen
        if looking:
            self._make_room()

    def _make_room(self) -> None:
        """Delete what was least read, until there is less than the limit; others may be doing the same."""
        found = sorted(self._files())
        size = sum(bytes_ for _, bytes_, _ in found)
        if size <= self._limit:
            return
        for _, bytes_, path in found:
            if size <= self._limit * _KEPT:
                break
            with suppress(OSError):
                path.unlink()
            size -= bytes_

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """Give moment of last use, bytes and path of every file, half-written ones too."""
        for folder in self._folder.glob("??"):
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(OSError):
                        about = entry.stat(follow_symlinks=False)
                        yield about.st_mtime_ns, about.st_size, Path(entry.path)

    @contextmanager
    def _alone(self, together: str) -> Iterator[None]:
        """Wait until nobody on this machine makes these; without a lock where none can be had."""
        # One file for all names that begin alike: locks need no clearing away, and strangers rarely wait for each other.
        path = self._folder / "locks" / _digest(together)[:2]
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            opened = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            _log.warning("derived.not_locked", reason=error.strerror)
            yield
            return
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)

    def _path(self, key: str) -> Path:
        digest = _digest(key)
        return self._folder / digest[:2] / digest[2:]


def derived_files(settings: Settings) -> DerivedFiles:
    """Return the cache of a platform, one for each folder and process."""
    folder = settings.state_dir / "cache"
    with _opening:
        return _opened.setdefault(folder, DerivedFiles(folder))


_opened: dict[Path, DerivedFiles] = {}
_opening = threading.Lock()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
