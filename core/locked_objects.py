"""What stands under a lock in S3: sealed once, named by key *and* version, never deleted before its time.

What lives here is one bucket of one server: how a package is put there and read back. Versions and locks themselves are in
`core.locked_bucket`; what is sealed, in how many servers, and until when, is the archive's business.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from minio.commonconfig import COMPLIANCE
from minio.error import S3Error

from core import clock
from core.errors import Misconfigured, Unavailable
from core.locked_bucket import LOCK_DAYS, MODE, NOTED, UNTIL, Lock, LockedBucket, Standing, Version, first_version, lock_in
from core.messages import Catalogue
from core.s3 import ObjectAltered, ObjectMissing, classified, content_md5, copy_checked, copy_unchecked, digests_of, read_back

__all__ = ["LOCK_DAYS", "PROBES", "Lock", "LockedObject", "LockedObjects", "SealedObject", "Standing", "Version"]

_messages = Catalogue("core")
PROBES = "probe/"
"""What the keys of probes begin with: a few bytes under a lock of minutes."""
_PROBE_LOCK = timedelta(minutes=2)
_IN_ONE_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class SealedObject:
    """A package under lock: where it is, which version, and what its bytes must hash to."""

    bucket: str
    key: str
    version_id: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class LockedObject(SealedObject):
    """A package that was just read back, and until when the store says that it is locked."""

    locked_until: datetime


class LockedObjects(LockedBucket):
    """The packages under lock in a bucket."""

    def seal(self, key: str, path: Path, sha256: str, until: datetime | None = None, *, untried: bool = False) -> LockedObject:
        """Put a package in the archive once, locked by the bucket as it is written, and read it back.

        The write is conditional (``If-None-Match: *``): of two workers that seal the same key, or of two tries of one, a single
        one writes; the other finds the version that stands there, provided that it holds the same bytes. A lock on wrong bytes
        could never be undone: they are hashed just before they leave, and the server refuses what comes otherwise.

        Args:
            key: name of the object, never used for another content.
            path: the package.
            sha256: hexadecimal digest of the package.
            until: end of its lock, which has not come yet; as the bucket locks by itself when not given.
            untried: nobody has put anything under this key before: the condition, for which a store may have to lock the key,
                is left out. Of whoever sleeps until another has tried as well, the same bytes come to lie on top of the same.

        Raises:
            ObjectAltered: the package does not have the digest, or the key is taken by other bytes.
            Misconfigured: the store does not lock it.
            Unavailable: the store does not answer, or refuses the bytes.
        """
        with classified("s3.doing.seal"):
            condition = {} if untried else {"If-None-Match": "*"}
            written = self._written(key, path, sha256, condition | self._lock_to(until))
            if written:
                return self._locked(key, written, sha256, path.stat().st_size)
        return self.seal_again(key, sha256, path.stat().st_size)

    def seal_over(self, key: str, path: Path, sha256: str, instead: str, until: datetime | None = None) -> LockedObject:
        """Put a package under its key once more, on top of whatever stands there, locked and read back as any.

        For a version that was altered, covered or is gone: what is locked stays below. What an earlier try put on top is taken.

        Args:
            key: of the object.
            path: the package.
            sha256: hexadecimal digest of the package.
            instead: the version that it takes the place of.
            until: end of its lock, which has not come yet; as the bucket locks by itself when not given.

        Raises:
            ObjectAltered: it was altered on the way.
            Misconfigured: the store does not lock it.
            Unavailable: the store does not answer, or refuses the bytes.
        """
        with classified("s3.doing.seal"):
            top = next((one.version_id for one in self.versions(key) if one.on_top and not one.is_marker), instead)
            if top != instead:
                with suppress(ObjectAltered):  # somebody wrote something else there
                    return self._locked(key, top, sha256, path.stat().st_size)
            written = self._written(key, path, sha256, self._lock_to(until))
            if written is None:
                raise Misconfigured(_messages("s3.not_locked", bucket=self.archive))
            return self._locked(key, written, sha256, path.stat().st_size)

    def _written(self, key: str, path: Path, sha256: str, conditions: Mapping[str, str]) -> str | None:
        """Put a package, and return its version; None when the conditions do not hold, or the store has no versions."""
        with path.open("rb") as stream:
            found, md5 = digests_of(stream)
            if found != sha256:
                raise ObjectAltered(_messages("s3.not_what_it_says", key=key))
            stream.seek(0)
            size = path.stat().st_size
            headers = {
                **conditions,
                "Content-Type": "application/octet-stream",
                "Content-Length": str(size),
                "Content-MD5": md5,
                NOTED: sha256,
            }
            # A small one leaves in one piece with its headers.
            body = stream.read() if size <= _IN_ONE_PIECE else stream
            answer = self._put_signed(self.archive, key, body, sha256, headers)
        if answer.status == HTTPStatus.FORBIDDEN:
            raise Misconfigured(_messages("s3.denied", doing=_messages("s3.doing.seal"), code=answer.status))
        if answer.status not in {HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED}:
            raise Unavailable(_messages("s3.seal_status", status=answer.status))
        return answer.headers.get("x-amz-version-id") if answer.status == HTTPStatus.OK else None

    def _lock_to(self, until: datetime | None) -> dict[str, str]:
        return {} if until is None else {MODE: self._lock_mode, UNTIL: until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def seal_again(self, key: str, sha256: str, size: int) -> LockedObject:
        """Find what stands under an archive key, read it back, and see to it that it is locked.

        Raises:
            ObjectMissing: nothing stands there.
            ObjectAltered: the key is taken by other bytes.
            Misconfigured: the store does not lock it.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.seal"):
            return self._locked(key, self._first_version(key), sha256, size)

    def _first_version(self, key: str) -> str:
        first = first_version(self.versions(key))
        if first is None:
            raise ObjectMissing(_messages("s3.not_sealed"))
        return first.version_id

    def _locked(self, key: str, version: str, sha256: str, size: int) -> LockedObject:
        response = self._open(self.archive, key, version)
        try:
            if read_back(response) != (sha256, size):
                raise ObjectAltered(_messages("s3.key_taken", key=key))
            lock = lock_in(response.headers)
        finally:
            response.close()
            response.release_conn()
        until = lock.until
        if until is None or until <= clock.now() or lock.mode not in {COMPLIANCE, self._lock_mode}:
            until = self.extend(key, version, clock.now() + timedelta(days=self._lock_days))
        return LockedObject(self.archive, key, version, sha256, size, until)

    def fetch_sealed(self, sealed: SealedObject, target: Path) -> None:
        """Write a sealed package to a file, checking it against its digest.

        Raises:
            ObjectMissing: that version is not there.
            ObjectAltered: its bytes have changed.
        """
        with classified("s3.doing.read_sealed"):
            response = self._open(sealed.bucket, sealed.key, sealed.version_id)
            try:
                copy_checked(response, target, sealed.sha256)
            finally:
                response.close()
                response.release_conn()

    def fetch_first(self, key: str, target: Path) -> tuple[SealedObject, Lock]:
        """Write what was first written under a key to a file, whatever it is; return what it was found to be, and its lock.

        Raises:
            ObjectMissing: nothing stands there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.read_sealed"):
            version = self._first_version(key)
            response = self._open(self.archive, key, version)
            try:
                sha256, size = copy_unchecked(response, target)
                return SealedObject(self.archive, key, version, sha256, size), lock_in(response.headers)
            finally:
                response.close()
                response.release_conn()

    def locked_until(self, sealed: SealedObject) -> datetime | None:
        """Return the end of the lock, as the store knows it."""
        return self.lock_of(sealed.key, sealed.version_id).until

    def read_first(self, key: str, limit: int) -> bytes:
        """Return what was first written under a key; whatever came later lies on top of it.

        Raises:
            ObjectMissing: nothing stands there.
            ObjectAltered: more than the limit, in bytes, or not what was put there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.read_sealed"):
            response = self._open(self.archive, key, self._first_version(key))
            try:
                data, noted = response.read(limit + 1), response.headers.get(NOTED)
            finally:
                response.close()
                response.release_conn()
        found = hashlib.sha256(data).hexdigest()
        if len(data) > limit or not hmac.compare_digest(found, noted or ""):
            raise ObjectAltered(_messages("s3.altered", sha256=noted or key))
        return bytes(data)

    def prove_lock(self) -> None:
        """Try to delete a locked probe; a store that lets it go must not be trusted with archives.

        Raises:
            Misconfigured: the probe could be deleted, or not be locked.
        """
        self._remove_old_probes()
        key, data = f"{PROBES}{secrets.token_hex(8)}", b"probe"
        # For two minutes, where the bucket by itself would keep it for a year.
        headers = self._lock_to(clock.now() + _PROBE_LOCK) | {
            "Content-MD5": content_md5(hashlib.md5(data, usedforsecurity=False).digest()),
        }
        with classified("s3.doing.prove"):
            answer = self._put_signed(self.archive, key, data, hashlib.sha256(data).hexdigest(), headers)
            version = answer.headers.get("x-amz-version-id")
            if answer.status != HTTPStatus.OK or version is None:
                raise Misconfigured(_messages("s3.probe_refused", bucket=self.archive, status=answer.status))
            with suppress(S3Error):  # stores do not agree on what they call their refusal: what counts is what stands
                self._client.remove_object(self.archive, key, version_id=version)
        try:
            self.lock_of(key, version)
        except ObjectMissing as error:
            raise Misconfigured(_messages("s3.lock_not_kept")) from error

    def _remove_old_probes(self) -> None:
        for version in list(self.all_versions(prefix=PROBES)):
            with suppress(Misconfigured):  # one that is locked still goes next time
                self.remove_version(version)
