"""A place that was added later gets all that it should hold, once, and as it stands elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest
from sqlmodel import select

from api.runtime import build_engine, plan_schedules
from archive.elimination.models import Elimination, EliminationLine
from archive.models import Record, TreeSegment
from archive.places.places import places_of
from archive.rebuilding import rebuild as rebuilding
from archive.replication import copies, papers, rounds
from archive.replication.models import RECORDS, Replication, Task
from archive.watch import audits, restoring
from archive.watch.audits import AuditKind
from archive.watch.looking import Budget
from core import clock
from core.blobs import ObjectStore
from core.database import Database
from core.errors import Misconfigured, Unavailable
from core.locked_objects import LockedObject, LockedObjects
from core.migrations import upgrade
from core.organisations import Organisation
from core.places import PRINCIPAL, FurtherPlace
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Schedule
from signing.timestamp.client import TimestampClient
from tests.bit_flips import flip
from tests.conftest import free_port, on_one_shape
from tests.databases import sqlite_at
from tests.ended_records import ended, today
from tests.kept_records import SECOND, seal, with_second_place
from tests.replicated import (
    KilledError,
    copy_of,
    cut,
    entries,
    proofs,
    require_sound,
    require_the_same_everywhere,
    standing,
)

on_both_databases = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)


@on_both_databases
def test_a_place_added_later_gets_everything_and_alone_gives_the_same_evidence(
    platform: Platform, s3: S3Server, sealed: list[Record], stamps: TimestampClient, tmp_path: Path
) -> None:
    kept = with_second_place(platform, s3)
    assert copies.lacking(kept, SECOND) == 3
    rounds.go_on(kept)
    require_the_same_everywhere(kept, sealed)
    assert places_of(kept)[1].store.lock_of(sealed[0].key, copy_of(kept, sealed[0], SECOND).version_id).held
    assert copies.lacking(kept, SECOND) == copies.lacking(kept, PRINCIPAL) == 0
    assert [(entry.facts["record"], entry.dossier_id, entry.facts) for entry in entries(kept, restoring.COPIED)] == [
        (
            record.id,
            record.dossier_id,
            {
                "record": record.id,
                "package_sha256": record.sha256,
                "place": SECOND,
                "source": PRINCIPAL,
                "version": copy_of(kept, record, SECOND).version_id,
            },
        )
        for record in sealed
    ]
    (brought,) = entries(kept, papers.BROUGHT)
    assert (brought.facts["place"], brought.facts["objects"]) == (SECOND, 4)  # a hold, a rule, a batch, a segment
    require_sound(kept)
    cut(kept, stamps)

    database = Database(sqlite_at(tmp_path / "anew.sqlite3"))
    upgrade(database)
    nothing = ObjectStore(s3.endpoint, s3.access_key, s3.secret_key, f"{kept.settings.s3_bucket_prefix}-lost")
    alone = replace(kept, objects=nothing, database=database)
    done = rebuilding.rebuild(alone, lambda _what, _count: None)
    assert (done.records, done.unreadable, done.anew, done.unknown, done.holds, done.evidence_lost) == (3, 0, 0, (), 1, 0)
    assert proofs(alone, sealed, tmp_path / "alone") == proofs(kept, sealed, tmp_path / "kept")
    with database.reading(PLATFORM) as session:
        assert None not in session.exec(select(TreeSegment.locked_until)).all()  # the locks of segments go on being extended
    # The principal place, of which nothing is left, has it all again.
    run = rounds.restore(alone, places_of(alone)[0], None, lambda *_: None, anew=False)
    assert (run.failed, copies.lacking(alone, PRINCIPAL)) == (0, 0)
    for record in sealed:
        assert copy_of(alone, record, PRINCIPAL).version_id in standing(places_of(alone)[0])[record.key]
    database.close()


@on_one_shape
def test_killed_after_every_other_object_it_goes_on_and_nothing_is_written_twice(
    platform: Platform, s3: S3Server, sealed: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = with_second_place(platform, s3)
    original, count = LockedObjects.seal, 0

    def seal_and_die(self: LockedObjects, *args: object) -> LockedObject:
        nonlocal count
        written = original(self, *args)  # type: ignore[arg-type]
        count += 1
        if count % 2 == 0:
            raise KilledError
        return written

    monkeypatch.setattr(LockedObjects, "seal", seal_and_die)
    killed = 0
    while copies.lacking(kept, SECOND):
        try:
            rounds.go_on(kept)
        except KilledError:
            killed += 1
    assert killed >= 3
    require_the_same_everywhere(kept, sealed)
    assert [entry.facts["record"] for entry in entries(kept, restoring.COPIED)] == [record.id for record in sealed]
    require_sound(kept)


@on_one_shape
def test_a_run_does_a_bounded_part_the_oldest_first_and_begins_again_a_day_later(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [seal(platform, mairie, tmp_path) for _ in range(5)]
    kept = with_second_place(platform, s3)
    monkeypatch.setattr(rounds, "_RUN", Budget(2, 1 << 30))

    def there() -> list[str]:
        return [entry.facts["record"] for entry in entries(kept, restoring.COPIED)]

    for expected in (2, 4, 5, 5):
        rounds.go_on(kept)
        assert there() == [record.id for record in records[:expected]]
    (run,) = (run for run in rounds.filling(kept).values() if run.place == SECOND)
    assert (run.copied, run.failed, run.ended is not None) == (5, 0, True)
    late = seal(platform, mairie, tmp_path)  # by a process that does not know of the place
    rounds.go_on(kept)
    assert there() == [record.id for record in records]
    with kept.database.writing(PLATFORM) as session:
        session.get_one(Replication, (SECOND, Task.FILL)).started -= timedelta(days=1)
    rounds.go_on(kept)
    assert there() == [record.id for record in (*records, late)]


@on_one_shape
def test_what_is_eliminated_is_not_copied_and_a_lock_that_has_ended_is_not_begun_anew(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path
) -> None:
    gone, going, due = (ended(platform, mairie, tmp_path, seconds=1) for _ in range(3))
    with platform.database.writing(PLATFORM) as session:
        session.get_one(Record, gone.id).eliminated = clock.now()
        elimination = Elimination(organisation_id=mairie.id, state="executing", as_of=today(), kept=0, made_by="platform")
        session.add(elimination)
        session.flush()
        session.add(
            EliminationLine(
                elimination_id=elimination.id,
                record_id=going.id,
                organisation_id=mairie.id,
                status="DESTROY",
                chosen=True,
                accepted=True,
                outcome="destroying",
            )
        )
    kept = with_second_place(platform, s3)
    rounds.go_on(kept)
    assert list(standing(places_of(kept)[1])) == [due.key]
    assert clock.now() < copy_of(kept, due, SECOND).locked_until < clock.now() + timedelta(days=2)


@on_one_shape
def test_a_silent_place_stops_its_own_round_and_a_record_that_nobody_gives_whole_stops_none(
    platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path
) -> None:
    lost, whole = (seal(platform, mairie, tmp_path) for _ in range(2))
    flip(s3, (tmp_path / f"{lost.id}.zip").read_bytes(), 40, bucket=platform.objects.archive)
    kept = with_second_place(platform, s3)
    away = ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "t")
    with_third = replace(kept, further=(FurtherPlace("third", away), *kept.further))
    rounds.go_on(with_third)
    assert [record.id for record in (lost, whole) if record.key in standing(places_of(kept)[1])] == [whole.id]
    found = rounds.filling(with_third)
    assert (found[SECOND].failed, found[SECOND].ended is not None) == (1, True)
    assert "third" not in found
    alone = replace(kept, objects=away)
    for cursor in ("", RECORDS):
        with kept.database.writing(PLATFORM) as session:
            session.merge(Replication(place=SECOND, task=Task.FILL, cursor=cursor))
        rounds.go_on(alone)
        run = rounds.filling(alone)[SECOND]
        assert (run.cursor, run.failed, run.ended) == (cursor, 0, None)  # nothing is known of what cannot be asked
    with pytest.raises(Unavailable):
        rounds.fill(alone, places_of(kept)[1], lambda *_: None)


@on_one_shape
def test_papers_that_are_on_their_way_to_a_new_place_are_no_incident(
    platform: Platform, s3: S3Server, sealed: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sealed
    kept = with_second_place(platform, s3)
    (duty,) = audits.duties(kept, [AuditKind.PAPERS], SECOND)
    assert len(audits.whole(kept, duty, lambda *_: None)[1]) == 3  # without a round they are lost
    with monkeypatch.context() as refused:
        refused.setattr(LockedObjects, "seal", _refuse)
        rounds.go_on(kept)
    assert audits.whole(kept, duty, lambda *_: None)[1] == ()
    rounds.go_on(kept)
    assert audits.whole(kept, duty, lambda *_: None)[1] == ()
    assert copies.lacking(kept, SECOND) == 0


def _refuse(*_: object) -> LockedObject:
    raise Misconfigured("no lock")


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)
def test_the_round_is_planned_and_has_its_actor(platform: Platform, broker: dramatiq.Broker) -> None:
    plan_schedules(platform)
    with platform.database.reading(PLATFORM) as session:
        planned = session.exec(select(Schedule).where(Schedule.actor == rounds.ACTOR)).one()
    build_engine(platform, broker)
    assert broker.get_actor(rounds.ACTOR).queue_name == planned.queue == "archive"
