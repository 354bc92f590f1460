"""The journal stands outside the database: a segment at each head, in every place, found whole or not at all."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import event, text
from sqlmodel import select

from api.cli.doctor_archive import archive
from archive.models import TreeHead, TreeSegment
from archive.places.places import places_of
from archive.proof import checking, heads, locks, segments
from archive.proof.chains import chain_of
from archive.proof.proving import standing_of
from archive.proof.segment_file import SegmentAltered
from archive.proof.segment_keys import fetch, key_of
from archive.watch import audits
from archive.watch.audits import AuditKind, Duty
from archive.watch.incidents import Kind
from archive.watch.models import Incident
from core.blobs import ObjectAltered
from core.database import Database
from core.errors import NeedsOperator, Unavailable
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.places import FurtherPlace
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.journals import cut, tampering, write_entries


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    tsa = authority("tsa")
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture
def two_places(platform: Platform, s3: S3Server) -> Platform:
    second = s3.store(f"{platform.settings.s3_bucket_prefix}-two")
    second.prepare()
    return replace(platform, further=(FurtherPlace("second", second, 365),))


def leaves_of(platform: Platform) -> list[bytes]:
    with platform.database.reading(PLATFORM) as session:
        return [entry.leaf() for entry in session.exec(select(JournalEntry).order_by(JournalEntry.number))]  # type: ignore[arg-type]


def read(platform: Platform, after: int = 0) -> list[tuple[int, int, list[bytes], set[str]]]:
    return [
        (found.first, found.head.size, list(found.leaves()), set(found.copies))
        for found in segments.read_segments(platform, after)
    ]


@pytest.fixture
def copied(two_places: Platform, mairie: Organisation, stamps: TimestampClient) -> Iterator[Platform]:
    """A journal of three heads, copied."""
    for count in (3, 1, 5):
        cut(two_places, mairie.id, count, stamps)
    assert segments.copy_due(two_places) == 3
    yield two_places


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_each_head_is_copied_once_and_the_journal_is_read_back_without_the_database(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient
) -> None:
    assert (segments.copy_due(two_places), read(two_places)) == (0, [])
    cut(two_places, mairie.id, 3, stamps)
    assert segments.copy_due(two_places) == 1
    cut(two_places, mairie.id, 1, stamps)
    cut(two_places, mairie.id, 5, stamps)
    with two_places.database.reading(PLATFORM) as session:
        assert segments.last_copied(session) == 3  # the two heads since are not counted as copied outside
    assert (segments.copy_due(two_places), segments.copy_due(two_places)) == (2, 0)
    found = read(two_places)
    assert [(first, size) for first, size, _, _ in found] == [(0, 3), (3, 4), (4, 9)]
    assert [line for _, _, lines, _ in found for line in lines] == leaves_of(two_places)
    assert all(places == {"principal", "second"} for *_, places in found)
    assert [(first, size) for first, size, *_ in read(two_places, after=4)] == [(4, 9)]
    for place in places_of(two_places):
        assert len(list(place.store.all_versions(prefix="journal/"))) == 3


@on_one_shape
def test_a_segment_is_locked_and_its_lock_is_extended_before_half_of_its_time(copied: Platform) -> None:
    with copied.database.reading(PLATFORM) as session:
        row = session.get(TreeSegment, 4)
    assert row is not None and set(row.copies) == {"principal", "second"}
    ends = [place.store.lock_of(row.key, row.copies[place.name]).until for place in places_of(copied)]
    assert row.locked_until == min(end for end in ends if end)
    assert locks.extend_due(copied) == 0
    longer = replace(copied, settings=copied.settings.model_copy(update={"archive_lock_days": 3 * 366}))
    assert (locks.extend_due(longer, 2), locks.extend_due(longer), locks.extend_due(longer)) == (2, 1, 0)
    assert all(
        later and earlier and later > earlier
        for later, earlier in zip(
            (place.store.lock_of(row.key, row.copies[place.name]).until for place in places_of(copied)), ends, strict=True
        )
    )


@on_one_shape
def test_a_lock_that_cannot_be_extended_is_an_incident_and_stops_no_other(copied: Platform) -> None:
    with copied.database.writing(PLATFORM) as session:
        lost, unknown = session.get_one(TreeSegment, 3), session.get_one(TreeSegment, 4)
        lost.copies, unknown.copies = lost.copies | {"principal": "0" * 32}, {}
        before = {row.size: row.locked_until for row in session.exec(select(TreeSegment))}
    longer = replace(copied, settings=copied.settings.model_copy(update={"archive_lock_days": 3 * 366}))
    assert [locks.extend_due(longer, 1) for _ in range(2)] == [1, 0]
    with copied.database.reading(PLATFORM) as session:
        after = {row.size: row.locked_until for row in session.exec(select(TreeSegment))}
        told = [(one.kind, one.place, one.subject) for one in session.exec(select(Incident))]
    assert {size for size in before if after[size] != before[size]} == {9}
    assert told == [("lock.short", "principal", key_of(3))]


@on_one_shape
def test_organisations_and_all_above_them_are_named_with_their_numbers(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient
) -> None:
    with two_places.database.writing(PLATFORM) as session:
        service = add_organisation(session, "Service des eaux", OrganisationKind.SERVICE, parent=mairie)
        add_organisation(session, "Une autre", OrganisationKind.SERVICE, parent=mairie)
    cut(two_places, service.id, 1, stamps)
    segments.copy_due(two_places)
    (segment,) = segments.read_segments(two_places)
    named = {one["id"]: one for one in segment.organisations}
    assert set(named) == {service.id, mairie.id, mairie.parent_id}
    assert (named[mairie.id]["siret"], named[service.id]["path"]) == (mairie.siret, service.path)
    assert named[service.id]["created"].endswith("Z")


@on_one_shape
def test_a_second_try_finds_what_the_first_one_put_in_one_place_though_a_name_changed_meanwhile(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(two_places, mairie.id, 2, stamps)
    second = two_places.further[0].store
    with monkeypatch.context() as patch, pytest.raises(Unavailable):
        patch.setattr(type(second), "seal", silent(second, type(second).seal))
        segments.copy_due(two_places)
    with two_places.database.writing(PLATFORM) as session:
        assert segments.last_copied(session) == 0
        renamed = session.get(Organisation, mairie.id)
        assert renamed is not None
        renamed.name = "Commune nouvelle de Valmorin"
        session.add(renamed)
    assert segments.copy_due(two_places) == 1
    (segment,) = segments.read_segments(two_places)
    assert set(segment.copies) == {"principal", "second"}
    assert "Commune de Valmorin" in {one["name"] for one in segment.organisations}


def silent(store: object, seal: Callable[..., object]) -> Callable[..., object]:
    """Sealing as it is, but in one place, which does not answer."""

    def sealed(self: object, *given: object, **told: object) -> object:
        if self is store:
            raise Unavailable("silent")
        return seal(self, *given, **told)

    return sealed


@on_one_shape
def test_what_was_altered_in_the_database_is_not_copied(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient
) -> None:
    cut(two_places, mairie.id, 4, stamps)
    with tampering(two_places.database) as connection:
        connection.execute(text("UPDATE journal_entry SET kind = 'test.happenee' WHERE number = 2"))
    with pytest.raises(SegmentAltered, match="depuis la place 0"):
        segments.copy_due(two_places)
    assert read(two_places) == []


@on_one_shape
def test_a_place_that_holds_another_segment_under_the_key_is_told(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    cut(two_places, mairie.id, 1, stamps)
    (tmp_path / "other.zip").write_bytes(b"other")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as zipped:
        zipped.writestr("a", "b")
    digest = hashlib.sha256((tmp_path / "other.zip").read_bytes()).hexdigest()
    two_places.objects.seal(key_of(1), tmp_path / "other.zip", digest)
    with pytest.raises(NeedsOperator):
        segments.copy_due(two_places)
    with two_places.database.writing(PLATFORM) as session:
        session.add(TreeSegment(size=1, key=key_of(1), sha256="0" * 64, length=1))
    with pytest.raises(ObjectAltered):
        segments.copy_due(two_places)
    with pytest.raises(SegmentAltered, match="principal"):
        read(two_places)


@on_one_shape
def test_a_segment_that_is_missing_or_of_another_journal_ends_the_reading(
    copied: Platform, mairie: Organisation, stamps: TimestampClient, s3: S3Server
) -> None:
    all_versions = type(copied.objects).all_versions

    def without(self: object, after: str = "", *, prefix: str = "") -> Iterator[object]:
        return (found for found in all_versions(self, after, prefix=prefix) if found.key != key_of(4))  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(copied.objects), "all_versions", without)
        with pytest.raises(SegmentAltered, match="place 4, et non à la place 3"):
            read(copied)
    # The same entries but for one, under a true head of the same size: the next segment does not continue that.
    with tampering(copied.database) as connection:
        connection.execute(text("UPDATE journal_entry SET kind = 'test.happenee' WHERE number = 2"))
        for table in ("tree_leaf", "tree_node", "tree_head", "tree_segment"):
            connection.execute(text(f"DELETE FROM {table}"))
    elsewhere = replace(copied, objects=fresh(s3, copied, "a"), further=())
    forged = heads.cut(elsewhere, stamps)
    assert forged is not None and forged.size == 9
    write_entries(elsewhere, mairie.id, 1)
    assert heads.cut(elsewhere, stamps) is not None
    assert segments.copy_due(elsewhere) == 2
    mixed = replace(elsewhere, objects=fresh(s3, copied, "b"))
    carry(copied, mixed, [3, 4, 9])
    carry(elsewhere, mixed, [10])
    with pytest.raises(SegmentAltered, match="ne prolonge pas"):
        read(mixed)


def fresh(s3: S3Server, platform: Platform, name: str):  # type: ignore[no-untyped-def]
    store = s3.store(f"{platform.settings.s3_bucket_prefix}-{name}")
    store.prepare()
    return store


def carry(source: Platform, target: Platform, sizes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for segment in segments.read_segments(source):
            if segment.head.size in sizes:
                version = segment.copies["principal"]
                path, digest = fetch(places_of(source)[0], segment.key, version, Path(folder))
                target.objects.seal(segment.key, path, digest)


@on_one_shape
def test_what_is_read_fits_the_table_of_segments_and_the_leaves_are_canonical(copied: Platform) -> None:
    for segment in segments.read_segments(copied):
        with copied.database.reading(PLATFORM) as session:
            row = session.get(TreeSegment, segment.head.size)
            head = session.get(TreeHead, segment.head.size)
        assert row is not None and head is not None
        same = {"size", "key", "sha256", "length", "copies"}
        assert segment.row().model_dump(include=same) == row.model_dump(include=same)
        assert (segment.head.canonical(), segment.contents.token) == (head.head, head.token)
        assert all(json.loads(line)["v"] == 1 for line in segment.leaves())


def backed_up(platform: Platform, path: Path) -> Database:
    """The database as it is now, restored elsewhere."""
    with closing(sqlite3.connect(str(platform.database.url.database))) as now, closing(sqlite3.connect(path)) as then:
        now.backup(then)
    return Database(f"sqlite:///{path}")


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)
def test_a_head_that_was_copied_after_the_backup_is_found_again_and_one_of_the_same_size_is_not_taken_for_it(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    before = replace(two_places, database=backed_up(two_places, tmp_path / "before.sqlite3"))
    cut(two_places, mairie.id, 4, stamps)
    after = replace(two_places, database=backed_up(two_places, tmp_path / "after.sqlite3"))
    assert segments.copy_due(two_places) == 1
    try:
        assert segments.copy_due(after) == 1
        cut(before, mairie.id, 4, stamps)
        with pytest.raises(NeedsOperator):
            segments.copy_due(before)
    finally:
        before.database.close()
        after.database.close()
    assert [(size, places) for _, size, _, places in read(two_places)] == [(4, {"principal", "second"})]


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)
def test_a_database_that_was_restored_from_a_backup_copies_nothing_and_says_why(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    cut(two_places, mairie.id, 4, stamps)
    assert segments.copy_due(two_places) == 1
    backup = backed_up(two_places, tmp_path / "backup.sqlite3")
    cut(two_places, mairie.id, 4, stamps)
    assert segments.copy_due(two_places) == 1
    (line,) = (line for line in archive(two_places) if line.part == "Journal dans les lieux")
    assert (line.well, line.seen) == (True, "copié jusqu’à 8 inscriptions")
    restored = replace(two_places, database=backup)
    try:
        cut(restored, mairie.id, 3, stamps)
        for _ in range(2):
            with pytest.raises(NeedsOperator, match=f"détient le segment {key_of(8)}"):
                segments.copy_due(restored)
        (line,) = (line for line in archive(restored) if line.part == "Journal dans les lieux")
        assert (line.well, key_of(8) in line.seen, "Restaurer" in line.mend) == (False, True, True)
        with restored.database.reading(PLATFORM) as session:
            assert [(one.kind, one.subject) for one in session.exec(select(Incident))] == [("object.unknown", key_of(8))]
        assert key_of(7) not in {version.key for version in restored.objects.all_versions(prefix="journal/")}
        _, troubles = audits.whole(restored, Duty(AuditKind.EXISTENCE, "second"), lambda *_: None)
        assert [(trouble.kind, trouble.subject) for trouble in troubles] == [(Kind.OBJECT_UNKNOWN, key_of(8))]
    finally:
        restored.database.close()
    assert [size for _, size, *_ in read(two_places)] == [4, 8]  # and whoever has the later database goes on


@on_one_shape
def test_a_head_whose_row_says_another_size_than_its_timestamp_is_not_copied(
    two_places: Platform, mairie: Organisation, stamps: TimestampClient
) -> None:
    cut(two_places, mairie.id, 4, stamps)
    with tampering(two_places.database) as connection:
        connection.execute(text("UPDATE tree_head SET size = 24"))
    with pytest.raises(SegmentAltered, match="n’est plus celui qui a été horodaté"):
        segments.copy_due(two_places)
    assert list(two_places.objects.all_versions(prefix="journal/")) == []
    assert ("tree_head", "size=24", "size") in {(one.table, one.key, one.what) for one in checking.faults(two_places)}


@on_one_shape
def test_the_authority_that_was_believed_is_kept_with_the_journal(
    two_places: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    authority: Callable[[str], TsaSimulator],
    tmp_path: Path,
) -> None:
    believing = {}
    for name in ("tsa", "another"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "root.pem").write_bytes(authority(name).anchor.public_bytes(Encoding.PEM))
        settings = two_places.settings.model_copy(update={"trust_dir": tmp_path / name})
        believing[name] = replace(two_places, settings=settings)
    cut(two_places, mairie.id, 1, stamps)
    segments.copy_due(believing["tsa"])
    cut(two_places, mairie.id, 1, stamps)
    with two_places.database.reading(PLATFORM) as session:
        copied_head, later_head = session.get_one(TreeHead, 1), session.get_one(TreeHead, 2)
    chain = chain_of(believing["tsa"], copied_head)
    assert chain[-1] == authority("tsa").anchor
    assert chain_of(believing["another"], copied_head) == chain
    assert authority("tsa").anchor not in chain_of(believing["another"], later_head)


@on_one_shape
def test_the_head_that_covers_an_entry_is_read_alone(copied: Platform) -> None:
    asked: list[str] = []
    engine = copied.database.engine
    with copied.database.reading(PLATFORM) as session:
        first = session.exec(select(JournalEntry).order_by(JournalEntry.number).limit(1)).one()  # type: ignore[arg-type]
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        assert standing_of(session, first.id).head_size == 3
    (of_heads,) = (statement for statement in asked if "FROM tree_head" in statement)
    assert "LIMIT" in of_heads
