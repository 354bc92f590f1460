"""Holds on every copy, and the removal of a record from every place, which only the end of locks and holds allows."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from archive.models import Record
from archive.places import locks
from archive.places.locks import Removal
from archive.places.places import places_of
from core.blobs import ObjectStore
from core.errors import Conflict, Misconfigured, NotFound, Unavailable
from core.organisations import Organisation
from core.places import FurtherPlace
from core.platform import Platform
from core.s3_server import S3Server
from tests.conftest import free_port, on_one_shape
from tests.kept_records import SECOND, seal, with_second_place
from tests.locks import end_lock

pytestmark = on_one_shape


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def governed(platform: Platform, s3: S3Server) -> Platform:
    """Two places whose locks a test may end."""
    prefix = platform.settings.s3_bucket_prefix
    first, second = (s3.store(f"{prefix}-{name}", lock_mode="GOVERNANCE", lock_days=1) for name in ("ga", "gb"))
    first.prepare()
    second.prepare()
    return replace(platform, objects=first, further=(FurtherPlace(SECOND, second),))


def unlock(platform: Platform, record: Record, *names: str) -> None:
    for place in places_of(platform):
        if place.name in names:
            end_lock(place.store, record.key, place.store.versions(record.key)[0].version_id)


def count(platform: Platform, record: Record) -> list[int]:
    return [place.store.sealed_versions(record.key) for place in places_of(platform)]


def nobody() -> ObjectStore:
    return ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "t")


def test_a_hold_stands_on_every_copy_and_is_lifted_from_every_copy(kept: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(kept, mairie, tmp_path)

    def held() -> list[bool]:
        stands = [(place, place.store.versions(record.key)[0].version_id) for place in places_of(kept)]
        return [place.store.lock_of(record.key, version).held for place, version in stands]

    locks.hold(kept, record.id)
    locks.hold(kept, record.id)
    assert held() == [True, True]
    locks.release(kept, record.id)
    assert held() == [False, False]
    with pytest.raises(Unavailable):
        locks.hold(replace(kept, objects=nobody()), record.id)
    assert held() == [False, True]
    with pytest.raises(NotFound):
        locks.hold(kept, "0" * 26)


def test_a_locked_record_is_not_removed_from_any_place(kept: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(kept, mairie, tmp_path)
    with pytest.raises(Conflict, match=r"principal.*jusqu’au"):
        locks.remove(kept, record)
    assert count(kept, record) == [1, 1]


def test_a_record_is_removed_from_every_place_once_nothing_keeps_it_there(
    governed: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record, neighbour = (seal(governed, mairie, tmp_path) for _ in range(2))
    unlock(governed, record, "principal")
    with pytest.raises(Conflict, match=SECOND):
        locks.remove(governed, record)
    unlock(governed, record, SECOND)
    locks.hold(governed, record.id)
    with pytest.raises(Conflict, match="gel"):
        locks.remove(governed, record)
    locks.release(governed, record.id)
    with pytest.raises(Unavailable):
        locks.remove(replace(governed, further=(FurtherPlace(SECOND, nobody()),)), record)
    assert count(governed, record) == [1, 1]
    hidden = governed.further[0].store
    hidden._client.remove_object(hidden.archive, record.key)
    assert locks.remove(governed, record) == {"principal": Removal.REMOVED, SECOND: Removal.REMOVED}
    assert count(governed, record) == [0, 0]
    assert locks.remove(governed, record) == {"principal": Removal.ABSENT, SECOND: Removal.ABSENT}
    assert count(governed, neighbour) == [1, 1]


def test_another_version_on_top_keeps_the_record_until_its_own_lock_ends(
    governed: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = seal(governed, mairie, tmp_path)
    unlock(governed, record, "principal", SECOND)
    store = governed.objects
    store._client.put_object(store.archive, record.key, io.BytesIO(b"x"), 1)
    with pytest.raises(Conflict):
        locks.remove(governed, record)
    assert count(governed, record) == [2, 1]


def test_a_place_that_stops_half_way_is_told_and_the_next_try_goes_on(
    governed: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = seal(governed, mairie, tmp_path)
    unlock(governed, record, "principal", SECOND)
    with monkeypatch.context() as patch:

        def refuse(_version: object) -> None:
            raise Misconfigured("accès refusé")

        patch.setattr(governed.objects, "remove_version", refuse)
        assert locks.remove(governed, record) == {"principal": Removal.UNREACHABLE, SECOND: Removal.REMOVED}
        patch.setattr(governed.objects, "remove_version", lambda _version: None)
        assert locks.remove(governed, record) == {"principal": Removal.UNREACHABLE, SECOND: Removal.ABSENT}
    assert locks.remove(governed, record) == {"principal": Removal.REMOVED, SECOND: Removal.ABSENT}
