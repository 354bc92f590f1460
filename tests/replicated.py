"""Places of the archive, one of which was added later or lost, and what they hold: for the tests of replication."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from archive.models import EvidenceStamp, Record, RecordCopy, TreeSegment
from archive.places import extending, places
from archive.places.places import CopyState, Place, places_of
from archive.proof import heads, segments
from archive.proof.ers import stamping
from archive.proof.proving import write_evidence
from archive.retention import changing, holds
from archive.retention.rules import Category, RetentionRule
from archive.watch import audits
from core.journal import JournalEntry
from core.locked_objects import PROBES, LockedObjects
from core.organisations import Organisation
from core.places import PRINCIPAL
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.ended_records import today
from tests.kept_records import SECOND, seal


class KilledError(Exception):
    """The process went away, in the middle of something."""


def cut(platform: Platform, stamps: TimestampClient) -> None:
    heads.cut(platform, stamps)
    segments.copy_due(platform)


def stamps_of(authority: Callable[[str], TsaSimulator]) -> TimestampClient:
    tsa = authority("tsa")
    return TimestampClient(AuthoritySettings(urls=[tsa.url]), TrustStore.of([tsa.anchor]))


@pytest.fixture
def sealed(platform: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path) -> list[Record]:
    """Three records of one place, the first of them held, with papers of every sort."""
    records = [seal(platform, mairie, tmp_path) for _ in range(3)]
    day = today() + timedelta(days=1)
    holds.put(platform, PLATFORM, mairie.id, holds.Wanted("contentieux", "service juridique", day, (records[0].id,)))
    delay = RetentionRule(identifier="APP-ESSAI", years=6, label="essai", source="décision du service d’archives")
    changing.follow(platform, PLATFORM, mairie.id, changing.Wanted(Category.APPRAISAL, delay, day))
    stamping.begin(platform, stamps)
    cut(platform, stamps)
    extending.extend(platform)
    return records


def another_server(platform: Platform, s3: S3Server, name: str) -> LockedObjects:
    """An empty place, as a server that was replaced."""
    return s3.store(f"{platform.settings.s3_bucket_prefix}-{name}")


def standing(place: Place) -> dict[str, list[str]]:
    """Return the versions of every key of a place."""
    found: dict[str, list[str]] = {}
    for version in place.store.all_versions():
        if not version.key.startswith(PROBES):
            found.setdefault(version.key, []).append(version.version_id)
    return found


def copy_of(platform: Platform, record: Record, place: str) -> RecordCopy:
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(RecordCopy, (record.id, place))


def entries(platform: Platform, kind: str) -> list[JournalEntry]:
    with platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(JournalEntry).where(JournalEntry.kind == kind).order_by(col(JournalEntry.number))))


def require_the_same_everywhere(platform: Platform, records: list[Record]) -> None:
    """Every copy of every record is sound, and locked and held as the others; every paper stands in every place, once."""
    first, second = places_of(platform)
    there, here = standing(first), standing(second)
    assert sorted(here) == sorted(there)
    assert {key for key, versions in here.items() if len(versions) > 1} == set()
    assert {record.key for record in records} < set(here)
    for record in records:
        with platform.database.reading(PLATFORM) as session:
            stands = {copy.place: copy for copy in places.copies_of(session, record.id)}
        found = {place.name: place.store.lock_of(record.key, stands[place.name].version_id) for place in (first, second)}
        assert [places.look(place, record, stands[place.name]).state for place in (first, second)] == [CopyState.SOUND] * 2
        assert found[SECOND] == found[PRINCIPAL]
        assert {name: copy.locked_until for name, copy in stands.items()} == {name: lock.until for name, lock in found.items()}
    with platform.database.reading(PLATFORM) as session:
        rows = [*session.exec(select(TreeSegment)), *session.exec(select(EvidenceStamp))]
    assert len(rows) >= 2
    assert all(row.copies == {PRINCIPAL: there[row.key][0], SECOND: here[row.key][0]} for row in rows)


def require_sound(platform: Platform) -> None:
    for duty in audits.duties(platform):
        assert audits.whole(platform, duty, lambda *_: None)[1] == (), duty


def proofs(platform: Platform, records: list[Record], folder: Path) -> list[bytes]:
    folder.mkdir()
    for record in records:
        write_evidence(platform, PLATFORM, record.id, folder / record.id)
    return [(folder / record.id).read_bytes() for record in records]
