"""The places of the archive: two real S3 servers, each of which holds every record and lets none go before its time."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlmodel import select

from archive.models import Record, RecordCopy
from archive.places import extending, places, statements
from archive.places.places import CopyState, Place, fetch, look, places_of
from archive.watch import state
from core import clock
from core.blobs import ObjectAltered, ObjectMissing, ObjectStore
from core.canonical import NotCanonical, canonical_bytes
from core.errors import Unavailable
from core.locked_objects import LockedObjects
from core.organisations import Organisation
from core.places import FurtherPlace
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from core.s3_server import S3Server, s3_server
from tests.conftest import free_port, on_one_shape
from tests.kept_records import SECOND, seal
from tests.locks import end_lock, md5

pytestmark = on_one_shape


@pytest.fixture(scope="module")
def other_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A second server, as another site has."""
    with s3_server(tmp_path_factory.mktemp("other-s3")) as server:
        yield server


@pytest.fixture
def both(platform: Platform, other_s3: S3Server) -> Platform:
    """The platform with a place on each server."""
    store = other_s3.store(platform.settings.s3_bucket_prefix)
    store.prepare()
    return replace(platform, further=(FurtherPlace(SECOND, store),))


def with_second(platform: Platform, store: LockedObjects) -> Platform:
    return replace(platform, further=(FurtherPlace(SECOND, store),))


def nobody() -> ObjectStore:
    """A store that does not answer."""
    return ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "t")


def copies(platform: Platform, record: Record) -> list[tuple[Place, RecordCopy]]:
    with platform.database.reading(PLATFORM) as session:
        found = {copy.place: copy for copy in session.exec(select(RecordCopy).where(RecordCopy.record_id == record.id))}
    return [(place, found[place.name]) for place in places_of(platform) if place.name in found]


def package_of(folder: Path, data: bytes) -> tuple[Path, str]:
    path = folder / "package.zip"
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def refuses_to_let_go(store: LockedObjects, key: str, version: str) -> bool:
    """Tell whether the store itself refuses all that would end a lock before its time, whoever asks."""
    sooner = (clock.now() + timedelta(seconds=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    aimed = f"/{store.archive}/{quote(key)}?versionId={version}"
    shorter = [
        f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{sooner}</RetainUntilDate></Retention>".encode()
        for mode in ("COMPLIANCE", "GOVERNANCE")
    ]
    for bypass in ({}, {"x-amz-bypass-governance-retention": "true"}):
        for answer in (
            store.ask("DELETE", aimed, headers=bypass),
            *(store.ask("PUT", f"{aimed}&retention=", body, md5(body) | bypass) for body in shorter),
        ):
            if answer.status != HTTPStatus.FORBIDDEN:
                return False
    return store.standing(key, version).size > 0


def test_a_record_stands_in_every_place_and_the_stores_themselves_refuse_to_let_it_go_before_and_after_its_lock_is_extended(
    both: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = seal(both, mairie, tmp_path)
    standing = copies(both, record)
    assert [place.name for place, _ in standing] == ["principal", SECOND]
    for place, copy in standing:
        assert copy.locked_until == place.store.lock_of(record.key, copy.version_id).until
        assert refuses_to_let_go(place.store, record.key, copy.version_id)
    extending.extend(both)
    for place, copy in copies(both, record):
        assert copy.locked_until > clock.now() + timedelta(days=367)
        assert refuses_to_let_go(place.store, record.key, copy.version_id)
        assert copy.locked_until == place.store.lock_of(record.key, copy.version_id).until


def test_while_a_place_is_silent_nothing_counts_as_sealed_and_the_next_try_carries_it_there(
    both: Platform, tmp_path: Path
) -> None:
    path, sha256 = package_of(tmp_path, b"package")
    with pytest.raises(Unavailable):
        places.seal(with_second(both, nobody()), "a/one.zip", path, sha256)
    first, second = places_of(both)
    assert (first.store.sealed_versions("a/one.zip"), second.store.sealed_versions("a/one.zip")) == (1, 0)
    sealed = places.seal_again(both, "a/one.zip", sha256, 7)
    assert [copy.place for copy in sealed] == ["principal", SECOND]
    assert places.seal(both, "a/one.zip", path, sha256) == sealed
    assert second.store.lock_of("a/one.zip", sealed[1].sealed.version_id).until == sealed[1].locked_until
    with pytest.raises(ObjectMissing):
        places.seal_again(both, "a/never.zip", sha256, 7)


def test_a_record_is_read_from_the_first_place_that_holds_it_whole(both: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(both, mairie, tmp_path)
    target = tmp_path / "back.zip"
    fetch(replace(both, objects=nobody()), record, target)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == record.sha256
    target.unlink()
    with pytest.raises(Unavailable):
        fetch(with_second(replace(both, objects=nobody()), nobody()), record, target)
    with pytest.raises(ObjectAltered):
        fetch(both, record.model_copy(update={"sha256": "0" * 64}), target)
    assert not target.exists()


@pytest.mark.parametrize("many", [0, 1_000_000])
def test_what_a_place_holds_is_told_alike_of_few_records_and_of_many(
    both: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(state, "_MANY", many)
    first, second = (seal(both, mairie, tmp_path, body="x" * rank) for rank in range(2))
    with both.database.writing(PLATFORM) as session:
        session.delete(session.get_one(RecordCopy, (second.id, SECOND)))
        session.get_one(RecordCopy, (second.id, "principal")).locked_until = clock.now()
    owner = Principal("person:a", {mairie.id: frozenset({Right.ARCHIVE})})
    with both.database.reading(owner) as session:
        kept = state.kept(session)
        held = state.held_in(session, kept)
    assert (kept.count, kept.size) == (2, first.size + second.size)
    assert {place: (one.copies, one.size, one.ending) for place, one in held.items()} == {
        "principal": (2, first.size + second.size, 1),
        SECOND: (1, first.size, 0),
    }
    with both.database.reading(Principal("person:b", {})) as session:
        assert state.held_in(session, state.kept(session)) == {}


def test_a_look_at_a_copy_tells_what_became_of_it(both: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(both, mairie, tmp_path)
    (place, copy), *_ = copies(both, record)
    client, bucket = place.store._client, place.store.archive

    def state(**other: object) -> tuple[CopyState, str]:
        found = look(place, record.model_copy(update=other), copy)
        return found.state, found.detail

    assert state() == (CopyState.SOUND, "")
    assert state(sha256="0" * 64) == (CopyState.ALTERED, f"sha256={record.sha256} size={record.size}")
    assert state(size=1)[0] is CopyState.ALTERED
    assert state(key="none/such.zip")[0] is CopyState.MISSING
    away = Place(place.name, nobody(), 365)
    assert look(away, record, copy).state is CopyState.UNREACHABLE
    forged = client.put_object(bucket, record.key, io.BytesIO(b"forged"), 6)
    assert state() == (CopyState.HIDDEN, f"on_top={forged.version_id}")
    client.remove_object(bucket, record.key)
    assert state() == (CopyState.HIDDEN, "on_top=marker")


@pytest.mark.parametrize(
    ("final_action", "kept_for"),
    [("Keep", -1), ("Destroy", 1), ("Destroy", None)],
)
def test_a_copy_whose_lock_is_gone_is_seen(
    platform: Platform,
    s3: S3Server,
    mairie: Organisation,
    tmp_path: Path,
    final_action: str,
    kept_for: int | None,
) -> None:
    store = s3.store(f"{platform.settings.s3_bucket_prefix}-g", lock_mode="GOVERNANCE")
    store.prepare()
    record = seal(with_second(platform, store), mairie, tmp_path)
    day = clock.now().date() + timedelta(days=kept_for) if kept_for is not None else None
    record = record.model_copy(update={"final_action": final_action, "keep_until": day})
    place, copy = copies(with_second(platform, store), record)[1]
    assert look(place, record, copy).state is CopyState.SOUND
    end_lock(store, record.key, copy.version_id)
    assert look(place, record, copy).state is CopyState.UNLOCKED


def test_a_copy_that_is_due_to_go_is_sound_without_a_lock(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path
) -> None:
    store = s3.store(f"{platform.settings.s3_bucket_prefix}-g", lock_mode="GOVERNANCE")
    store.prepare()
    record = seal(with_second(platform, store), mairie, tmp_path)
    over = record.model_copy(update={"final_action": "Destroy", "keep_until": clock.now().date() - timedelta(days=1)})
    place, copy = copies(with_second(platform, store), record)[1]
    end_lock(store, record.key, copy.version_id)
    assert look(place, over, copy).state is CopyState.SOUND


# Statements


def test_a_statement_stands_under_lock_in_every_place_and_is_never_another(both: Platform) -> None:
    data = canonical_bytes({"reason": "contentieux"})
    digest = statements.keep(both, "hold", "01HOLD", data)
    assert digest == hashlib.sha256(data).hexdigest() == statements.keep(both, "hold", "01HOLD", data)
    for place in places_of(both):
        (version,) = place.store.versions("statements/hold/01HOLD.json")
        assert refuses_to_let_go(place.store, version.key, version.version_id)
    with pytest.raises(ObjectAltered):
        statements.keep(both, "hold", "01HOLD", canonical_bytes({"reason": "autre"}))
    assert statements.read(both, "hold", "01HOLD", digest) == data
    assert statements.read(replace(both, objects=nobody()), "hold", "01HOLD", digest) == data


def test_what_is_no_statement_is_not_kept(both: Platform) -> None:
    for kind, identifier in (("hold", "../one"), ("", "one"), ("a/b", "one"), ("hold", "x" * 101)):
        with pytest.raises(ValueError, match="no statement"):
            statements.keep(both, kind, identifier, b"{}")
    with pytest.raises(NotCanonical):
        statements.keep(both, "hold", "one", b'{"b": 1}')
    assert list(statements.read_all(both)) == []


def test_statements_are_read_from_whatever_place_still_has_them(both: Platform) -> None:
    one, two = canonical_bytes({"n": 1}), canonical_bytes({"n": 2})
    statements.keep(both, "hold", "one", one)
    statements.keep(replace(both, objects=with_one_place(both)), "visa", "two", two)
    both.objects._client.put_object(both.objects.archive, "statements/hold/one.json", io.BytesIO(b"{}"), 2)
    both.objects._client.put_object(both.objects.archive, "statements/hold/torn.json", io.BytesIO(b"{"), 1)
    both.objects._client.put_object(both.objects.archive, "statements/stray", io.BytesIO(b"{}"), 2)
    assert sorted(statements.read_all(both)) == [("hold", "one", one), ("visa", "two", two)]
    assert sorted(statements.read_all(replace(both, objects=nobody()))) == [("hold", "one", one), ("visa", "two", two)]
    with pytest.raises(Unavailable):
        list(statements.read_all(with_second(replace(both, objects=nobody()), nobody())))
    with pytest.raises(ObjectAltered):
        statements.read(both, "hold", "one", "0" * 64)
    with pytest.raises(ObjectMissing):
        statements.read(both, "hold", "never", "0" * 64)


def with_one_place(platform: Platform) -> ObjectStore:
    """A store apart, so that what is kept stands in the second place only."""
    store = ObjectStore(
        platform.objects._address,
        platform.objects._credentials.access_key,
        platform.objects._credentials.secret_key,
        f"{platform.settings.s3_bucket_prefix}-apart",
    )
    store.prepare()
    return store
