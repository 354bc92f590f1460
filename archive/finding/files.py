"""The files of a record, taken out of its package: read back from a place that holds it whole, each held against its digest.

Nothing is given out before it was found to be what was sealed: a file is written whole to a temporary folder first.
"""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func
from sqlmodel import col, select

from archive.finding.seeing import require_kept
from archive.ingest.inspection import OpenPackage, open_package
from archive.models import Record, RecordFile
from archive.places.places import fetch
from core.blobs import ObjectAltered
from core.database import ScopedSession
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform

_messages = Catalogue("archive.finding")


@dataclass(frozen=True, slots=True)
class TakenPackage:
    """A record's package as it was read back, open.

    Attributes:
        path: the whole of it, byte for byte as it was sealed.
    """

    path: Path
    opened: OpenPackage

    def take(self, file: RecordFile, target: Path) -> None:
        """Write a file of the package to a path.

        Raises:
            ObjectAltered: it is not what the record says of it; nothing is left at the path.
            UnsafePackage: the package does not hold it.
        """
        digest = hashlib.sha256()
        with target.open("wb") as stream:
            for piece in self.opened.chunks(file.uri):
                digest.update(piece)
                stream.write(piece)
        if file.sha256 is not None and not hmac.compare_digest(digest.hexdigest(), file.sha256):
            target.unlink()
            raise ObjectAltered(_messages("file.altered", name=file.name))


@contextmanager
def taken(platform: Platform, record: Record) -> Iterator[TakenPackage]:
    """Read a record's package back for the time of the block.

    Raises:
        NotFound: the record was destroyed.
        ObjectMissing, ObjectAltered: no place holds it whole.
        Unavailable: no place that answers holds it whole.
    """
    require_kept(record)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        fetch(platform, record, package)
        with open_package(package) as opened:
            yield TakenPackage(package, opened)


def files_of(session: ScopedSession, record_id: str, after: int = 0, limit: int | None = None) -> list[RecordFile]:
    """Return the files of a record, in the order of its manifest: those after a rank, so many at most."""
    wanted = select(RecordFile).where(RecordFile.record_id == record_id, col(RecordFile.rank) > after)
    return list(session.exec(wanted.order_by(col(RecordFile.rank)).limit(limit)))


def count_of(session: ScopedSession, record_id: str) -> int:
    """Return how many files a record has: a package that was handed over may have a hundred thousand."""
    return session.exec(select(func.count(RecordFile.rank)).where(RecordFile.record_id == record_id)).one()  # type: ignore[arg-type]


def file_of(session: ScopedSession, record_id: str, rank: int) -> RecordFile:
    """Return a file of a record.

    Raises:
        NotFound: the record has no such file.
    """
    found = session.exec(select(RecordFile).where(RecordFile.record_id == record_id, RecordFile.rank == rank)).first()
    if found is None:
        raise NotFound(_messages("file.unknown"))
    return found
