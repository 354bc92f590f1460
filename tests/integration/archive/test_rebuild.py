"""The database of the archive was dropped: it is made anew from the places, and every proof is what it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from archive.correction import correcting
from archive.correction.models import RecordCorrection
from archive.finding import search
from archive.models import EvidenceStamp, Record, RecordCopy, RecordEvidence, TreeSegment
from archive.proof.ers import stamping
from archive.proof.proving import write_evidence
from archive.proof.resealing import reseal
from archive.proof.segment_file import SegmentAltered
from archive.retention import changing, holds
from archive.retention.holds import Wanted
from archive.retention.models import RecordHold
from archive.retention.rules import Category, RetentionRule
from archive.watch import restoring
from archive.watch.models import Incident
from core import clock
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from tests.conftest import on_one_shape
from tests.ended_records import people_of
from tests.kept_records import SECOND, seal
from tests.rebuilt import copied, lose, rebuilt, rows


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


def _rule(years: int, code: str = "APP-ESSAI") -> changing.Wanted:
    delay = RetentionRule(identifier=code, years=years, label="essai", source="décision du service d’archives")
    return changing.Wanted(Category.APPRAISAL, delay, clock.in_paris(clock.now()).date() + timedelta(days=years - 6))


def _correct(platform: Platform, mairie: Organisation, opened: Record, closed: Record) -> None:
    """Open a record, by two persons, and close another; what is proposed only, no database is made of."""
    people = people_of(platform, mairie)
    opening = correcting.Wanted("aucun nom", access=correcting.Access("AR038", date(2020, 2, 21)))
    agreed = correcting.correct(platform, people.archivist, opened.id, opening)
    correcting.agree(platform, people.state, agreed)
    correcting.correct(platform, PLATFORM, closed.id, correcting.Wanted("agent nommé", access=correcting.Access("AR048", None)))
    given_up = correcting.correct(platform, people.archivist, closed.id, opening)
    correcting.decline(platform, people.state, given_up)
    with platform.database.writing(PLATFORM) as session:
        session.delete(session.get_one(RecordCorrection, given_up))


def _open(platform: Platform) -> set[str]:
    return {line.record.id for line in search.find(platform, PLATFORM, search.Wanted(open=True)).lines}


@pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
def test_all_that_was_archived_is_there_again_with_the_same_proofs(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    first, second = (seal(kept, mairie, tmp_path) for _ in range(2))
    third = seal(kept, mairie, tmp_path, confidential=True, withheld=True)
    copied(kept, stamps)
    tomorrow = clock.in_paris(clock.now()).date() + timedelta(days=1)
    standing = Wanted("contentieux", "service juridique", tomorrow, (first.id, second.id))
    lifted = holds.put(kept, PLATFORM, mairie.id, replace(standing, records=(third.id,)))
    holds.put(kept, PLATFORM, mairie.id, standing)
    holds.lift(kept, PLATFORM, lifted, "désistement")
    of_package = RecordHold(
        organisation_id=mairie.id,
        reason="GEL-1",
        owner="service producteur",
        review=tomorrow,
        statement="",
        placed_by="platform",
        package_of=second.id,
        ends=tomorrow,
    )
    holds.place(kept, of_package, [second.id])
    restoring.restore(kept, third.id, SECOND, "principal", "platform")
    for years in (6, 7):
        changing.follow(kept, PLATFORM, mairie.id, _rule(years))
    changing.choose(kept, PLATFORM, mairie.id, "mail", Category.APPRAISAL, "APP-ESSAI")
    changing.follow(kept, PLATFORM, mairie.id, _rule(8, "APP-RETIREE"))
    changing.withdraw(kept, PLATFORM, mairie.id, Category.APPRAISAL, "APP-RETIREE")
    _correct(kept, mairie, first, third)
    stamping.begin(kept, stamps)
    reseal(kept, "SHA-512", stamps, lambda _done, _total: None)
    stamping.stamp_waiting(kept, stamps)
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)

    done = rebuilt(dropped)

    assert (done.records, done.eliminated, done.unreadable, done.anew, done.unknown, done.holds) == (4, 0, 0, 0, (), 2)
    before, after = rows(kept), rows(dropped)
    for name, said in before.items():
        assert after[name] == said, name
    assert _open(dropped) == _open(kept) == {first.id}
    assert proofs(dropped, tmp_path / "after") == proofs(kept, tmp_path / "before")
    assert (rebuilt(dropped), rows(dropped)) == (done, after)  # once more changes nothing
    # Life goes on: the next head continues the same tree, and what comes is proved like the rest.
    new = seal(dropped, mairie, tmp_path)
    copied(dropped, stamps)
    assert new.id in proofs(dropped, tmp_path)


@on_one_shape
def test_of_two_batches_with_the_same_chain_the_one_counts_that_counted_before(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    record = seal(kept, mairie, tmp_path)
    stamping.begin(kept, stamps)
    with kept.database.writing(PLATFORM) as session:  # as two runs at once did: the later one takes the chain over
        chain = session.get_one(RecordEvidence, (record.id, 1))
        chain.stamp_id, chain.way = None, []
    stamping.stamp_waiting(kept, stamps)
    copied(kept, stamps)

    assert rebuilt(dropped).evidence_lost == 0

    before, after = rows(kept), rows(dropped)
    assert len(before[EvidenceStamp.__name__]) == 2
    assert {name: after[name] for name in ("EvidenceStamp", "RecordEvidence")} == {
        name: before[name] for name in ("EvidenceStamp", "RecordEvidence")
    }


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
    lose(monkeypatch, versions)

    done = rebuilt(dropped)

    assert (done.records, done.unreadable) == (2, 1)
    with dropped.database.reading(PLATFORM) as session:
        assert session.get_one(Record, lost.id).title == lost.id
        assert session.get_one(Record, whole.id).title == whole.title
        opened = {(found.kind, found.place, found.subject) for found in session.exec(select(Incident))}
    assert opened == {("copy.missing", "principal", lost.key), ("copy.missing", SECOND, lost.key)}


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
    lose(monkeypatch, set(first.copies.values()))
    with pytest.raises(SegmentAltered):
        rebuilt(dropped)
