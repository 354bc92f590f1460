"""Objects in S3: documents by their digest; sealed packages under a lock are in `core.locked_objects`, on which this stands.

Two buckets. ``documents`` keeps working copies under the SHA-256 of their content: the same content is kept once, and whoever
reads one back checks it. ``archive`` is versioned and locked.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from minio.commonconfig import COMPLIANCE, CopySource

from core.errors import Misconfigured, TabellionError, Unavailable
from core.locked_objects import LOCK_DAYS, LockedObject, LockedObjects, SealedObject
from core.messages import Catalogue
from core.s3 import ObjectAltered, ObjectMissing, classified, copy_checked

__all__ = ["Blob", "LockedObject", "ObjectAltered", "ObjectMissing", "ObjectStore", "Readable", "SealedObject", "TooLarge"]

_messages = Catalogue("core")
_PIECE = 256 * 1024
_IN_MEMORY = 1 << 20


class Readable(Protocol):
    """Anything that bytes can be read from, once and forward."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A document kept by its content: hexadecimal SHA-256 and size in bytes."""

    sha256: str
    size: int


class ObjectStore(LockedObjects):
    """An S3 server with versions and object lock: documents, and the principal place of the archive."""

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        prefix: str,
        *,
        lock_mode: str = COMPLIANCE,
        lock_days: int = LOCK_DAYS,
    ) -> None:
        super().__init__(endpoint, access_key, secret_key, prefix, lock_mode=lock_mode, lock_days=lock_days)
        self.documents = f"{prefix}-documents"

    def prepare(self) -> None:
        """Make the buckets that are missing: one plain, one versioned with object lock."""
        with classified("s3.doing.prepare"):
            if not self._client.bucket_exists(self.documents):
                self._client.make_bucket(self.documents)
        super().prepare()

    def put(self, source: Readable, limit: int | None = None) -> Blob:
        """Keep a document read to its end, hashing on the way; memory holds a megabyte or two of it, whatever the size.

        Args:
            source: what to read.
            limit: size in bytes above which the document is refused and nothing is kept.

        Raises:
            TooLarge: the source holds more than the limit.
            Unavailable: the store does not answer.
        """
        with _spooled(source, limit) as (whole, blob):
            self._write(_key(blob.sha256), whole, blob.size)
        return blob

    def _write(self, key: str, whole: BinaryIO, size: int) -> None:
        """Write a document from its beginning; a large one is given on as it is read, where the client would hold parts of it."""
        with classified("s3.doing.put"):
            if size <= _IN_MEMORY:
                self._client.put_object(self.documents, key, whole, size)
                return
            address = self._client.presigned_put_object(self.documents, key, expires=timedelta(hours=1))
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
            answer = self._pool.request("PUT", address, body=whole, headers=headers)
        if answer.status == HTTPStatus.FORBIDDEN:
            raise Misconfigured(_messages("s3.denied", doing=_messages("s3.doing.put"), code=answer.status))
        if answer.status != HTTPStatus.OK:
            raise Unavailable(_messages("s3.failed", doing=_messages("s3.doing.put"), code=answer.status))

    def put_file(self, path: Path) -> Blob:
        """Keep a file of this machine."""
        with _hashed(path) as (stream, blob):
            self._write(_key(blob.sha256), stream, blob.size)
        return blob

    def fetch(self, sha256: str, target: Path) -> None:
        """Write a document to a file, checking it against its digest.

        Raises:
            ObjectMissing: no such document.
            ObjectAltered: the content does not have the digest it is kept under.
            Unavailable: the store does not answer.
        """
        with self.reading(sha256) as stream:
            copy_checked(stream, target, sha256)

    @contextmanager
    def reading(self, sha256: str) -> Iterator[Any]:
        """Open a document to be read forward in pieces (``.stream(size)`` or ``.read(size)``)."""
        with classified("s3.doing.read"):
            response = self._client.get_object(self.documents, _key(sha256))
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

    def destroy(self, sha256: str, settled: datetime) -> bool:
        """Remove a document that nothing names any more; tell whether it is gone, which it may have been before.

        One that was put, or put again, after ``settled`` stays: whoever did so may be about to name it.

        Raises:
            Unavailable, Misconfigured: the store does not answer, or does not let us.
        """
        key = _key(sha256)
        try:
            with classified("s3.doing.destroy"):
                written = self._client.stat_object(self.documents, key).last_modified
                if written is None or written > settled:
                    return False
                self._client.remove_object(self.documents, key)
        except ObjectMissing:
            return True
        return True

    def hold(self, key: str, source: Readable, limit: int) -> Blob:
        """Keep what is not a document yet under a provisional name, read to its end and hashed on the way.

        Args:
            key: the name; what stood under it is replaced.
            source: what to read.
            limit: size in bytes above which it is refused and nothing is kept.

        Raises:
            TooLarge: the source holds more than the limit.
            Unavailable: the store does not answer.
        """
        with _spooled(source, limit) as (whole, blob):
            self._write(_held(key), whole, blob.size)
        return blob

    def hold_file(self, key: str, path: Path) -> Blob:
        """Keep a file of this machine under a provisional name; what stood under it is replaced.

        Raises:
            Unavailable: the store does not answer.
        """
        with _hashed(path) as (stream, blob):
            self._write(_held(key), stream, blob.size)
        return blob

    @contextmanager
    def reading_held(self, key: str) -> Iterator[Any]:
        """Open what is held under a provisional name, as ``reading`` does."""
        with classified("s3.doing.read"):
            response = self._client.get_object(self.documents, _held(key))
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

    def adopt(self, key: str, sha256: str) -> None:
        """Make a document of what is held under a provisional name and hashes to this; copied within the server.

        Raises:
            ObjectMissing: nothing is held there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.put"):
            self._client.copy_object(self.documents, _key(sha256), CopySource(self.documents, _held(key)))

    def let_go(self, folder: str) -> None:
        """Forget everything that is held under the names that begin with ``<folder>/``."""
        with classified("s3.doing.put"):
            for found in list(self._client.list_objects(self.documents, prefix=f"{_held(folder)}/", recursive=True)):
                self._client.remove_object(self.documents, str(found.object_name))


class TooLarge(TabellionError):
    """The document is larger than the limit.

    Attributes:
        limit: the limit, in bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(_messages("s3.too_large", mebibytes=limit // 1_048_576))
        self.limit = limit


@contextmanager
def _spooled(source: Readable, limit: int | None) -> Iterator[tuple[BinaryIO, Blob]]:
    """Read a source to its end, hashing on the way; give it from its beginning, and by which digest it will be known.

    What does not fit into a little memory waits in a file without a name: its key is its digest, which the end alone tells.
    """
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        while piece := source.read(_PIECE):
            size += len(piece)
            if limit is not None and size > limit:
                raise TooLarge(limit)
            digest.update(piece)
            whole.write(piece)
        whole.seek(0)
        yield cast("BinaryIO", whole), Blob(digest.hexdigest(), size)


@contextmanager
def _hashed(path: Path) -> Iterator[tuple[BinaryIO, Blob]]:
    """Open a file from its beginning, once it is known by which digest."""
    with path.open("rb") as stream:
        blob = Blob(hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)
        stream.seek(0)
        yield stream, blob


def _held(key: str) -> str:
    return f"held/{key}"


def _key(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256}"
