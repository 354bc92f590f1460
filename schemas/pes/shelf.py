"""Where the indexes of PES are kept: made when first asked for, in a process of its own, thrown away when others need the room.

One folder for all processes of a machine. Nothing here is needed: whoever empties it, at any time, loses time only; what nobody
has read for a day goes when the next one is made, since the document may have been destroyed. The document
goes from the store through a pipe to the sandbox, so that a page shows its beginning before its end has arrived.

    <state>/cache/pes/<sha256>/<version>-<build>/index.sqlite    with ``whole`` beside it once it is
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from core import sandbox
from core.errors import TabellionError
from core.identifiers import new_id
from core.messages import Catalogue, current_locale, speaking
from core.platform import Platform
from schemas.pes import lookup
from schemas.pes.index import VERSION

messages = Catalogue("schemas.pes")
_log = structlog.get_logger()
_LIMIT = 2 << 30
_KEPT = 0.8  # of the limit, once what was too much is gone
_UNREAD = 24 * 3600  # seconds
_MEMORY = 256 << 20
_SECONDS = 300.0
_PATIENCE = 1.5  # seconds that a first page is waited for
_MOMENT = 0.15
_TROUBLE_HOLDS = 60.0
_LOOK = 0.02
_PIECE = 1 << 18
_under_way: set[Path] = set()
_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Shelved:
    """The index of a document, as far as it has come.

    Attributes:
        path: of the index; None while there is nothing to show.
        whole: everything was read, and the bytes were those that the store had been given.
        trouble: why it could not be made, in words; tried again after a minute.
    """

    path: Path | None
    whole: bool = False
    trouble: str | None = None


def shelved(platform: Platform, sha256: str, patience: float = _PATIENCE) -> Shelved:
    """Return the index of a PES of the store, making it if need be.

    Args:
        platform: whose store and folder.
        sha256: of the document.
        patience: seconds to wait until there is a first page to show.
    """
    folder = platform.settings.state_dir / "cache" / "pes" / sha256
    found = _found(folder)
    if found.whole:
        with contextlib.suppress(OSError):
            os.utime(folder)  # read now: among the last to go
        return found
    if found.trouble is None:
        _begin(platform, sha256, folder)
    deadline = time.monotonic() + patience
    while not (found.whole or found.trouble) and time.monotonic() < deadline:
        time.sleep(_LOOK)
        shown, found = found.path is not None, _found(folder)
        if found.path is not None and not shown:
            # Most documents are small: once there is something to show, the rest is only a moment away.
            deadline = min(deadline, time.monotonic() + _MOMENT)
    return found


def forget(platform: Platform, sha256: str) -> None:
    """Throw the index of a document away: the document is destroyed."""
    shutil.rmtree(platform.settings.state_dir / "cache" / "pes" / sha256, ignore_errors=True)


def _found(folder: Path) -> Shelved:
    newest_first = sorted(folder.glob(f"{VERSION}-*/index.sqlite"), reverse=True)
    for path in newest_first:
        if (path.parent / "whole").exists():
            return Shelved(path, whole=True)
    begun = next(filter(_has_begun, newest_first), None)
    return Shelved(begun, trouble=_trouble(folder))


def _trouble(folder: Path) -> str | None:
    with contextlib.suppress(OSError):
        told = folder / "trouble"
        if time.time() - told.stat().st_mtime < _TROUBLE_HOLDS:
            return told.read_text(encoding="utf-8")
    return None


def _has_begun(path: Path) -> bool:
    try:
        with lookup.opened(path) as database:
            return lookup.begun(database)
    except lookup.Unreadable:  # its tables are not there yet
        return False


def _begin(platform: Platform, sha256: str, folder: Path) -> None:
    with _guard:
        if folder in _under_way:
            return
        _under_way.add(folder)
    threading.Thread(target=_make, args=(platform, sha256, folder, current_locale()), daemon=True).start()


def _make(platform: Platform, sha256: str, folder: Path, locale: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(folder) as alone, speaking(locale):
            if alone and not _found(folder).whole:
                _make_room(folder.parent)
                _build(platform, sha256, folder)
    except OSError as error:  # a full disk: the page says that it could not be read
        _log.warning("pes.index_not_kept", reason=error.strerror)
        _tell(folder, messages("shelf.stopped"))
    finally:
        with _guard:
            _under_way.discard(folder)


def _build(platform: Platform, sha256: str, folder: Path) -> None:
    for old in folder.glob("*/"):
        shutil.rmtree(old, ignore_errors=True)
    work = folder / f"{VERSION}-{new_id()}"
    work.mkdir(mode=0o700)
    feeding = _Feeding(platform, sha256, work / "document")
    feeding.start()
    try:
        argument: sandbox.JsonValue = {"source": "document", "target": "index.sqlite"}
        sandbox.call("schemas.pes.index:build", argument, folder=work, memory=_MEMORY, seconds=_SECONDS)
        trouble = feeding.ended()
    except TabellionError as error:
        feeding.ended()
        trouble = str(error)
    if trouble is None:
        (work / "whole").touch()
        (folder / "trouble").unlink(missing_ok=True)
    else:
        _tell(folder, trouble)


def _tell(folder: Path, trouble: str) -> None:
    with contextlib.suppress(OSError):
        (folder / "trouble").write_text(trouble, encoding="utf-8")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Tell whether nobody else on this machine makes this index; the lock goes with the process that holds it."""
    opened = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(opened)
    finally:
        os.close(opened)


def _locked(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_room(root: Path, limit: int = _LIMIT) -> None:
    """Delete the indexes that nobody reads, then the least read if there is too much; one that is open stays readable."""
    found = sorted((_used(folder), _size(folder), folder) for folder in root.iterdir())
    size = sum(bytes_ for _, bytes_, _ in found)
    wanted, unread = (size if size <= limit else limit * _KEPT), time.time_ns() - _UNREAD * 10**9
    for used, bytes_, folder in found:
        if size <= wanted and used > unread:
            break
        with contextlib.suppress(OSError), _alone(folder) as alone:
            if alone:
                shutil.rmtree(folder, ignore_errors=True)
                size -= bytes_


def _used(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime_ns
    return 0  # gone in between


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            size += path.lstat().st_size
    return size


class _Feeding(threading.Thread):
    """Carries a document from the store into a pipe, and says at the end whether it was the one that had been kept."""

    def __init__(self, platform: Platform, sha256: str, pipe: Path) -> None:
        super().__init__(daemon=True)
        os.mkfifo(pipe, 0o600)
        self._platform, self._sha256, self._pipe = platform, sha256, pipe
        self._over = threading.Event()
        self._trouble: str | None = messages("shelf.stopped")
        self._altered = messages("shelf.altered")

    def ended(self) -> str | None:
        """Return what went wrong, once the reader has ended."""
        self._over.set()
        self.join()
        self._pipe.unlink(missing_ok=True)
        return self._trouble

    def run(self) -> None:
        """Wait for the reader, then give it everything."""
        pipe = self._opened()
        if pipe is None:
            return
        try:
            self._trouble = self._fed(pipe)
        except TabellionError as error:
            self._trouble = str(error)
        finally:
            with contextlib.suppress(OSError):
                os.close(pipe)

    def _opened(self) -> int | None:
        while not self._over.is_set():
            try:
                pipe = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError:  # nobody reads yet
                time.sleep(_LOOK)
                continue
            os.set_blocking(pipe, True)
            return pipe
        return None

    def _fed(self, pipe: int) -> str | None:
        digest, read = hashlib.sha256(), True
        with self._platform.objects.reading(self._sha256) as source:
            for piece in source.stream(_PIECE):
                digest.update(piece)
                # The reader stops where a document cannot be read further; its digest is wanted all the same.
                read = read and _written(pipe, piece)
        return None if digest.hexdigest() == self._sha256 else self._altered


def _written(pipe: int, piece: bytes) -> bool:
    left = memoryview(piece)
    try:
        while left:
            left = left[os.write(pipe, left) :]
    except BrokenPipeError:
        return False
    return True
