"""The database of the archive was dropped: it is made anew from the places, and every proof is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from archive.models import (
    EvidenceRenewal,
    EvidenceStamp,
    Record,
    RecordCopy,
    RecordDigest,
    RecordEvidence,
    RecordFile,
    TreeHead,
    TreeSegment,
)
from archive.proof import heads, segments
from archive.proof.ers import stamping
from archive.proof.proving import write_evidence
from archive.proof.resealing import reseal
from archive.proof.segment_file import SegmentAltered
from archive.rebuilding import rebuild as rebuilding
from archive.retention import changing, holds
from archive.retention.holds import Wanted
from archive.retention.models import RecordHeld, RecordHold, RuleChoice, RuleVersion
from archive.retention.rules import Category, RetentionRule
from archive.watch import restoring
from archive.watch.models import Incident
from core import clock
from core.blobs import SealedObject
from core.database import Database
from core.errors import Conflict
from core.journal import JournalEntry
from core.locked_objects import LockedObjects
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.databases import sqlite_at
from tests.kept_records import SECOND, seal, with_second_place

TABLES = (
    Organisation,
    JournalEntry,
    TreeHead,
    Record,
    RecordCopy,
    RecordDigest,
    RecordFile,
    RecordHold,
    RecordHeld,
    EvidenceStamp,
    EvidenceRenewal,
    RecordEvidence,
    RuleVersion,
    RuleChoice,
)
# Moments that the journal tells a few milliseconds later, and what is found out anew.
TOLD_OTHERWISE = {"checked", "told", "taken", "lifted", "chosen"}


@pytest.fixture
def stamps(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    tsa = authority("tsa")
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture
def kept(platform: Platform, s3: S3Server) -> Platform:
    return with_second_place(platform, s3)


@pytest.fixture
def dropped(kept: Platform, tmp_path: Path) -> Iterator[Platform]:
    """The same places, and a database in which nothing ever happened."""
    database = Database(sqlite_at(tmp_path / "anew.sqlite3"))
    yield replace(kept, database=database)
    database.close()


def copied(platform: Platform, stamps: heads.Stamps) -> None:
    heads.cut(platform, stamps)
    segments.copy_due(platform)


def rows(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    with platform.database.reading(PLATFORM) as session:
        found = {
            table.__name__: [row.model_dump(exclude=TOLD_OTHERWISE) for row in session.exec(select(table))] for table in TABLES
        }
    return {name: sorted(said, key=str) for name, said in found.items()}


def proofs(platform: Platform, folder: Path) -> dict[str, bytes]:
    with platform.database.reading(PLATFORM) as session:
        records = list(session.exec(select(Record.id).where(col(Record.eliminated).is_(None))))
    made = {}
    folder.mkdir(exist_ok=True)
    for record in records:
        target = folder / f"{record}.proof.zip"
        write_evidence(platform, PLATFORM, record, target)
        made[record] = target.read_bytes()
    return made


def _lose(monkeypatch: pytest.MonkeyPatch, versions: set[str]) -> None:
    """Have the places say of these versions what they say of what is not there: none can be deleted for good."""
    held = LockedObjects.fetch_sealed

    def fetch_sealed(self: LockedObjects, sealed: SealedObject, target: Path) -> None:
        held(self, replace(sealed, key="gone.zip") if sealed.version_id in versions else sealed, target)

    monkeypatch.setattr(LockedObjects, "fetch_sealed", fetch_sealed)


def _rule(years: int, code: str = "APP-ESSAI") -> changing.Wanted:
    delay = RetentionRule(identifier=code, years=years, label="essai", source="décision du service d’archives")
    return changing.Wanted(Category.APPRAISAL, delay, clock.in_paris(clock.now()).date() + timedelta(days=years - 6))


def rebuilt(platform: Platform) -> rebuilding.Rebuilt:
    return rebuilding.rebuild(platform, lambda _what, _count: None)


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_all_that_was_archived_is_there_again_with_the_same_proofs(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    first, second, third = (seal(kept, mairie, tmp_path) for _ in range(3))
    copied(kept, stamps)
    tomorrow = clock.in_paris(clock.now()).date() + timedelta(days=1)
    standing = Wanted("contentieux", "service juridique", tomorrow, (first.id, second.id))
    lifted = holds.put(kept, PLATFORM, mairie.id, replace(standing, records=(third.id,)))
    holds.put(kept, PLATFORM, mairie.id, standing)
    holds.lift(kept, PLATFORM, lifted)
    restoring.restore(kept, third.id, SECOND, "principal", "platform")
    for years in (6, 7):
        changing.follow(kept, PLATFORM, mairie.id, _rule(years))
    changing.choose(kept, PLATFORM, mairie.id, "mail", Category.APPRAISAL, "APP-ESSAI")
    changing.follow(kept, PLATFORM, mairie.id, _rule(8, "APP-RETIREE"))
    changing.withdraw(kept, PLATFORM, mairie.id, Category.APPRAISAL, "APP-RETIREE")
    stamping.begin(kept, stamps)
    reseal(kept, "SHA-512", stamps, lambda _done, _total: None)
    stamping.stamp_waiting(kept, stamps)
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)

    done = rebuilt(dropped)

    assert (done.records, done.eliminated, done.unreadable, done.anew, done.unknown, done.holds) == (4, 0, 0, 0, (), 1)
    before, after = rows(kept), rows(dropped)
    for name, said in before.items():
        assert after[name] == said, name
    assert proofs(dropped, tmp_path / "after") == proofs(kept, tmp_path / "before")
    # Life goes on: the next head continues the same tree, and what comes is proved like the rest.
    new = seal(dropped, mairie, tmp_path)
    copied(dropped, stamps)
    assert new.id in proofs(dropped, tmp_path)


@on_one_shape
def test_what_was_sealed_after_the_last_head_in_the_places_is_entered_anew(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    late = seal(kept, mairie, tmp_path)

    done = rebuilt(dropped)

    assert (done.records, done.anew, done.unknown) == (2, 1, ())
    with dropped.database.reading(PLATFORM) as session:
        found = session.exec(select(Record).where(Record.key == late.key)).one()
    assert (found.sha256, found.title, found.keep_until, found.confidential) == (late.sha256, late.title, late.keep_until, True)


@on_one_shape
def test_a_record_that_no_place_holds_whole_is_there_with_an_incident(
    kept: Platform,
    dropped: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost, whole = seal(kept, mairie, tmp_path), seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with kept.database.reading(PLATFORM) as session:
        versions = set(session.exec(select(RecordCopy.version_id).where(RecordCopy.record_id == lost.id)))
    _lose(monkeypatch, versions)

    done = rebuilt(dropped)

    assert (done.records, done.unreadable) == (2, 1)
    with dropped.database.reading(PLATFORM) as session:
        assert session.get_one(Record, lost.id).title == lost.id
        assert session.get_one(Record, whole.id).title == whole.title
        opened = {(found.kind, found.place, found.subject) for found in session.exec(select(Incident))}
    assert opened == {("copy.missing", "principal", lost.key), ("copy.missing", SECOND, lost.key)}


@on_one_shape
def test_a_database_with_a_journal_of_its_own_is_left_alone(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with pytest.raises(Conflict, match="déjà un journal"):
        rebuilt(kept)


@on_one_shape
def test_nothing_is_made_of_a_journal_that_does_not_hold(
    kept: Platform,
    dropped: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        seal(kept, mairie, tmp_path)
        copied(kept, stamps)
    with kept.database.reading(PLATFORM) as session:
        first = session.exec(select(TreeSegment).order_by(col(TreeSegment.size))).first()
    assert first is not None
    _lose(monkeypatch, set(first.copies.values()))
    with pytest.raises(SegmentAltered):
        rebuilt(dropped)
