"""A bucket with versions and object lock: what stands in it, what keeps each version from being deleted, and until when.

S3 lets anyone who may write add a version or a delete marker on top of what is locked; neither touches it, and both can be seen
(``Standing``). What lives here knows versions and locks; how a package is sealed and read back is in `core.locked_objects`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import groupby
from typing import Self
from urllib.parse import quote, urlencode

from minio.commonconfig import COMPLIANCE, ENABLED
from minio.datatypes import Object, parse_list_objects
from minio.error import S3Error
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.retention import Retention

from core import clock
from core.errors import Misconfigured
from core.messages import Catalogue
from core.s3 import Connection, classified, moment, read_back, refused

_messages = Catalogue("core")
LOCK_DAYS = 366
UNTIL, MODE, _HOLD = "x-amz-object-lock-retain-until-date", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold"
NOTED = "x-amz-meta-sha256"
_WHOLE = timedelta(seconds=1)
_YEAR = 365
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Lock:
    """What keeps a version from being deleted.

    Attributes:
        until: end of its retention; None without one. It may have passed.
        mode: of the retention: ``COMPLIANCE``, which nobody ends, or ``GOVERNANCE``; None without one.
        held: whether a legal hold stands on it, which has no end.
    """

    until: datetime | None
    mode: str | None
    held: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What a version was found to be when it was read.

    Attributes:
        sha256: of the bytes that came, hexadecimal.
        size: of the bytes that came.
        lock: of the version.
        on_top: the version that the key alone gives; None when it gives nothing, a delete marker standing there.
        noted: the SHA-256 that was sealed beside the bytes, and can be changed no more than they; None when none was.
    """

    sha256: str
    size: int
    lock: Lock
    on_top: str | None
    noted: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What a bucket does by itself.

    Attributes:
        versioned: it keeps what is written over or deleted.
        mode: of the lock that it puts on what is written; None when it puts none.
        days: for how long.
    """

    versioned: bool
    mode: str | None
    days: int


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a key, or a marker that hides those below it.

    Attributes:
        on_top: it is what the key alone gives.
    """

    key: str
    version_id: str
    is_marker: bool
    written: datetime
    on_top: bool


def first_version(versions: Sequence[Version]) -> Version | None:
    """Return the version of a key that was written first, whatever came on top of it; None when there is none but markers.

    Args:
        versions: of one key, as they are listed: the newest first.
    """
    # Times may come in whole seconds; within one, S3 lists the newest version first (ListObjectVersions).
    written = (version for version in reversed(versions) if not version.is_marker)
    return min(written, key=lambda version: version.written, default=None)


class LockedBucket(Connection):
    """The bucket of an S3 server that has versions and object lock.

    Attributes:
        archive: the name of the bucket.
    """

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
        super().__init__(endpoint, access_key, secret_key)
        self.archive = f"{prefix}-archive"
        self._lock_mode = lock_mode
        self._lock_days = lock_days

    def prepare(self) -> None:
        """Make the bucket if it is missing, and have it lock by itself what is put there; a lock that it sets is never lessened.

        Raises:
            Misconfigured: the bucket was made without object lock, or we may not set what is missing.
        """
        with classified("s3.doing.prepare"):
            if not self._client.bucket_exists(self.archive):
                self._client.make_bucket(self.archive, object_lock=True)
            try:
                found = self._client.get_object_lock_config(self.archive)
            except S3Error as error:
                if error.code == "ObjectLockConfigurationNotFoundError":
                    raise Misconfigured(_messages("s3.no_object_lock", bucket=self.archive)) from error
                raise
            days = _days(found)
            mode = COMPLIANCE if found.mode == COMPLIANCE else self._lock_mode
            if (mode, max(days, self._lock_days)) != (found.mode, days):
                wanted = ObjectLockConfig(mode, max(days, self._lock_days), DAYS)
                self._client.set_object_lock_config(self.archive, wanted)

    def beside(self, name: str) -> Self:
        """Return a client of another bucket of the same server, ``<prefix>-<name>``, that locks for as short as it can: a day."""
        other = copy(self)
        other.archive = f"{self.archive.removesuffix('-archive')}-{name}"
        other._lock_days = 1  # noqa: SLF001 - another of its own class
        return other

    def rule(self) -> Rule:
        """Return what the bucket does with what is put there.

        Raises:
            ObjectMissing: there is no such bucket.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.read_lock"):
            versioned = self._client.get_bucket_versioning(self.archive).status == ENABLED
            try:
                found = self._client.get_object_lock_config(self.archive)
            except S3Error as error:
                if error.code == "ObjectLockConfigurationNotFoundError":
                    return Rule(versioned, None, 0)
                raise
        return Rule(versioned, found.mode, _days(found))

    def standing(self, key: str, version_id: str) -> Standing:
        """Read a version to its end, and what the key alone gives.

        Raises:
            ObjectMissing: that version is not there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.read_sealed"):
            response = self._open(self.archive, key, version_id)
            try:
                sha256, size = read_back(response)
                lock, noted = lock_in(response.headers), response.headers.get(NOTED)
            finally:
                response.close()
                response.release_conn()
            return Standing(sha256, size, lock, self._on_top(key), noted)

    def _on_top(self, key: str) -> str | None:
        try:
            return self._client.stat_object(self.archive, key).version_id
        except S3Error as error:
            if error.code in {"NoSuchKey", "MethodNotAllowed"}:  # 404; 405 from a store that tells its markers apart
                return None
            raise

    def lock_of(self, key: str, version_id: str) -> Lock:
        """Return what keeps a version from being deleted, as the store knows it.

        Raises:
            ObjectMissing: that version is not there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.read_lock"):
            metadata = self._client.stat_object(self.archive, key, version_id=version_id).metadata
        return lock_in(metadata or {})

    def extend(self, key: str, version_id: str, until: datetime) -> datetime:
        """Lock a version until a later moment, and return until when the store then says that it is.

        Raises:
            ObjectMissing: that version is not there.
            Misconfigured: the store does not lock it, or refuses that moment, as it must when it is sooner than what stands.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.lock"):
            self._client.set_object_retention(self.archive, key, Retention(self._lock_mode, until), version_id=version_id)
        lock = self.lock_of(key, version_id)
        # The store may keep whole seconds.
        if lock.until is None or lock.until < until - _WHOLE or lock.mode not in {COMPLIANCE, self._lock_mode}:
            raise Misconfigured(_messages("s3.not_locked", bucket=self.archive))
        return lock.until

    def freeze(self, key: str, version_id: str) -> None:
        """Put a legal hold on a version: without end, until it is lifted.

        Raises:
            ObjectMissing: that version is not there.
            Misconfigured: the store does not keep it.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.freeze"):
            self._client.enable_object_legal_hold(self.archive, key, version_id)
        if not self.lock_of(key, version_id).held:
            raise Misconfigured(_messages("s3.not_frozen", bucket=self.archive))

    def thaw(self, key: str, version_id: str) -> None:
        """Lift the legal hold of a version; the lock stays.

        Raises:
            ObjectMissing: that version is not there.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.freeze"):
            self._client.disable_object_legal_hold(self.archive, key, version_id)

    def versions(self, key: str) -> list[Version]:
        """Return the versions and the markers of a key, the newest first; none for a key that never was, or that is gone."""
        return [version for version in self.all_versions(prefix=key) if version.key == key]

    def all_versions(self, after: str = "", *, prefix: str = "") -> Iterator[Version]:
        """Yield the versions and the markers of all keys, by key, the newest of each first.

        Args:
            after: keys that come after this one only.
            prefix: keys that begin so only.

        Raises:
            Unavailable: the store does not answer.
        """
        more, place = True, (after, "")
        while more:
            with classified("s3.doing.versions"):
                page, more, place = self._page(prefix, *place)
            # Pages follow each other in this order; within one the client library gives the versions first, then the markers.
            for _, group in groupby(sorted(page, key=_key), key=_key):
                yield from (_version(one) for one in sorted(group, key=_age))

    def _page(self, prefix: str, key: str, version: str) -> tuple[list[Object], bool, tuple[str, str]]:
        """Return what is listed after a version of a key, whether there is more, and after what."""
        asked = {"encoding-type": "url", "key-marker": key, "max-keys": str(_PAGE), "prefix": prefix, "versions": ""}
        if version:
            asked["version-id-marker"] = version
        answer = self._get_signed(f"/{self.archive}?{urlencode(asked, quote_via=quote)}")
        if answer.status != HTTPStatus.OK:
            answer.drain_conn()
            raise refused("s3.doing.versions", answer.status)
        found, more, next_key, next_version = parse_list_objects(answer)
        return found, more, (next_key or "", next_version or "")

    def sealed_versions(self, key: str) -> int:
        """Return how many versions stand under an archive key; one, for what is sealed once."""
        return len(self.versions(key))

    def remove_version(self, version: Version) -> None:
        """Delete a version, or a marker, for good.

        Raises:
            Misconfigured: the store refuses: it is locked, or held.
            Unavailable: the store does not answer.
        """
        with classified("s3.doing.remove"):
            self._client.remove_object(self.archive, version.key, version_id=version.version_id)


def lock_in(headers: Mapping[str, str]) -> Lock:
    """Return the lock that an answer tells of."""
    return Lock(moment(headers.get(UNTIL)), headers.get(MODE), headers.get(_HOLD) == "ON")


def _days(found: ObjectLockConfig) -> int:
    return (found.duration or 0) * (1 if found.duration_unit == DAYS else _YEAR)


def _key(found: Object) -> str:
    return str(found.object_name)


def _age(found: Object) -> tuple[bool, float]:
    """Return what sorts the versions and the markers of a key, the newest first; their times may come in whole seconds."""
    return found.is_latest != "true", -found.last_modified.timestamp() if found.last_modified else 0.0


def _version(found: Object) -> Version:
    written = found.last_modified or clock.now()
    return Version(_key(found), str(found.version_id), found.is_delete_marker, written, found.is_latest == "true")
