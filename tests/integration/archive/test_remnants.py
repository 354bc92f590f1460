"""A copy that was being written while its record was destroyed does not stay: it is found, and removed once its lock ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from archive.elimination import executing, remnants
from archive.models import Record, RecordCopy
from archive.places import locks
from archive.places.locks import Removal
from archive.places.places import places_of
from archive.watch import restoring
from core import clock
from core.errors import Conflict, Misconfigured, TabellionError, Unavailable
from core.organisations import Organisation
from core.places import PRINCIPAL
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.conftest import on_one_shape
from tests.ended_records import decided, ended, lines_of, people_of, record, run_until, versions
from tests.kept_records import SECOND, with_second_place
from tests.replicated import copy_of, entries
from tests.waiting import wait_until

pytestmark = on_one_shape


@pytest.mark.parametrize("moment", ["while it is removed", "when it is destroyed"])
def test_a_copy_that_another_process_was_writing_is_removed_once_its_lock_has_ended(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(restoring, "_SHORTEST", timedelta(seconds=2))
    monkeypatch.setattr(remnants, "_LATER", timedelta(0))
    one, package = ended(platform, mairie, tmp_path), tmp_path / "package"
    kept = with_second_place(platform, s3)
    taken = restoring.take(kept, one, {PRINCIPAL: copy_of(kept, one, PRINCIPAL).version_id}, package)
    identifier = decided(kept, people_of(kept, mairie), mairie)

    def write() -> None:
        assert restoring.put(kept, one, places_of(kept)[1], package, taken, "platform") is None

    remove = locks.remove

    def removed(platform: Platform, destroyed: Record) -> dict[str, Removal]:
        found = remove(platform, destroyed)
        write()
        return found

    with monkeypatch.context() as patched:
        if moment == "while it is removed":
            patched.setattr(executing.locks, "remove", removed)
        run_until(kept, identifier)
    if moment == "when it is destroyed":
        write()

    assert record(kept, one.id).eliminated is not None
    assert versions(kept, one.key) == {PRINCIPAL: 0, SECOND: 1}
    assert entries(kept, restoring.COPIED) == []
    remnants.look(kept)
    assert lines_of(kept, identifier)[one.id].verified is None  # its time has not come
    monkeypatch.setattr(remnants, "AFTER", timedelta(seconds=-5))
    wait_until(lambda: _verified(kept, identifier, one))
    assert versions(kept, one.key) == {PRINCIPAL: 0, SECOND: 0}
    (told,) = entries(kept, remnants.REMOVED)
    assert told.facts == {"record": one.id, "elimination": identifier, "places": [SECOND]}
    with kept.database.reading(PLATFORM) as session:
        assert session.exec(select(RecordCopy).where(RecordCopy.record_id == one.id)).all() == []


def _verified(platform: Platform, elimination_id: str, destroyed: Record) -> bool:
    remnants.look(platform)
    return lines_of(platform, elimination_id)[destroyed.id].verified is not None


def test_what_was_looked_for_is_looked_for_again_when_a_copy_is_written_after_all(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remnants, "AFTER", timedelta(seconds=-5))
    monkeypatch.setattr(restoring, "_SHORTEST", timedelta(seconds=2))
    one, package = ended(platform, mairie, tmp_path), tmp_path / "package"
    kept = with_second_place(platform, s3)
    taken = restoring.take(kept, one, {PRINCIPAL: copy_of(kept, one, PRINCIPAL).version_id}, package)
    identifier = decided(kept, people_of(kept, mairie), mairie)
    run_until(kept, identifier)
    wait_until(lambda: _verified(kept, identifier, one))
    assert entries(kept, remnants.REMOVED) == []
    assert restoring.put(kept, one, places_of(kept)[1], package, taken, "platform") is None
    remnants.look(kept)
    waits = lines_of(kept, identifier)[one.id].waits_until
    assert waits is not None
    assert waits > clock.now()  # its lock stands


@pytest.mark.parametrize(
    ("told", "asked"),
    [(Unavailable("silence"), 1), (Misconfigured("refus"), 1), (Removal.UNREACHABLE, 1), (Conflict("verrou"), 2)],
)
def test_a_place_that_is_silent_is_not_asked_again_in_the_same_turn(
    platform: Platform,
    mairie: Organisation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    told: TabellionError | Removal,
    asked: int,
) -> None:
    destroyed = [ended(platform, mairie, tmp_path).id for _ in range(2)]
    identifier = decided(platform, people_of(platform, mairie), mairie)
    run_until(platform, identifier)
    monkeypatch.setattr(remnants, "AFTER", timedelta(seconds=-5))
    looked: list[str] = []

    def remove(_: Platform, one: Record) -> dict[str, Removal]:
        looked.append(one.id)
        if isinstance(told, TabellionError):
            raise told
        return {PRINCIPAL: told}

    monkeypatch.setattr(remnants.locks, "remove", remove)
    remnants.look(platform)
    assert len(looked) == asked
    remnants.look(platform)
    assert sorted(looked) == sorted(destroyed)  # each was put off, and hides none of the others
    assert [line.verified for line in lines_of(platform, identifier).values()] == [None, None]
