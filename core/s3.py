"""The connection to an S3 server: address, pool, the requests that the client library cannot make, its errors in our words.

What lives here: nothing that knows what an object is for. Documents are in `core.blobs`, what stands under a lock in
`core.locked_objects`.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote, urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import MinioException, S3Error
from minio.signer import sign_v4_s3
from urllib3.exceptions import HTTPError

from core import clock
from core.errors import Misconfigured, NotFound, TabellionError, Unavailable
from core.messages import Catalogue

_messages = Catalogue("core")
_CHUNK = 1 << 20
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
REGION = "us-east-1"
_NOTHING = hashlib.sha256().hexdigest()


class ObjectMissing(NotFound):
    """The store has no such object."""


class ObjectAltered(TabellionError):
    """What the store gave back is not what was put there."""


class Connection:
    """A client of an S3 server; the client library stands behind it and the classes that derive from it, and nowhere else."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str) -> None:
        address = urllib3.util.parse_url(endpoint)
        if address.host is None or address.scheme not in {"http", "https"}:
            raise Misconfigured(_messages("s3.endpoint"))
        if not access_key or not secret_key:
            raise Misconfigured(_messages("s3.keys"))
        host = address.netloc or address.host
        self._address = f"{address.scheme}://{host}"
        self._credentials = Credentials(access_key, secret_key)
        self._pool = urllib3.PoolManager(maxsize=32, timeout=_TIMEOUT, retries=urllib3.Retry(2, backoff_factor=0.2))
        self._host = self._pool.connection_from_url(self._address)
        self._client = Minio(
            host,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region=REGION,
            http_client=self._pool,
        )

    def clock_skew(self) -> float:
        """Return by how many seconds the server's clock is ahead of ours; it is what ends the locks. Good to a second.

        Raises:
            Unavailable: the server does not answer, or does not say what time it is.
        """
        with classified("s3.doing.clock"):
            answer = self._pool.request("GET", f"{self._address}/", retries=False)
            told = answer.headers.get("Date")
            if told is None:
                raise Unavailable(_messages("s3.no_date"))
            return (parsedate_to_datetime(told) - clock.now()).total_seconds()

    def ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, secret: str | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request as it is, signed, once; whatever is answered comes back. For what tries a server.

        Args:
            method: of HTTP.
            target: path and query, quoted.
            body: bytes to send.
            headers: beside those of the signature, which covers them; ``Content-MD5`` where S3 asks for one.
            secret: to sign with, instead of ours.

        Raises:
            Unavailable: no answer.
        """
        credentials = Credentials(self._credentials.access_key, secret) if secret else self._credentials
        with classified("s3.doing.prove"):
            return self._signed(method, target, body, hashlib.sha256(body).hexdigest(), headers or {}, credentials=credentials)

    def ask_unsigned(self, target: str) -> urllib3.BaseHTTPResponse:
        """Ask for a path with its query as anybody could; whatever is answered comes back.

        Raises:
            Unavailable: no answer.
        """
        with classified("s3.doing.prove"):
            return self._host.urlopen("GET", target, retries=False, redirect=False)

    def address_that_ended(self, bucket: str, key: str) -> str:
        """Return the path and query of a signed address that was good for an hour, until an hour ago."""
        began = clock.now() - timedelta(hours=2)
        signed = self._client.get_presigned_url("GET", bucket, key, expires=timedelta(hours=1), request_date=began)
        return signed.removeprefix(self._address)

    def _put_signed(
        self, bucket: str, key: str, body: BinaryIO | bytes, sha256: str, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        """Put an object with headers that the client library does not take, each of them signed; what is not 200 is the caller's.

        Never tried again: the pool cannot know whether an answer that was lost stands for a write.
        """
        return self._signed("PUT", _path(bucket, key), body, sha256, headers)

    def _get_signed(self, target: str) -> urllib3.BaseHTTPResponse:
        """Open a path with its query to be read, at half of what the client library costs; what is not 200 is the caller's."""
        return self._signed("GET", target, None, _NOTHING, {}, preload_content=False)

    def _open(self, bucket: str, key: str, version_id: str) -> urllib3.BaseHTTPResponse:
        """Open a version to be read.

        Raises:
            S3Error: the store does not give it.
        """
        answer = self._get_signed(f"{_path(bucket, key)}?versionId={quote(version_id, safe='~')}")
        if answer.status == HTTPStatus.OK:
            return answer
        answer.drain_conn()
        return self._client.get_object(bucket, key, version_id=version_id)  # which says what is the matter

    def _signed(
        self,
        method: str,
        target: str,
        body: BinaryIO | bytes | None,
        sha256: str,
        headers: Mapping[str, str],
        *,
        credentials: Credentials | None = None,
        preload_content: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        address = urlsplit(f"{self._address}{target}")
        now = clock.now()
        signed = sign_v4_s3(
            method=method,
            url=address,
            region=REGION,
            headers={
                **headers,
                "Host": address.netloc,
                "x-amz-content-sha256": sha256,
                "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
            },
            credentials=credentials or self._credentials,
            content_sha256=sha256,
            date=now,
        )
        told = cast("dict[str, str]", signed)
        return self._host.urlopen(
            method, target, body=body, headers=told, retries=False, redirect=False, preload_content=preload_content
        )


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key, safe='/~')}"


def digests_of(stream: BinaryIO) -> tuple[str, str]:
    """Read a stream to its end; return its SHA-256, hexadecimal, and its MD5 as ``Content-MD5`` bears it.

    S3 asks for the second, or for a checksum, where a lock applies to what is put.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    while piece := stream.read(_CHUNK):
        sha256.update(piece)
        md5.update(piece)
    return sha256.hexdigest(), content_md5(md5.digest())


def content_md5(digest: bytes) -> str:
    """Return a digest as the header ``Content-MD5`` bears it."""
    return b64encode(digest).decode()


def read_back(stream: Any) -> tuple[str, int]:
    """Read an object to its end and return its SHA-256, hexadecimal, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    for chunk in stream.stream(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def copy_checked(stream: Any, target: Path, sha256: str) -> None:
    """Write an object to a file; the file is gone when the object does not have the digest.

    Raises:
        ObjectAltered: it does not.
    """
    if copy_unchecked(stream, target)[0] != sha256:
        target.unlink()
        raise ObjectAltered(_messages("s3.altered", sha256=sha256))


def copy_unchecked(stream: Any, target: Path) -> tuple[str, int]:
    """Write an object to a file, whatever it is, and return its SHA-256, hexadecimal, and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in stream.stream(_CHUNK):
            digest.update(chunk)
            size += file.write(chunk)
    return digest.hexdigest(), size


def moment(header: str | None) -> datetime | None:
    """Return a moment as the headers of S3 write it; None when the header is absent.

    Raises:
        ValueError: it is no moment.
    """
    return clock.as_utc(datetime.fromisoformat(header)) if header else None


def refused(doing: str, status: int) -> TabellionError:
    """Return the error that an answer's status stands for, where no code of S3 is read; ``doing`` as for `classified`."""
    if status == HTTPStatus.NOT_FOUND:
        return ObjectMissing(_messages("s3.missing", doing=_messages(doing)))
    if status == HTTPStatus.FORBIDDEN:
        return Misconfigured(_messages("s3.denied", doing=_messages(doing), code=status))
    return Unavailable(_messages("s3.failed", doing=_messages(doing), code=status))


@contextmanager
def classified(doing: str) -> Iterator[None]:
    """Say in our own errors what the store or its client answered; ``doing`` is the key of what was under way."""
    try:
        yield
    except S3Error as error:
        if error.code in {"NoSuchKey", "NoSuchVersion", "NoSuchBucket"}:
            raise ObjectMissing(_messages("s3.missing", doing=_messages(doing))) from error
        if error.code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ObjectLocked"}:
            raise Misconfigured(_messages("s3.denied", doing=_messages(doing), code=error.code)) from error
        raise Unavailable(_messages("s3.failed", doing=_messages(doing), code=error.code)) from error
    except (MinioException, HTTPError, ConnectionError, ValueError) as error:
        # The client raises ValueError for an answer that is no S3 answer, such as the error page of a proxy.
        raise Unavailable(_messages("s3.silent", doing=_messages(doing), reason=type(error).__name__)) from error
