"""Objects in S3: documents by their digest, and sealed packages under a lock.

Two buckets. ``documents`` keeps working copies under the SHA-256 of their content: the same content is kept once, and whoever
reads one back checks it. ``archive`` is versioned and locked; what is sealed there is named by key *and* version, since S3
lets anyone add a version or a delete marker on top without touching what is locked.

The client library stands behind this one class, so that another can take its place.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import urllib3
from minio import Minio
from minio.commonconfig import COMPLIANCE, CopySource
from minio.error import MinioException, S3Error
from minio.retention import Retention
from urllib3.exceptions import HTTPError

from core import clock
from core.errors import Misconfigured, NotFound, TabellionError, Unavailable
from core.messages import Catalogue

_messages = Catalogue("core")
_CHUNK = 1 << 20
_PIECE = 256 * 1024
_IN_MEMORY = 1 << 20
_TIMEOUT = urllib3.Timeout(connect=5, read=60)


class Readable(Protocol):
    """Anything that bytes can be read from, once and forward."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A document kept by its content: hexadecimal SHA-256 and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class SealedObject:
    """A package under lock: where it is, which version, and what its bytes must hash to."""

    bucket: str
    key: str
    version_id: str
    sha256: str
    size: int


class ObjectMissing(NotFound):
    """The store has no such object."""


class ObjectAltered(TabellionError):
    """What the store gave back is not what was put there."""


class ObjectStore:
    """An S3 server with versions and object lock."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str, prefix: str, *, lock_mode: str = COMPLIANCE) -> None:
        address = urllib3.util.parse_url(endpoint)
        if address.host is None or address.scheme not in {"http", "https"}:
            raise Misconfigured(_messages("s3.endpoint"))
        self._pool = urllib3.PoolManager(maxsize=32, timeout=_TIMEOUT, retries=urllib3.Retry(2, backoff_factor=0.2))
        self._client = Minio(
            address.netloc or address.host,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region="us-east-1",
            http_client=self._pool,
        )
        self.documents = f"{prefix}-documents"
        self.archive = f"{prefix}-archive"
        self._lock_mode = lock_mode

    def prepare(self) -> None:
        """Make the buckets that are missing: one plain, one versioned with object lock."""
        with _classified("s3.doing.prepare"):
            for bucket, lock in ((self.documents, False), (self.archive, True)):
                if not self._client.bucket_exists(bucket):
                    self._client.make_bucket(bucket, object_lock=lock)

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
        with _classified("s3.doing.put"):
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
        with path.open("rb") as stream:
            blob = Blob(hashlib.file_digest(stream, "sha256").hexdigest(), path.stat().st_size)
            stream.seek(0)
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
            _copy_checked(stream, target, sha256)

    @contextmanager
    def reading(self, sha256: str) -> Iterator[Any]:
        """Open a document to be read forward in pieces (``.stream(size)`` or ``.read(size)``)."""
        with _classified("s3.doing.read"):
            response = self._client.get_object(self.documents, _key(sha256))
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

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

    @contextmanager
    def reading_held(self, key: str) -> Iterator[Any]:
        """Open what is held under a provisional name, as ``reading`` does."""
        with _classified("s3.doing.read"):
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
        with _classified("s3.doing.put"):
            self._client.copy_object(self.documents, _key(sha256), CopySource(self.documents, _held(key)))

    def let_go(self, folder: str) -> None:
        """Forget everything that is held under the names that begin with ``<folder>/``."""
        with _classified("s3.doing.put"):
            for found in list(self._client.list_objects(self.documents, prefix=f"{_held(folder)}/", recursive=True)):
                self._client.remove_object(self.documents, str(found.object_name))

    def seal(self, key: str, path: Path, sha256: str, until: datetime) -> SealedObject:
        """Put a package in the archive once, and lock it.

        The write is conditional (``If-None-Match: *``): of two workers that seal the same key, or of two tries of one, a single
        one writes; the other finds the version that stands there, provided that it holds the same bytes.

        Args:
            key: name of the object, never used for another content.
            path: the package.
            sha256: hexadecimal digest of the package.
            until: end of the lock.

        Raises:
            ObjectAltered: the key is taken by other bytes.
            Unavailable: the store does not answer.
        """
        size = path.stat().st_size
        with _classified("s3.doing.seal"):
            address = self._client.presigned_put_object(self.archive, key, expires=timedelta(hours=1))
            headers = {
                "If-None-Match": "*",
                "Content-Type": "application/zip",
                "Content-Length": str(size),
            }
            with path.open("rb") as stream:
                answer = self._pool.request("PUT", address, body=stream, headers=headers, retries=False)
            if answer.status not in {200, 412}:
                raise Unavailable(_messages("s3.seal_status", status=answer.status))
        return self.seal_again(key, sha256, size, until)

    def seal_again(self, key: str, sha256: str, size: int, until: datetime) -> SealedObject:
        """Lock what stands under an archive key, once its bytes have been read back and found to be those that are meant.

        Raises:
            ObjectMissing: nothing stands there.
            ObjectAltered: the key is taken by other bytes.
            Unavailable: the store does not answer.
        """
        with _classified("s3.doing.seal"):
            version = self._first_version(key)
            self._check_sealed(key, version, sha256, size)
            self._client.set_object_retention(self.archive, key, Retention(self._lock_mode, until), version_id=version)
        return SealedObject(self.archive, key, version, sha256, size)

    def _first_version(self, key: str) -> str:
        versions = [
            found
            for found in self._client.list_objects(self.archive, prefix=key, include_version=True)
            if found.object_name == key and not found.is_delete_marker
        ]
        if not versions:
            raise ObjectMissing(_messages("s3.not_sealed"))
        # Times may come in whole seconds; within one, S3 lists the newest version first (ListObjectVersions).
        oldest = min(reversed(versions), key=lambda found: found.last_modified or clock.now())
        return str(oldest.version_id)

    def _check_sealed(self, key: str, version: str, sha256: str, size: int) -> None:
        # The package is read back before it is locked: a lock on wrong bytes could never be undone.
        response = self._client.get_object(self.archive, key, version_id=version)
        try:
            digest, read = hashlib.sha256(), 0
            for chunk in response.stream(_CHUNK):
                digest.update(chunk)
                read += len(chunk)
        finally:
            response.close()
            response.release_conn()
        if (digest.hexdigest(), read) != (sha256, size):
            raise ObjectAltered(_messages("s3.key_taken", key=key))

    def fetch_sealed(self, sealed: SealedObject, target: Path) -> None:
        """Write a sealed package to a file, checking it against its digest.

        Raises:
            ObjectMissing: that version is not there.
            ObjectAltered: its bytes have changed.
        """
        with _classified("s3.doing.read_sealed"):
            response = self._client.get_object(sealed.bucket, sealed.key, version_id=sealed.version_id)
            try:
                _copy_checked(response, target, sealed.sha256)
            finally:
                response.close()
                response.release_conn()

    def locked_until(self, sealed: SealedObject) -> datetime | None:
        """Return the end of the lock, as the store knows it."""
        with _classified("s3.doing.read_lock"):
            retention = self._client.get_object_retention(sealed.bucket, sealed.key, version_id=sealed.version_id)
        return retention.retain_until_date if retention else None

    def sealed_versions(self, key: str) -> int:
        """Return how many versions stand under an archive key; one, for what is sealed once."""
        with _classified("s3.doing.versions"):
            found = self._client.list_objects(self.archive, prefix=key, include_version=True)
            return sum(1 for item in found if item.object_name == key)

    def prove_lock(self) -> None:
        """Try to delete a locked probe; a store that lets it go must not be trusted with archives.

        Raises:
            Misconfigured: the probe could be deleted.
        """
        key = f"probe/{secrets.token_hex(8)}"
        with _classified("s3.doing.prove"):
            version = self._client.put_object(self.archive, key, io.BytesIO(b"probe"), 5).version_id
            until = clock.now() + timedelta(minutes=2)
            self._client.set_object_retention(self.archive, key, Retention(self._lock_mode, until), version_id=version)
            try:
                self._client.remove_object(self.archive, key, version_id=version)
            except S3Error:
                return
        raise Misconfigured(_messages("s3.lock_not_kept"))


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


def _held(key: str) -> str:
    return f"held/{key}"


def _key(sha256: str) -> str:
    return f"sha256/{sha256[:2]}/{sha256}"


def _copy_checked(stream: Any, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in stream.stream(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != sha256:
        target.unlink()
        raise ObjectAltered(_messages("s3.altered", sha256=sha256))


@contextmanager
def _classified(doing: str) -> Iterator[None]:
    """Say in our own errors what the store or its client answered; ``doing`` is the key of what was under way."""
    try:
        yield
    except S3Error as error:
        if error.code in {"NoSuchKey", "NoSuchVersion", "NoSuchBucket"}:
            raise ObjectMissing(_messages("s3.missing", doing=_messages(doing))) from error
        if error.code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}:
            raise Misconfigured(_messages("s3.denied", doing=_messages(doing), code=error.code)) from error
        raise Unavailable(_messages("s3.failed", doing=_messages(doing), code=error.code)) from error
    except (MinioException, HTTPError, ConnectionError, ValueError) as error:
        # The client raises ValueError for an answer that is no S3 answer, such as the error page of a proxy.
        raise Unavailable(_messages("s3.silent", doing=_messages(doing), reason=type(error).__name__)) from error
