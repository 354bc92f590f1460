"""What the audits find of packages: every bit of every copy in every place, named by place, key and record."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import select

from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.places.places import places_of
from archive.watch import audits, existence, restoring
from archive.watch.audits import AuditKind, Duty
from archive.watch.incidents import Kind
from archive.watch.looking import Trouble
from archive.watch.models import AuditRun, Incident
from core import clock
from core.blobs import ObjectAltered
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from tests.bit_flips import cut_short, flip
from tests.conftest import on_one_shape
from tests.kept_records import SECOND, seal, with_second_place

pytestmark = on_one_shape
PRINCIPAL = "principal"


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


def found(platform: Platform, kind: AuditKind, place: str = "") -> list[Trouble]:
    _, troubles = audits.whole(platform, Duty(kind, place), lambda *_: None)
    return list(troubles)


def named(troubles: list[Trouble]) -> list[tuple[Kind, str, str, Any]]:
    return [(one.kind, one.place, one.subject, one.facts.get("record")) for one in troubles]


def copies_of(platform: Platform, record: Record) -> dict[str, RecordCopy]:
    with platform.database.reading(PLATFORM) as session:
        return {copy.place: copy for copy in session.exec(select(RecordCopy).where(RecordCopy.record_id == record.id))}


def test_nothing_is_wrong_with_what_was_just_sealed(kept: Platform, mairie: Organisation, tmp_path: Path) -> None:
    records = [seal(kept, mairie, tmp_path) for _ in range(3)]
    runs = []
    for duty in audits.duties(kept):
        run, troubles = audits.whole(kept, duty, lambda *_: None)
        assert troubles == (), duty
        runs.append((duty.kind, duty.place, run.looked, run.failed, run.ended is not None))
    assert [run for run in runs if run[0] is AuditKind.INTEGRITY] == [
        (AuditKind.INTEGRITY, PRINCIPAL, 3, 0, True),
        (AuditKind.INTEGRITY, SECOND, 3, 0, True),
    ]
    for record in records:
        assert all(copy.checked > record.sealed for copy in copies_of(kept, record).values())


@pytest.mark.parametrize("place", [PRINCIPAL, SECOND])
@pytest.mark.parametrize("offset", [0, 1000, -1])
def test_a_flipped_bit_is_found_and_its_place_key_and_record_are_named(
    kept: Platform, mairie: Organisation, tmp_path: Path, s3: S3Server, place: str, offset: int
) -> None:
    seal(kept, mairie, tmp_path)
    record = seal(kept, mairie, tmp_path)
    content = (tmp_path / f"{record.id}.zip").read_bytes()
    only_in(kept, place, s3, content, offset)
    for duty in audits.duties(kept, [AuditKind.INTEGRITY]):
        expected = [(Kind.COPY_ALTERED, place, record.key, record.id)] if duty.place == place else []
        assert named(found(kept, AuditKind.INTEGRITY, duty.place)) == expected
    copies = copies_of(kept, record)
    assert copies[place].checked == record.sealed
    with kept.database.reading(PLATFORM) as session:
        (incident,) = session.exec(select(Incident))
    assert (incident.organisation_id, incident.kind, incident.place) == (mairie.id, Kind.COPY_ALTERED, place)
    assert (incident.subject, incident.facts["record"], incident.facts["expected"]) == (record.key, record.id, record.sha256)


def only_in(platform: Platform, place: str, s3: S3Server, content: bytes, offset: int, *, mended: bool = True) -> None:
    """Flip the bit in the copy of one place: each bucket has volumes of its own."""
    bucket = next(one.store.archive for one in places_of(platform) if one.name == place)
    flip(s3, content, offset, mended=mended, bucket=bucket)


def test_what_the_store_itself_can_no_longer_read_is_told_as_altered_and_not_as_a_silent_place(
    kept: Platform, mairie: Organisation, tmp_path: Path, s3: S3Server
) -> None:
    record = seal(kept, mairie, tmp_path)
    content = (tmp_path / f"{record.id}.zip").read_bytes()
    only_in(kept, SECOND, s3, content, 500, mended=False)
    cut_short(s3, content, kept.objects.archive)
    # Such a store tries for a dozen seconds before it gives up.
    with ThreadPoolExecutor() as at_once:
        told = list(at_once.map(lambda place: found(kept, AuditKind.INTEGRITY, place), (PRINCIPAL, SECOND)))
    assert [[(one.kind, one.subject, one.facts["detail"]) for one in troubles] for troubles in told] == [
        [(Kind.COPY_ALTERED, record.key, "unreadable")]
    ] * 2


def test_a_marker_and_another_version_on_top_are_found_by_both_audits(
    kept: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    marked, covered, _ = (seal(kept, mairie, tmp_path) for _ in range(3))
    store = kept.further[0].store
    store._client.remove_object(store.archive, marked.key)
    store._client.put_object(store.archive, covered.key, io.BytesIO(b"something else"), 14)
    expected = sorted((Kind.COPY_HIDDEN, SECOND, one.key, one.id) for one in (marked, covered))
    assert sorted(named(found(kept, AuditKind.EXISTENCE, SECOND))) == expected
    assert sorted(named(found(kept, AuditKind.INTEGRITY, SECOND))) == expected
    assert found(kept, AuditKind.EXISTENCE, PRINCIPAL) == []


def test_an_object_that_is_gone_and_one_that_nobody_knows_are_found(
    kept: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = seal(kept, mairie, tmp_path)
    store = kept.further[0].store
    with kept.database.engine.execution_options(writes=True).begin() as connection:
        lost = "671300000000000000000000000000ff"
        connection.execute(update(RecordCopy).where(RecordCopy.place == SECOND).values(version_id=lost))  # type: ignore[arg-type]
    store._client.put_object(store.archive, f"{mairie.id}/nobody/knows.zip", io.BytesIO(b"?"), 1)
    missing = (Kind.COPY_MISSING, SECOND, record.key, record.id)
    assert named(found(kept, AuditKind.EXISTENCE, SECOND)) == [missing]
    assert named(found(kept, AuditKind.INTEGRITY, SECOND)) == [missing]
    # What was written within a day may be a sealing that is not recorded yet; later it is not.
    monkeypatch.setattr(existence, "_UNFINISHED", timedelta())
    unknown = (Kind.OBJECT_UNKNOWN, SECOND, f"{mairie.id}/nobody/knows.zip", None)
    assert named(found(kept, AuditKind.EXISTENCE, SECOND)) == [unknown, missing]


def _change(platform: Platform, table: Any, **values: Any) -> None:
    with platform.database.engine.execution_options(writes=True).begin() as connection:
        connection.execute(update(table).values(**values))


_CHANGES: list[tuple[str, Any, dict[str, Any], str, list[str]]] = [
    ("size", Record, {"size": 1}, "record/{id}", ["size"]),
    ("rule", Record, {"rule": "autre v1"}, "record/{id}", ["rule"]),
    ("end", Record, {"keep_until": None}, "record/{id}", ["keep_until"]),
    ("producer", Record, {"producer": "21400000000000"}, "record/{id}", ["producer"]),
    ("digest", Record, {"sha256": "0" * 64}, "record/{id}", ["package_sha256"]),
    ("entry", Record, {"entry_id": "01JABCDEFGHJKMNPQRSTVWXYZ0"}, "record/{id}", []),
    ("file", RecordFile, {"sha256": "0" * 64}, "record_file/{id}/1", ["sha256"]),
    ("digest-row", RecordDigest, {"value": "0" * 64}, "record_digest/{id}/SHA-256", []),
]


@pytest.mark.parametrize(
    ("table", "values", "subject", "fields"), [one[1:] for one in _CHANGES], ids=[one[0] for one in _CHANGES]
)
def test_a_row_of_the_database_that_says_something_else_is_named(
    kept: Platform, mairie: Organisation, tmp_path: Path, table: Any, values: dict[str, Any], subject: str, fields: list[str]
) -> None:
    record = seal(kept, mairie, tmp_path)
    _change(kept, table, **values)
    troubles = found(kept, AuditKind.CONSISTENCY)
    assert subject.format(id=record.id) in {one.subject for one in troubles}
    assert {one.kind for one in troubles} == {Kind.FACTS_DIFFER}
    first = next(one for one in troubles if one.subject == subject.format(id=record.id))
    assert first.facts.get("fields", []) == fields


def test_a_copy_that_the_journal_does_not_name_and_a_lock_that_ends_too_soon_are_named(
    kept: Platform, mairie: Organisation, tmp_path: Path
) -> None:
    record = seal(kept, mairie, tmp_path)
    far = clock.now() + timedelta(days=4000)
    _change(kept, RecordCopy, locked_until=far)
    troubles = found(kept, AuditKind.CONSISTENCY)
    assert named(troubles) == [(Kind.COPY_UNLOCKED, place, record.key, record.id) for place in (PRINCIPAL, SECOND)]
    version = copies_of(kept, record)[PRINCIPAL].version_id
    _change(kept, RecordCopy, version_id=version)
    subjects = {one.subject for one in found(kept, AuditKind.CONSISTENCY) if one.kind is Kind.FACTS_DIFFER}
    assert subjects == {f"record_copy/{record.id}/{SECOND}"}


def test_a_bad_copy_is_written_again_from_a_sound_one_under_a_new_version(
    kept: Platform, mairie: Organisation, tmp_path: Path, s3: S3Server
) -> None:
    record = seal(kept, mairie, tmp_path)
    only_in(kept, SECOND, s3, (tmp_path / f"{record.id}.zip").read_bytes(), 77)
    before = copies_of(kept, record)[SECOND].version_id
    kept.further[0].store.freeze(record.key, before)
    kept.objects.freeze(record.key, copies_of(kept, record)[PRINCIPAL].version_id)
    with pytest.raises(ObjectAltered):
        restoring.restore(kept, record.id, PRINCIPAL, SECOND, "person:essai")
    version = restoring.restore(kept, record.id, SECOND, PRINCIPAL, "person:essai")
    copy = copies_of(kept, record)[SECOND]
    assert copy.version_id == version != before
    assert kept.further[0].store.lock_of(record.key, version).held
    assert kept.further[0].store.sealed_versions(record.key) == 2
    for duty in audits.duties(kept):
        assert found(kept, duty.kind, duty.place) == [], duty
    with kept.database.reading(PLATFORM) as session:
        entry = session.exec(select(JournalEntry).where(JournalEntry.kind == restoring.RESTORED)).one()
    assert (entry.actor, entry.dossier_id) == ("person:essai", record.dossier_id)
    assert entry.facts == {
        "record": record.id,
        "package_sha256": record.sha256,
        "place": SECOND,
        "source": PRINCIPAL,
        "version": version,
        "instead": before,
    }


class TestPace:
    """The scheduled run goes round everything within its rhythm, in small portions."""

    @pytest.fixture
    def calendar(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        # The clock of the pace only: requests to the store bear the hour, which must be the true one.
        ahead = timedelta()

        def pass_by(**time: float) -> None:
            nonlocal ahead
            ahead += timedelta(**time)

        monkeypatch.setattr(audits, "clock", SimpleNamespace(now=lambda: clock.now() + ahead))
        return pass_by

    def runs(self, platform: Platform, kind: AuditKind) -> list[AuditRun]:
        with platform.database.reading(PLATFORM) as session:
            asked = select(AuditRun).where(AuditRun.kind == kind.value, AuditRun.place == PRINCIPAL)
            return sorted(session.exec(asked), key=lambda run: run.started)

    def test_a_few_records_are_all_read_on_one_day_and_no_second_pass_begins_before_the_next(
        self, platform: Platform, mairie: Organisation, tmp_path: Path, calendar: Any
    ) -> None:
        records = [seal(platform, mairie, tmp_path) for _ in range(4)]
        audits.go_on(platform)
        assert [(run.total, run.looked, run.ended) for run in self.runs(platform, AuditKind.INTEGRITY)] == [(4, 1, None)]
        for _ in range(3):
            calendar(hours=1)
            audits.go_on(platform)
        (run,) = self.runs(platform, AuditKind.INTEGRITY)
        assert (run.looked, run.failed, run.ended is not None) == (4, 0, True)
        assert run.size == sum(record.size for record in records)
        assert all(copy.checked >= run.started for record in records for copy in copies_of(platform, record).values())
        calendar(days=1)
        audits.go_on(platform)
        assert [run.looked for run in self.runs(platform, AuditKind.INTEGRITY)] == [4, 1]

    def test_a_bad_copy_does_not_keep_the_others_waiting(
        self, platform: Platform, mairie: Organisation, tmp_path: Path, s3: S3Server, calendar: Any
    ) -> None:
        records = [seal(platform, mairie, tmp_path) for _ in range(3)]
        flip(s3, (tmp_path / f"{records[0].id}.zip").read_bytes(), 9)
        for _ in range(3):
            audits.go_on(platform)
            calendar(hours=1)
        (run,) = self.runs(platform, AuditKind.INTEGRITY)
        assert (run.looked, run.failed, run.ended is not None) == (3, 1, True)

    def test_a_silent_place_is_an_incident_and_stops_its_own_audits_only(
        self, platform: Platform, s3: S3Server, mairie: Organisation, tmp_path: Path
    ) -> None:
        kept = with_second_place(platform, s3)
        seal(kept, mairie, tmp_path)
        down = S3Server(tmp_path / "down").store("nowhere")
        object.__setattr__(kept.further[0], "store", down)
        audits.go_on(kept)
        with platform.database.reading(PLATFORM) as session:
            (incident,) = session.exec(select(Incident))
        assert (incident.kind, incident.place, incident.organisation_id) == (Kind.PLACE_SILENT, SECOND, mairie.parent_id)
        assert [run.looked for run in self.runs(platform, AuditKind.INTEGRITY)] == [1]
