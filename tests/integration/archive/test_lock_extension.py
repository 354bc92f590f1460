"""Locks that are extended before they end, held, and at their end let go: what we do, and what the stores then say."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from minio.commonconfig import COMPLIANCE
from minio.retention import Retention
from sqlmodel import col, select

from archive.models import Record, RecordCopy, TreeSegment
from archive.places import extending, statements
from archive.places.places import places_of
from archive.proof import locks
from archive.watch import papers
from archive.watch.incidents import Kind
from archive.watch.looking import Budget
from archive.watch.models import Incident
from core import clock
from core.blobs import ObjectStore
from core.canonical import canonical_bytes
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.conftest import free_port, on_one_shape
from tests.kept_records import SECOND, seal, with_second_place
from tests.waiting import wait_until

# Days and moments are compared in the database, and the two do not keep them alike.
on_both_databases = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
SLACK = timedelta(minutes=1)


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


def change(platform: Platform, record: Record, **changes: object) -> Record:
    with platform.database.writing(PLATFORM) as session:
        kept = session.get_one(Record, record.id)
        for name, value in changes.items():
            setattr(kept, name, value)
    return kept


def set_locked(platform: Platform, record: Record, until: datetime) -> None:
    with platform.database.writing(PLATFORM) as session:
        for copy in session.exec(select(RecordCopy).where(RecordCopy.record_id == record.id)):
            copy.locked_until = until


def locked(platform: Platform, record: Record) -> dict[str, datetime]:
    with platform.database.reading(PLATFORM) as session:
        return {
            copy.place: copy.locked_until for copy in session.exec(select(RecordCopy).where(RecordCopy.record_id == record.id))
        }


def in_stores(platform: Platform, record: Record) -> dict[str, datetime | None]:
    with platform.database.reading(PLATFORM) as session:
        versions = {
            copy.place: copy.version_id for copy in session.exec(select(RecordCopy).where(RecordCopy.record_id == record.id))
        }
    return {place.name: place.store.lock_of(record.key, versions[place.name]).until for place in places_of(platform)}


def told(platform: Platform) -> list[dict[str, object]]:
    with platform.database.reading(PLATFORM) as session:
        asked = select(JournalEntry.facts).where(JournalEntry.kind == extending.EXTENDED).order_by(col(JournalEntry.number))
        return [dict(facts) for facts in session.exec(asked)]


def incidents(platform: Platform) -> list[tuple[str, str, str]]:
    with platform.database.reading(PLATFORM) as session:
        return [(one.kind, one.place, one.subject) for one in session.exec(select(Incident).order_by(Incident.place))]


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def nobody() -> ObjectStore:
    return ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "t")


@on_both_databases
def test_what_is_destroyed_one_day_is_locked_until_that_day_in_every_place_and_once(
    kept: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    records = [seal(kept, mairie, tmp_path) for _ in range(3)]
    day = clock.now().date() + timedelta(days=1000)
    for record in records:
        change(kept, record, final_action="Destroy", keep_until=day)
    extending.extend(kept)
    for record in records:
        assert set(locked(kept, record).values()) == {midnight_after(day)}
        assert in_stores(kept, record) == locked(kept, record)
    digest = hashlib.sha256("\n".join(sorted(record.id for record in records)).encode()).hexdigest()
    end = clock.iso(midnight_after(day))
    said = {"records": 3, "digest": digest, "earliest": end, "latest": end}
    assert told(kept) == [{"place": "principal", **said}, {"place": SECOND, **said}]
    extending.extend(kept)
    assert len(told(kept)) == 2


@pytest.mark.parametrize(("action", "years"), [("Keep", 5), ("Keep", None), ("Destroy", None)])
@on_both_databases
def test_what_has_no_end_is_renewed_when_less_than_half_is_left(
    kept: Platform, mairie: Organisation, tmp_path: Path, action: str, years: int | None
) -> None:
    day = clock.now().date() + timedelta(days=365 * years) if years else None
    record = change(kept, seal(kept, mairie, tmp_path), final_action=action, keep_until=day)
    before = locked(kept, record)
    set_locked(kept, record, clock.now() + timedelta(days=184))
    extending.extend(kept)
    assert told(kept) == []
    set_locked(kept, record, clock.now() + timedelta(days=182))
    extending.extend(kept)
    assert [facts["records"] for facts in told(kept)] == [1, 1]
    for name, until in locked(kept, record).items():
        assert before[name] <= until
        assert abs(until - clock.now() - timedelta(days=366)) < SLACK
    assert in_stores(kept, record) == locked(kept, record)


@pytest.mark.parametrize(
    "changes",
    [
        {"final_action": "Destroy", "keep_until": "today", "days": 10},
        {"final_action": "Destroy", "keep_until": "yesterday", "days": -1},
        {"final_action": "Keep", "eliminated": True, "days": 1},
    ],
    ids=["locked for longer", "due to go", "gone"],
)
@on_one_shape
def test_what_needs_no_lock_any_more_is_left_alone(
    kept: Platform, mairie: Organisation, tmp_path: Path, changes: dict[str, object]
) -> None:
    today = clock.now().date()
    days = {"today": today, "yesterday": today - timedelta(days=1), None: None}
    record = change(
        kept,
        seal(kept, mairie, tmp_path),
        final_action=changes["final_action"],
        keep_until=days[changes.get("keep_until")],  # type: ignore[index]
        eliminated=clock.now() if changes.get("eliminated") else None,
    )
    set_locked(kept, record, clock.now() + timedelta(days=changes["days"]))  # type: ignore[arg-type]
    extending.extend(kept)
    assert told(kept) == []


@on_both_databases
def test_a_record_is_locked_to_the_end_of_its_very_last_day(kept: Platform, mairie: Organisation, tmp_path: Path) -> None:
    day = clock.now().date() + timedelta(days=500)
    record = change(kept, seal(kept, mairie, tmp_path), final_action="Destroy", keep_until=day)
    set_locked(kept, record, midnight_after(day) - timedelta(seconds=1))
    extending.extend(kept)
    assert set(locked(kept, record).values()) == {midnight_after(day)}


@on_one_shape
def test_a_run_that_was_stopped_before_it_wrote_down_is_taken_up(kept: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(kept, mairie, tmp_path)
    day = clock.now().date() + timedelta(days=1000)
    change(kept, record, final_action="Destroy", keep_until=day)
    extending.extend(kept)
    set_locked(kept, record, clock.now() + timedelta(days=300))
    longer = clock.now() + timedelta(days=2000)
    version = kept.objects.versions(record.key)[0].version_id
    kept.objects.extend(record.key, version, longer)
    extending.extend(kept)
    assert locked(kept, record)[SECOND] == midnight_after(day)
    assert abs(locked(kept, record)["principal"] - longer) < timedelta(seconds=1)
    assert in_stores(kept, record) == locked(kept, record)


@on_one_shape
def test_many_are_extended_in_batches_and_one_that_fails_stops_no_other(
    kept: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extending, "_BATCH", 2)
    records = [change(kept, seal(kept, mairie, tmp_path), final_action="Keep") for _ in range(5)]
    for rank, record in enumerate(records):
        set_locked(kept, record, clock.now() + timedelta(days=100, seconds=rank))
    with kept.database.writing(PLATFORM) as session:
        session.get_one(RecordCopy, (records[1].id, SECOND)).version_id = "0" * 32
    extending.extend(kept)
    assert [(facts["place"], facts["records"]) for facts in told(kept)] == [
        *[("principal", 2), ("principal", 2), ("principal", 1)],
        *[(SECOND, 1), (SECOND, 2), (SECOND, 1)],
    ]
    assert incidents(kept) == [(Kind.LOCK_SHORT, SECOND, records[1].key)]
    extending.extend(kept)
    assert len(incidents(kept)) == 1
    assert len(told(kept)) == 6


@on_one_shape
def test_a_silent_place_stops_no_other_and_is_told_once_its_locks_run_low(
    kept: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = change(kept, seal(kept, mairie, tmp_path), final_action="Keep")
    away = replace(kept, objects=nobody())
    set_locked(kept, record, clock.now() + timedelta(days=180))
    extending.extend(away)
    assert [facts["place"] for facts in told(kept)] == [SECOND]
    assert incidents(kept) == []
    set_locked(kept, record, clock.now() + timedelta(days=90))
    extending.extend(away)
    assert incidents(kept) == [(Kind.LOCK_SHORT, "principal", "")]


@on_one_shape
def test_statements_are_renewed_too_each_in_its_turn(
    kept: Platform, mairie: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mairie.parent_id  # the journal of what belongs to nobody is the root's
    for name in ("one", "two", "three"):
        statements.keep(kept, "hold", name, canonical_bytes({"name": name}))
    extending.extend(kept)
    assert told(kept) == []
    longer = replace(kept, settings=kept.settings.model_copy(update={"archive_lock_days": 1000}))
    monkeypatch.setattr(statements, "_turns", lambda _horizon: 1)
    extending.extend(longer)
    assert [(facts["place"], facts["statements"]) for facts in told(kept)] == [("principal", 3), (SECOND, 3)]
    for place in places_of(kept):
        for version in place.store.all_versions(prefix=statements.FOLDER):
            until = place.store.lock_of(version.key, version.version_id).until
            assert until is not None
            assert abs(until - clock.now() - timedelta(days=1000)) < SLACK
    extending.extend(longer)
    assert len(told(kept)) == 2


@on_one_shape
def test_what_was_found_of_a_package_follows_it_once_it_was_eliminated_and_its_lock_has_ended(
    kept: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_turns", lambda _horizon: 1)
    gone, locked_yet, left = (seal(kept, mairie, tmp_path) for _ in range(3))
    for record in (gone, locked_yet):
        change(kept, record, eliminated=clock.now())
    for record in (locked_yet, left):
        statements.keep(kept, statements.OF_TRANSFER, record.dossier_id or "", canonical_bytes({"title": record.title}))
    key = _barely_locked(kept, gone)

    def ended() -> bool:
        locks_ = [place.store.lock_of(key, one.version_id) for place in places_of(kept) for one in place.store.versions(key)]
        return all(lock.until is not None and lock.until <= clock.now() for lock in locks_)

    wait_until(ended)
    assert papers.look(kept, SECOND, clock.now(), "", Budget(10, 1 << 20)).troubles == ()  # nobody is to mend it
    extending.extend(kept)
    for place in places_of(kept):
        standing = {statements.transfer_of(version.key) for version in place.store.all_versions(prefix=statements.FOLDER)}
        assert standing == {locked_yet.dossier_id, left.dossier_id}
    with kept.database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(JournalEntry.kind == extending.REMOVED)).all()
    places = {"principal": "removed", SECOND: "removed"}
    assert (entry.dossier_id, entry.facts) == (gone.dossier_id, {"record": gone.id, "places": places})


def _barely_locked(platform: Platform, record: Record) -> str:
    """Put what was found of a package in every place, locked for a second only, and return its key."""
    key, data = statements.key_of(statements.OF_TRANSFER, record.dossier_id or ""), canonical_bytes({"title": record.title})
    for place in places_of(platform):
        told: dict[str, Any] = {"retention": Retention(COMPLIANCE, clock.now() + timedelta(seconds=1))}
        told["metadata"] = {"sha256": hashlib.sha256(data).hexdigest()}
        place.store._client.put_object(place.store.archive, key, BytesIO(data), len(data), **told)
    return key


@on_both_databases
@pytest.mark.usefixtures("mairie")
def test_a_segment_in_a_silent_place_is_told_once_its_lock_runs_low_and_waits(platform: Platform) -> None:
    away = replace(platform, objects=nobody())
    told: dict[str, Any] = {"sha256": "", "length": 0, "copies": {"principal": "v"}, "sealed": clock.now()}
    ends = {size: clock.now() + timedelta(days=days) for size, days in ((1, 100), (2, 101))}
    with platform.database.writing(PLATFORM) as session:
        session.add_all(TreeSegment(size=size, key=f"k{size}", locked_until=end, **told) for size, end in ends.items())
    assert (locks.extend_due(away), incidents(platform)) == (0, [])
    with platform.database.writing(PLATFORM) as session:
        session.get_one(TreeSegment, 1).locked_until = ends[1] = clock.now() + timedelta(days=90)
    assert (locks.extend_due(away), incidents(platform)) == (0, [(Kind.LOCK_SHORT, "principal", "")])
    with platform.database.reading(PLATFORM) as session:
        assert {row.size: row.locked_until for row in session.exec(select(TreeSegment))} == ends
