"""A place that lost everything, or some of it, has it again; the commands say how far it is, and what nobody gives whole."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from api.cli import archive_replication
from archive.models import Record
from archive.places import places
from archive.places.places import CopyState, places_of
from archive.replication import rounds
from archive.watch import restoring
from archive.watch.looking import Budget
from core.errors import UsageError
from core.locked_objects import LockedObject, LockedObjects
from core.organisations import Organisation
from core.places import PRINCIPAL, FurtherPlace
from core.platform import Platform
from core.s3_server import S3Server
from tests.bit_flips import flip
from tests.conftest import on_one_shape
from tests.kept_records import SECOND, seal, with_second_place
from tests.replicated import (
    KilledError,
    another_server,
    copy_of,
    entries,
    require_sound,
    require_the_same_everywhere,
)

on_both_databases = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)


@on_both_databases
def test_an_emptied_place_is_mended_whole_as_copies_are_mended_one_by_one(
    platform: Platform, s3: S3Server, sealed: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = with_second_place(platform, s3)
    rounds.go_on(kept)
    before = {record.id: copy_of(kept, record, SECOND).version_id for record in sealed}
    emptied = replace(kept, further=(FurtherPlace(SECOND, another_server(kept, s3, "new")),))
    place = places_of(emptied)[1]
    monkeypatch.setattr(rounds, "_TURN", Budget(1, 1 << 30))
    original, count = LockedObjects.seal_over, 0

    def seal_over_and_die(self: LockedObjects, *args: object) -> LockedObject:
        nonlocal count
        written = original(self, *args)  # type: ignore[arg-type]
        count += 1
        if count in {2, 4}:
            raise KilledError
        return written

    monkeypatch.setattr(LockedObjects, "seal_over", seal_over_and_die)
    for _ in range(2):
        with pytest.raises(KilledError):
            rounds.restore(emptied, place, PRINCIPAL, lambda *_: None, anew=False)
    assert rounds.interrupted(emptied, place) is not None
    run = rounds.restore(emptied, place, PRINCIPAL, lambda *_: None, anew=False)
    assert (run.copied, run.failed, rounds.interrupted(emptied, place)) == (7, 0, None)
    require_the_same_everywhere(emptied, sealed)
    assert place.store.lock_of(sealed[0].key, copy_of(emptied, sealed[0], SECOND).version_id).held
    assert [entry.facts for entry in entries(emptied, restoring.RESTORED)] == [
        {
            "record": record.id,
            "package_sha256": record.sha256,
            "place": SECOND,
            "source": PRINCIPAL,
            "version": copy_of(emptied, record, SECOND).version_id,
            "instead": before[record.id],
        }
        for record in sealed
    ]
    require_sound(emptied)
    assert rounds.restore(emptied, place, None, lambda *_: None, anew=True).copied == 0


@on_one_shape
def test_copies_that_are_altered_or_covered_are_mended_and_what_no_place_gives_whole_is_told(
    platform: Platform,
    s3: S3Server,
    mairie: Organisation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = with_second_place(platform, s3)
    altered, covered, lost, sound = (seal(kept, mairie, tmp_path) for _ in range(4))
    store = kept.further[0].store
    for record in (altered, lost):
        flip(s3, (tmp_path / f"{record.id}.zip").read_bytes(), 50, bucket=store.archive)
    flip(s3, (tmp_path / f"{lost.id}.zip").read_bytes(), 60, bucket=kept.objects.archive)
    store._client.put_object(store.archive, covered.key, io.BytesIO(b"something else"), 14)
    monkeypatch.setattr(archive_replication, "operators_platform", lambda: kept)
    assert archive_replication.restore_place(SECOND, source=None, anew=False, as_json=True) == 1
    failure, end = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (failure["key"], end) == (lost.key, {"place": SECOND, "copied": 2, "failed": 1})
    assert [entry.facts["record"] for entry in entries(kept, restoring.RESTORED)] == [altered.id, covered.id]
    found = [places.look(places_of(kept)[1], one, copy_of(kept, one, SECOND)).state for one in (altered, covered, lost, sound)]
    assert found == [CopyState.SOUND, CopyState.SOUND, CopyState.ALTERED, CopyState.SOUND]
    assert archive_replication.restore_place(SECOND, source=PRINCIPAL, anew=False, as_json=False) == 1
    out = capsys.readouterr().out
    assert ("4 copies à revoir" in out, f"{lost.key}\u00a0: Aucun autre lieu ne le donne intact" in out) == (True, True)


@on_one_shape
def test_the_command_fills_the_places_to_the_end_and_says_what_was_left(
    platform: Platform,
    s3: S3Server,
    sealed: list[Record],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(archive_replication, "operators_platform", lambda: platform)
    with pytest.raises(UsageError, match="qu’un lieu"):
        archive_replication.replicate(place=None, as_json=False)
    with pytest.raises(UsageError, match="qu’un lieu"):
        archive_replication.restore_place(PRINCIPAL, source=None, anew=False, as_json=False)
    kept = with_second_place(platform, s3)
    monkeypatch.setattr(archive_replication, "operators_platform", lambda: kept)
    assert archive_replication.replicate(place=SECOND, as_json=False) == 0
    out = capsys.readouterr().out
    assert (f"{SECOND}\u00a0: 3 copies restantes" in out, f"{SECOND}\u00a0: 7 objets écrits, 0 impossibles" in out) == (
        True,
        True,
    )
    require_the_same_everywhere(kept, sealed)
    assert archive_replication.replicate(place=None, as_json=True) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"place": PRINCIPAL, "copied": 0, "failed": 0},
        {"place": SECOND, "copied": 0, "failed": 0},
    ]
    with pytest.raises(UsageError, match="lui-même"):
        archive_replication.restore_place(SECOND, source=SECOND, anew=False, as_json=False)
