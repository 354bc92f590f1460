"""What an operator is told of the places: ``archive conformance``, ``doctor``, and what happens when a process starts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from api.cli import archive_conformance, doctor
from archive.places import conformance
from core.blobs import ObjectStore
from core.errors import Misconfigured, Unavailable, UsageError
from core.locked_bucket import Rule
from core.places import FurtherPlace
from core.platform import Platform
from core.s3_server import S3Server
from tests.conftest import free_port, on_one_shape
from tests.kept_records import SECOND, with_second_place

pytestmark = on_one_shape


@pytest.fixture
def told(platform: Platform, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Platform:
    kept = with_second_place(platform, s3)
    monkeypatch.delitem(conformance._OF_THE_SERVER, "hold")  # which waits for a lock to end
    monkeypatch.setattr(archive_conformance, "operators_platform", lambda: kept)
    return kept


def nobody() -> ObjectStore:
    return ObjectStore(f"http://127.0.0.1:{free_port()}", "key", "secret", "away")


@pytest.mark.usefixtures("told")
def test_a_line_is_printed_for_each_check_of_each_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert archive_conformance.conformance(place=None, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["place"] for line in lines} == {"principal", SECOND}
    assert {(line["kept"], line["mend"]) for line in lines} == {(True, "")}
    assert len(lines) == 42


def test_a_place_that_fails_is_told_with_what_to_do_and_ends_with_one(
    told: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = told.further[0].store
    monkeypatch.setattr(type(store), "rule", lambda _store: conformance_rule(versioned=False))
    assert archive_conformance.conformance(place=SECOND, as_json=False) == 1
    out = capsys.readouterr().out
    assert f"{SECOND} {store.archive}" in out
    assert "principal" not in out
    assert "garde les versions" in out
    assert "Créez un compartiment avec le verrou d’objets" in out
    with pytest.raises(UsageError, match=SECOND):
        archive_conformance.conformance(place="nowhere", as_json=False)


def conformance_rule(*, versioned: bool) -> Rule:
    return Rule(versioned, "COMPLIANCE", 366)


def test_a_silent_place_is_told_check_by_check_and_not_by_a_traceback(
    told: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = replace(told, further=(FurtherPlace(SECOND, nobody()),))
    monkeypatch.setattr(archive_conformance, "operators_platform", lambda: away)
    assert archive_conformance.conformance(place=SECOND, as_json=True) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["check"], line["kept"]) for line in lines] == [
        ("clock", False),
        ("versioning", False),
        ("default_lock", False),
        ("bucket", False),
    ]
    assert all("réponse" in line["seen"] for line in lines)


# Doctor


def test_doctor_has_a_line_for_each_place_and_says_when_there_is_one_only(told: Platform, platform: Platform) -> None:
    lines = list(doctor._places(told))
    assert [(line.part, line.well) for line in lines] == [
        ("Lieu d’archivage principal", True),
        (f"Lieu d’archivage {SECOND}", True),
    ]
    assert "COMPLIANCE, 366 jours" in lines[1].seen
    alone = list(doctor._places(platform))[-1]
    assert (alone.well, "un seul lieu" in alone.seen, "TABELLION_ARCHIVE_PLACES_FILE" in alone.mend) == (True, True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [("clock_skew", "42 s"), ("rule", "ne verrouille pas"), ("store", "réponse")],
)
def test_doctor_tells_what_is_wrong_with_a_place(told: Platform, monkeypatch: pytest.MonkeyPatch, change: str, said: str) -> None:
    store = told.further[0].store
    if change == "clock_skew":
        monkeypatch.setattr(store, "clock_skew", lambda: 42.0)
    elif change == "rule":
        monkeypatch.setattr(store, "rule", lambda: conformance_rule(versioned=False))
    else:
        told = replace(told, further=(FurtherPlace(SECOND, nobody()),))
    lines = list(doctor._places(told))
    assert [line.well for line in lines] == [True, False]
    assert said in lines[1].seen
    assert "conformance" in lines[1].mend


# The start of a process


def test_a_further_place_that_is_down_keeps_no_process_from_starting_and_one_that_cannot_lock_does(
    told: Platform, s3: S3Server
) -> None:
    away = replace(told, further=(FurtherPlace(SECOND, nobody()),))
    away.prepare_stores()
    away.prove_locks()
    with pytest.raises(Unavailable):
        replace(told, objects=nobody()).prepare_stores()
    unlocked = s3.store(f"{told.settings.s3_bucket_prefix}-open")
    unlocked._client.make_bucket(unlocked.archive)
    with pytest.raises(Misconfigured, match="verrou d’objets"):
        replace(told, further=(FurtherPlace(SECOND, unlocked),)).prepare_stores()


def test_buckets_are_made_in_every_place(platform: Platform, s3: S3Server) -> None:
    fresh = s3.store(f"{platform.settings.s3_bucket_prefix}-fresh", lock_days=9)
    started = replace(platform, further=(FurtherPlace(SECOND, fresh),))
    started.prepare_stores()
    started.prove_locks()
    assert (fresh.rule().mode, fresh.rule().days, fresh.rule().versioned) == ("COMPLIANCE", 9, True)
