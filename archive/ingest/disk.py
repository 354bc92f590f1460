"""Our own disk, told apart from the package on it: what fails in reading or writing a file of ours is no flaw of what it holds.

Readers of archives (`zipfile`, `gzip`, `bz2`) raise an ``OSError`` for damaged contents, and hide that of a failing disk behind
an error of theirs. A file opened here tells its own failures as ``Unavailable``, which none of them catches.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from archive.ingest.wording import messages
from core.errors import Unavailable

_AHEAD = 128 << 10


@contextmanager
def ours() -> Iterator[None]:
    """Tell an ``OSError`` of the block, or of a function decorated with it, as a failure of our disk.

    Raises:
        Unavailable: there was one.
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(messages("disk", reason=error.strerror or error)) from error


def opened(path: Path) -> BinaryIO:
    """Open a file for reading; whoever opened it closes it.

    Raises:
        Unavailable: now, or from what is opened: the disk does not give it.
    """
    with ours():
        return cast("BinaryIO", io.BufferedReader(_OnDisk(path), _AHEAD))


class _OnDisk(io.RawIOBase):
    """A file of ours; to go to a place that a package names, and that is none, stays an ``OSError``."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]
        with ours():
            return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
