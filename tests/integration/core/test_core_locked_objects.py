"""What keeps a version from being deleted, on a real S3 server: the bucket's own lock, longer locks, holds, and their end."""

from __future__ import annotations

import hashlib
import io
import secrets
from datetime import timedelta
from pathlib import Path

import pytest
from minio.commonconfig import COMPLIANCE, GOVERNANCE
from minio.objectlockconfig import DAYS, YEARS, ObjectLockConfig

from core import clock
from core.blobs import LockedObject, ObjectMissing, ObjectStore
from core.errors import Misconfigured
from core.s3_server import S3Server

DAY = timedelta(days=1)
SOON = timedelta(minutes=1)


def opened(s3: S3Server, prefix: str = "", **lock: object) -> ObjectStore:
    return s3.store(prefix or f"t{secrets.token_hex(6)}", **lock)  # type: ignore[arg-type]


@pytest.fixture
def store(s3: S3Server) -> ObjectStore:
    made = opened(s3, lock_days=1)
    made.prepare()
    return made


def seal(store: ObjectStore, tmp_path: Path, key: str = "one.zip", data: bytes = b"package") -> LockedObject:
    path = tmp_path / secrets.token_hex(4)
    path.write_bytes(data)
    return store.seal(key, path, hashlib.sha256(data).hexdigest())


def rule(store: ObjectStore) -> tuple[str | None, int | None]:
    found = store._client.get_object_lock_config(store.archive)
    return found.mode, found.duration[0] if isinstance(found.duration, tuple) else found.duration


def test_the_bucket_locks_by_itself_what_anyone_puts_there(store: ObjectStore) -> None:
    assert rule(store) == (COMPLIANCE, 1)
    written = store._client.put_object(store.archive, "by-hand", io.BytesIO(b"x"), 1)
    lock = store.lock_of("by-hand", str(written.version_id))
    assert lock.until is not None
    assert (lock.mode, lock.held) == (COMPLIANCE, False)
    assert abs(lock.until - clock.now() - DAY) < SOON


@pytest.mark.parametrize(
    ("found", "asked", "stays"),
    [
        ((GOVERNANCE, 2, DAYS), (COMPLIANCE, 5), (COMPLIANCE, 5)),
        ((COMPLIANCE, 9, DAYS), (COMPLIANCE, 5), (COMPLIANCE, 9)),
        ((COMPLIANCE, 2, DAYS), (GOVERNANCE, 5), (COMPLIANCE, 5)),
        ((COMPLIANCE, 1, YEARS), (COMPLIANCE, 300), (COMPLIANCE, 1)),
    ],
    ids=["raised", "longer", "stricter", "years"],
)
def test_the_bucket_s_lock_is_raised_to_the_settings_and_never_lessened(
    s3: S3Server, found: tuple[str, int, str], asked: tuple[str, int], stays: tuple[str, int]
) -> None:
    store = opened(s3, lock_mode=asked[0], lock_days=asked[1])
    store._client.make_bucket(store.archive, object_lock=True)
    store._client.set_object_lock_config(store.archive, ObjectLockConfig(*found))
    store.prepare()
    assert rule(store) == stays
    store.prepare()
    assert rule(store) == stays


def test_a_bucket_that_was_made_without_object_lock_is_refused(s3: S3Server) -> None:
    store = opened(s3)
    store._client.make_bucket(store.archive)
    with pytest.raises(Misconfigured, match=f"{store.archive}.*verrou d’objets"):
        store.prepare()


def test_where_the_bucket_locks_nothing_by_itself_sealing_locks(s3: S3Server, tmp_path: Path) -> None:
    store = opened(s3, lock_days=3)
    store._client.make_bucket(store.archive, object_lock=True)
    kept = seal(store, tmp_path)
    lock = store.lock_of(kept.key, kept.version_id)
    assert lock.mode == COMPLIANCE
    assert lock.until == kept.locked_until
    assert abs(kept.locked_until - clock.now() - 3 * DAY) < SOON


def test_where_the_bucket_locks_less_strictly_than_asked_nothing_is_sealed(s3: S3Server, tmp_path: Path) -> None:
    store = opened(s3, lock_days=3)
    store._client.make_bucket(store.archive, object_lock=True)
    store._client.set_object_lock_config(store.archive, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    with pytest.raises(Misconfigured):
        seal(store, tmp_path)


def test_where_the_store_forgets_the_lock_that_it_accepted_nothing_is_sealed(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(s3, lock_days=3)
    store._client.make_bucket(store.archive, object_lock=True)
    monkeypatch.setattr(store._client, "set_object_retention", lambda *_told, **_named: None)
    with pytest.raises(Misconfigured, match=f"{store.archive}.*conformance"):
        seal(store, tmp_path)


def test_a_lock_is_extended_and_never_shortened(store: ObjectStore, tmp_path: Path) -> None:
    kept = seal(store, tmp_path)
    later = clock.now() + 10 * DAY
    assert abs(store.extend(kept.key, kept.version_id, later) - later) < SOON
    locked = store.locked_until(kept)
    assert locked is not None
    assert abs(locked - later) < SOON
    with pytest.raises(Misconfigured):
        store.extend(kept.key, kept.version_id, clock.now() + 2 * DAY)
    assert store.locked_until(kept) == locked


def test_a_hold_is_put_and_lifted_and_leaves_the_lock_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    kept = seal(store, tmp_path)
    before = store.lock_of(kept.key, kept.version_id)
    store.freeze(kept.key, kept.version_id)
    store.freeze(kept.key, kept.version_id)
    assert store.lock_of(kept.key, kept.version_id).held
    store.thaw(kept.key, kept.version_id)
    assert store.lock_of(kept.key, kept.version_id) == before
    assert not before.held


def test_what_lies_on_top_is_seen_and_what_lies_below_is_read(store: ObjectStore, tmp_path: Path) -> None:
    kept = seal(store, tmp_path)
    assert store.standing(kept.key, kept.version_id).on_top == kept.version_id
    forged = store._client.put_object(store.archive, kept.key, io.BytesIO(b"forged"), 6)
    found = store.standing(kept.key, kept.version_id)
    assert (found.sha256, found.size, found.on_top) == (kept.sha256, kept.size, forged.version_id)
    store._client.remove_object(store.archive, kept.key)
    found = store.standing(kept.key, kept.version_id)
    assert (found.sha256, found.on_top) == (kept.sha256, None)
    assert [version.is_marker for version in store.versions(kept.key)] == [True, False, False]


def test_all_versions_are_listed_by_key_whatever_their_folder(store: ObjectStore, tmp_path: Path) -> None:
    keys = ["a/1.zip", "a/2.zip", "b/c/3.zip"]
    for key in keys:
        seal(store, tmp_path, key)
    assert [version.key for version in store.all_versions()] == keys
    assert [version.key for version in store.all_versions("a/1.zip")] == keys[1:]
    assert [version.key for version in store.all_versions(prefix="a/")] == keys[:2]


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_a_list_that_comes_in_pages_is_the_same_whole(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    for key in ("été 1&2.zip", "a/1.zip", "a/2.zip", "c+d.zip"):
        seal(store, tmp_path, key)
    store._client.remove_object(store.archive, "a/1.zip")
    store._client.put_object(store.archive, "a/2.zip", io.BytesIO(b"forged"), 6)
    monkeypatch.setattr("core.locked_bucket._PAGE", page)
    listed = [(version.key, version.is_marker) for version in store.all_versions()]
    two = [("a/2.zip", False)] * 2
    assert listed == [("a/1.zip", True), ("a/1.zip", False), *two, ("c+d.zip", False), ("été 1&2.zip", False)]


def test_after_a_first_try_that_asked_nothing_a_second_one_finds_what_it_wrote(store: ObjectStore, tmp_path: Path) -> None:
    path, sha256 = tmp_path / "one", hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"one")
    first = store.seal("one.zip", path, sha256, untried=True)
    assert first.locked_until > clock.now()
    assert store.seal("one.zip", path, sha256) == first
    assert store.sealed_versions("one.zip") == 1
    # Whoever slept meanwhile writes the same once more; what was recorded stays as it is, below.
    assert store.seal("one.zip", path, sha256, untried=True).version_id != first.version_id
    assert store.standing("one.zip", first.version_id).sha256 == sha256


def test_a_locked_version_stays_and_a_marker_goes(store: ObjectStore, tmp_path: Path) -> None:
    kept = seal(store, tmp_path)
    store._client.remove_object(store.archive, kept.key)
    marker, version = store.versions(kept.key)
    with pytest.raises(Misconfigured):
        store.remove_version(version)
    store.remove_version(marker)
    assert [left.version_id for left in store.versions(kept.key)] == [kept.version_id]
    assert store.standing(kept.key, kept.version_id).on_top == kept.version_id
    with pytest.raises(ObjectMissing):
        store.lock_of(kept.key, "0" * 32)


def test_the_clocks_of_the_server_and_of_this_machine_are_compared(store: ObjectStore) -> None:
    assert abs(store.clock_skew()) < 5


def test_what_was_first_written_is_read_and_no_more_than_the_limit(store: ObjectStore, tmp_path: Path) -> None:
    seal(store, tmp_path, "first.json", b"0123456789")
    store._client.put_object(store.archive, "first.json", io.BytesIO(b"forged"), 6)
    assert store.read_first("first.json", 10) == b"0123456789"
    with pytest.raises(Exception, match="altéré"):
        store.read_first("first.json", 9)
