"""A server on trial: the requests that `archive.places.conformance` sends as they are, in a bucket where nothing is of value."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus

import urllib3

from core import clock
from core.blobs import ObjectMissing
from core.errors import Unavailable
from core.locked_bucket import LockedBucket
from core.messages import Catalogue
from core.s3 import content_md5

COMPLIANCE, GOVERNANCE = "COMPLIANCE", "GOVERNANCE"
SHORT = timedelta(seconds=2)
LONG = timedelta(seconds=60)
REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.METHOD_NOT_ALLOWED}
"""How servers say no; they do not agree on which to say when."""
DATA = b"conformance"
BYPASS = {"x-amz-bypass-governance-retention": "true"}
Answer = tuple[bool, str]
"""Whether the server does what is asked of it, and what it answered."""
_messages = Catalogue("archive.places")


class Trial:
    """A server on trial: requests as they are, in a bucket where nothing is of value."""

    def __init__(self, bucket: LockedBucket) -> None:
        self.bucket = bucket
        self.root = f"/{bucket.archive}"

    def target(self, key: str, version: str = "", query: str = "") -> str:
        """Return the path and query of a key, or of a version of it."""
        asked = "&".join(part for part in (query, f"versionId={version}" if version else "") if part)
        return f"{self.root}/{key}" + (f"?{asked}" if asked else "")

    def locked(self, lock: timedelta = LONG, key: str = "") -> tuple[str, str]:
        """Put an object under a lock of its own, and return its key and version.

        Raises:
            Unavailable: the server does not take it, or does not tell its version.
        """
        key = key or secrets.token_hex(8)
        until = f"{clock.now() + lock:%Y-%m-%dT%H:%M:%SZ}"
        headers = {"x-amz-object-lock-mode": COMPLIANCE, "x-amz-object-lock-retain-until-date": until}
        return key, self.version_of(self.bucket.ask("PUT", self.target(key), DATA, md5(DATA) | headers))

    def version_of(self, answer: urllib3.BaseHTTPResponse) -> str:
        """Return the version that a writing tells of.

        Raises:
            Unavailable: it tells of none.
        """
        version = answer.headers.get("x-amz-version-id")
        if answer.status != HTTPStatus.OK or not version:
            raise Unavailable(_messages("probe.refused", status=answer.status))
        return version

    def stands(self, key: str, version: str) -> bool:
        """Tell whether a version gives the bytes that were put there."""
        with suppress(ObjectMissing):
            return self.bucket.standing(key, version).sha256 == hashlib.sha256(DATA).hexdigest()
        return False

    def refused(self, key: str, version: str, *statuses: int) -> Answer:
        """Return whether all of these were refusals, and the version still stands."""
        stands = self.stands(key, version)
        kept = stands and all(status in REFUSED for status in statuses)
        return kept, ", ".join(str(status) for status in statuses) + ("" if stands else f" {_messages('probe.gone')}")

    def retention(self, key: str, version: str, mode: str, until: datetime, headers: dict[str, str] | None = None) -> int:
        """Ask for another lock, and return the status."""
        body = f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{until:%Y-%m-%dT%H:%M:%SZ}</RetainUntilDate></Retention>".encode()
        return self.bucket.ask("PUT", self.target(key, version, "retention="), body, md5(body) | (headers or {})).status

    def hold(self, key: str, version: str, status: str) -> int:
        """Put or lift a legal hold, and return the status."""
        body = f"<LegalHold><Status>{status}</Status></LegalHold>".encode()
        return self.bucket.ask("PUT", self.target(key, version, "legal-hold="), body, md5(body)).status

    def wait_for_the_end(self, key: str, version: str) -> None:
        """Wait until the lock of a version has ended by the server's clock."""
        until = self.bucket.lock_of(key, version).until
        ahead = self.bucket.clock_skew()
        if until is not None:
            time.sleep(max(0.0, (until - clock.now()).total_seconds() - ahead + 1.0))


def md5(body: bytes) -> dict[str, str]:
    """Return the header that S3 asks for where a lock applies."""
    return {"Content-MD5": content_md5(hashlib.md5(body, usedforsecurity=False).digest())}
