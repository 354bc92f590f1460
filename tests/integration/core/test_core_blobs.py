"""Objects on a real S3 server: kept by their content, sealed once, locked, and never given back altered."""

from __future__ import annotations

import hashlib
import io
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.retention import Retention
from minio.versioningconfig import VersioningConfig

from core import clock
from core.blobs import LockedObject, ObjectAltered, ObjectMissing, ObjectStore, TooLarge
from core.errors import Misconfigured, Unavailable
from core.locked_objects import PROBES
from core.messages import speaking
from core.s3_server import S3Server
from tests.conftest import free_port
from tests.waiting import wait_until

MIB = 1 << 20


@pytest.fixture
def store(s3: S3Server) -> ObjectStore:
    """Buckets of this test's own."""
    opened = s3.store(f"t{secrets.token_hex(6)}")
    opened.prepare()
    return opened


def names(store: ObjectStore, prefix: str = "") -> list[str]:
    return [found.object_name for found in store._client.list_objects(store.documents, prefix=prefix, recursive=True)]


def unfinished(store: ObjectStore) -> list[str]:
    """Keys of multipart uploads that were begun and neither completed nor given up."""
    answer = store._client._list_multipart_uploads(store.documents)
    return [upload.object_name for upload in answer.uploads]


class Trickle:
    """A source that gives little at a time, as a network does."""

    def __init__(self, data: bytes, most: int) -> None:
        self._stream, self._most = io.BytesIO(data), most

    def read(self, size: int = -1, /) -> bytes:
        return self._stream.read(min(size, self._most) if size > 0 else self._most)


class Breaking(Trickle):
    """A source that ends with an error."""

    def read(self, size: int = -1, /) -> bytes:
        if not (data := super().read(size)):
            raise ConnectionResetError("the depositor went away")
        return data


@pytest.mark.parametrize("size", [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 10 * MIB, 20 * MIB + 3])
def test_a_document_of_any_size_comes_back_as_it_went(store: ObjectStore, tmp_path: Path, size: int) -> None:
    data = secrets.token_bytes(size)
    blob = store.put(Trickle(data, 700_001))
    assert (blob.sha256, blob.size) == (hashlib.sha256(data).hexdigest(), size)
    store.fetch(blob.sha256, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    with store.reading(blob.sha256) as stream:
        assert b"".join(stream.stream(MIB)) == data
    assert names(store) == [f"sha256/{blob.sha256[:2]}/{blob.sha256}"]
    assert unfinished(store) == []


@pytest.mark.parametrize("size", [100, 9 * MIB])
def test_the_same_content_is_kept_once(store: ObjectStore, tmp_path: Path, size: int) -> None:
    (tmp_path / "document").write_bytes(b"x" * size)
    assert store.put_file(tmp_path / "document") == store.put_file(tmp_path / "document")
    assert len(names(store)) == 1


@pytest.mark.parametrize(("size", "limit"), [(11, 10), (MIB, MIB - 1), (12 * MIB, 12 * MIB - 1), (20 * MIB, 11 * MIB)])
def test_a_document_over_the_limit_leaves_nothing_behind(store: ObjectStore, size: int, limit: int) -> None:
    with pytest.raises(TooLarge) as refused:
        store.put(Trickle(b"x" * size, MIB), limit)
    assert refused.value.limit == limit
    assert names(store) == []
    assert unfinished(store) == []


@pytest.mark.parametrize("size", [10, 12 * MIB])
def test_a_document_of_just_the_limit_is_kept(store: ObjectStore, size: int) -> None:
    assert store.put(Trickle(b"x" * size, MIB), size).size == size
    assert len(names(store)) == 1


@pytest.mark.parametrize("size", [10, 12 * MIB])
def test_a_source_that_breaks_leaves_nothing_behind(store: ObjectStore, size: int) -> None:
    with pytest.raises((Unavailable, ConnectionResetError)):
        store.put(Breaking(b"x" * size, MIB))
    assert names(store) == []
    assert unfinished(store) == []


def test_a_limit_is_said_in_mebibytes_in_either_language() -> None:
    assert "128 Mio" in str(TooLarge(128 * MIB))
    with speaking("en"):
        assert "128 MiB" in str(TooLarge(128 * MIB))


@pytest.mark.parametrize(
    "alter",
    [lambda data: b"y" + data[1:], lambda data: data[:-1], lambda data: data + b"x", lambda _data: b""],
    ids=["one byte", "shorter", "longer", "emptied"],
)
def test_a_document_altered_behind_our_back_is_not_given_back(
    store: ObjectStore, tmp_path: Path, alter: Callable[[bytes], bytes]
) -> None:
    data = b"x" * 2 * MIB
    blob = store.put(io.BytesIO(data))
    altered = alter(data)
    store._client.put_object(store.documents, names(store)[0], io.BytesIO(altered), len(altered))
    with pytest.raises(ObjectAltered, match=blob.sha256):
        store.fetch(blob.sha256, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_document_that_is_not_there_is_missing_and_not_unavailable(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing):
        store.fetch("0" * 64, tmp_path / "back")
    with pytest.raises(ObjectMissing), store.reading("0" * 64):
        pass


def test_a_store_that_does_not_answer_is_unavailable_and_one_that_refuses_us_is_misconfigured(s3: S3Server) -> None:
    away = ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "t")
    with pytest.raises(Unavailable):
        away.put(io.BytesIO(b"x"))
    stranger = ObjectStore(s3.endpoint, "key", "secret", "t")
    with pytest.raises(Misconfigured, match="TABELLION_S3_"):
        stranger.prepare()


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:9000", "ftp://host", "http://", "s3"])
def test_an_address_that_is_none_is_refused_at_once(endpoint: str) -> None:
    with pytest.raises(Misconfigured, match="TABELLION_S3_ENDPOINT"):
        ObjectStore(endpoint, "key", "secret", "t")


# Sealing


def package_of(tmp_path: Path, data: bytes) -> tuple[Path, str]:
    path = tmp_path / f"package-{secrets.token_hex(4)}.zip"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def sealed(store: ObjectStore, tmp_path: Path, key: str = "2026/one.zip", data: bytes = b"package") -> LockedObject:
    path, sha256 = package_of(tmp_path, data)
    return store.seal(key, path, sha256)


def test_a_sealed_package_comes_back_and_is_locked_for_as_long_as_the_bucket_locks(s3: S3Server, tmp_path: Path) -> None:
    store = s3.store(f"t{secrets.token_hex(6)}", lock_days=3)
    store.prepare()
    path, sha256 = package_of(tmp_path, secrets.token_bytes(9 * MIB))
    until = clock.now() + timedelta(days=3)
    kept = store.seal("2026/one.zip", path, sha256)
    assert (kept.key, kept.sha256, kept.size) == ("2026/one.zip", sha256, 9 * MIB)
    store.fetch_sealed(kept, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == path.read_bytes()
    locked = store.locked_until(kept)
    assert locked == kept.locked_until
    assert timedelta(seconds=-1) < locked - until < timedelta(minutes=1)


def test_two_who_seal_the_same_package_at_once_make_one_version(store: ObjectStore, tmp_path: Path) -> None:
    path, sha256 = package_of(tmp_path, secrets.token_bytes(3 * MIB))
    together, outcomes = threading.Barrier(4), list[object]()

    def seal() -> None:
        together.wait()
        try:
            outcomes.append(store.seal("2026/raced.zip", path, sha256).version_id)
        except Unavailable as trouble:  # tried again by the engine
            outcomes.append(trouble)

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = {outcome for outcome in outcomes if isinstance(outcome, str)}
    assert len(outcomes) == 4
    assert len(versions) == 1, outcomes
    assert store.sealed_versions("2026/raced.zip") == 1
    assert store.seal("2026/raced.zip", path, sha256).version_id in versions


def test_other_bytes_are_never_sealed_under_a_key_that_is_taken(store: ObjectStore, tmp_path: Path) -> None:
    first = sealed(store, tmp_path)
    with pytest.raises(ObjectAltered, match=r"2026/one\.zip"):
        sealed(store, tmp_path, data=b"another")
    assert store.sealed_versions("2026/one.zip") == 1
    store.fetch_sealed(first, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"package"


def test_a_package_that_is_not_what_its_digest_says_never_leaves(store: ObjectStore, tmp_path: Path) -> None:
    path, _ = package_of(tmp_path, b"package")
    with pytest.raises(ObjectAltered, match=r"2026/wrong\.zip"):
        store.seal("2026/wrong.zip", path, "0" * 64)
    assert store.sealed_versions("2026/wrong.zip") == 0


def test_a_package_that_is_altered_on_its_way_is_refused_by_the_server_and_nothing_is_locked(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sha256 = package_of(tmp_path, b"package")
    put = store._put_signed
    monkeypatch.setattr(store, "_put_signed", lambda bucket, key, _body, *rest: put(bucket, key, b"pakcage", *rest))
    with pytest.raises(Unavailable, match="400"):
        store.seal("2026/wrong.zip", path, sha256)
    assert store.sealed_versions("2026/wrong.zip") == 0


def test_a_locked_package_can_be_neither_deleted_nor_unlocked(store: ObjectStore, tmp_path: Path) -> None:
    kept = sealed(store, tmp_path)
    with pytest.raises(S3Error):
        store._client.remove_object(kept.bucket, kept.key, version_id=kept.version_id)
    with pytest.raises(S3Error):
        sooner = Retention("COMPLIANCE", clock.now() + timedelta(seconds=1))
        store._client.set_object_retention(kept.bucket, kept.key, sooner, version_id=kept.version_id)
    store.fetch_sealed(kept, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"package"
    locked = store.locked_until(kept)
    assert locked is not None
    assert locked > clock.now() + timedelta(hours=23)


def test_what_is_put_over_a_sealed_package_or_deletes_its_name_leaves_it_as_it_was(store: ObjectStore, tmp_path: Path) -> None:
    kept = sealed(store, tmp_path)
    store._client.put_object(kept.bucket, kept.key, io.BytesIO(b"forged"), 6)
    store._client.remove_object(kept.bucket, kept.key)
    store.fetch_sealed(kept, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"package"
    assert store.seal_again(kept.key, kept.sha256, kept.size).version_id == kept.version_id


def test_a_version_that_is_not_there_and_one_that_does_not_hash_are_told_apart(store: ObjectStore, tmp_path: Path) -> None:
    kept = sealed(store, tmp_path)
    with pytest.raises(ObjectMissing):
        store.fetch_sealed(replace(kept, version_id="0" * 32), tmp_path / "back")
    with pytest.raises(ObjectMissing):
        store.seal_again("2026/never.zip", kept.sha256, kept.size)
    with pytest.raises(ObjectAltered):
        store.fetch_sealed(replace(kept, sha256="0" * 64), tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_names_that_begin_alike_are_not_taken_for_each_other(store: ObjectStore, tmp_path: Path) -> None:
    long = sealed(store, tmp_path, "2026/one.zip.zip", b"long")
    short = sealed(store, tmp_path, "2026/one.zip", b"short")
    assert short.version_id != long.version_id
    assert store.sealed_versions("2026/one.zip") == 1


def test_a_store_that_keeps_its_locks_is_trusted(store: ObjectStore) -> None:
    store.prove_lock()


def test_a_store_that_lets_a_locked_object_go_is_not_trusted(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # No store at hand breaks its promise: the probe is put without its lock, and goes as from a store that does not keep locks.
    unlocked = s3_without_locks(store)
    put = store._put_signed
    monkeypatch.setattr(store, "_put_signed", lambda _bucket, key, body, sha256, _headers: put(unlocked, key, body, sha256, {}))
    monkeypatch.setattr(store, "archive", unlocked)
    with pytest.raises(Misconfigured, match="verrouillé"):
        store.prove_lock()


def s3_without_locks(store: ObjectStore) -> str:
    """A bucket that has versions, and locks nothing."""
    name = f"{store.archive}-open"
    store._client.make_bucket(name)
    store._client.set_bucket_versioning(name, VersioningConfig(ENABLED))
    return name


def test_probes_do_not_pile_up(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.locked_objects._PROBE_LOCK", timedelta(seconds=2))
    store.prove_lock()
    first = [version.key for version in store.all_versions(prefix=PROBES)]
    assert len(first) == 1

    def gone() -> bool:
        store.prove_lock()
        return first[0] not in [version.key for version in store.all_versions(prefix=PROBES)]

    wait_until(gone)


def test_preparing_again_changes_nothing(store: ObjectStore, tmp_path: Path) -> None:
    kept = sealed(store, tmp_path)
    store.prepare()
    store.fetch_sealed(kept, tmp_path / "back")
