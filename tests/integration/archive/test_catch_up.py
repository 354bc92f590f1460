"""A backup of the night before is restored: it is brought forward to what the places know, and proves all that was sealed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from archive.correction import correcting
from archive.models import Record
from archive.proof import checking, heads
from archive.proof.ers import stamping
from archive.proof.proving import write_evidence
from archive.proof.resealing import reseal
from archive.proof.verification import EvidenceVerdict, verify_evidence
from archive.rebuilding import tail
from archive.retention import changing, holds
from archive.retention.rules import Category, RetentionRule
from archive.watch import consistency, restoring
from core import clock
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from tests.ended_records import people_of
from tests.journals import quiet, write_entries
from tests.kept_records import SECOND, seal
from tests.rebuilt import copied
from tests.restored import caught_up, kinds_beyond, proven, restored, without

on_both_databases = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
# Lists of the entries, places and nodes go on in the restored database with what the catching up says of itself.
GOES_ON = ("JournalEntry", "TreeLeaf", "TreeNode")


def _proofs(platform: Platform, folder: Path) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    with platform.database.reading(PLATFORM) as session:
        records = list(session.exec(select(Record.id)))
    for record in records:
        write_evidence(platform, PLATFORM, record, folder / f"{record}.zip")
    return {record: (folder / f"{record}.zip").read_bytes() for record in records}


def _wanted(*records: Record) -> holds.Wanted:
    tomorrow = clock.in_paris(clock.now()).date() + timedelta(days=1)
    return holds.Wanted("contentieux", "service juridique", tomorrow, tuple(record.id for record in records))


@on_both_databases
def test_a_restored_backup_knows_and_proves_all_that_the_places_do_and_goes_on(
    kept: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, freed = seal(kept, mairie, tmp_path), seal(kept, mairie, tmp_path)
    hold = holds.put(kept, PLATFORM, mairie.id, _wanted(freed))
    people = people_of(kept, mairie)
    opening = correcting.Wanted("aucun nom", correcting.Access("AR038", date(2020, 2, 21)))
    agreed, declined = (correcting.correct(kept, people.archivist, one.id, opening) for one in (old, freed))
    copied(kept, stamps)
    heads.cut(kept, stamps)
    write_entries(kept, mairie.id, 2)
    heads.cut(kept, stamps)  # not copied yet, when the backup is made
    write_entries(kept, mairie.id, 3)  # nor in the tree yet

    with restored(kept, tmp_path) as backup:
        with kept.database.writing(PLATFORM) as session:
            town = add_organisation(session, "Commune nouvelle", OrganisationKind.COLLECTIVITE, parent=mairie)
        seal(kept, town, tmp_path)
        holds.put(kept, PLATFORM, mairie.id, _wanted(old))
        holds.lift(kept, PLATFORM, hold, "affaire close")
        correcting.agree(kept, people.state, agreed)
        correcting.decline(kept, people.state, declined)
        correcting.correct(kept, PLATFORM, old.id, correcting.Wanted("agent nommé", correcting.Access("AR048", None)))
        copied(kept, stamps)
        restoring.restore(kept, old.id, SECOND, "principal", "platform")
        day = clock.in_paris(clock.now()).date()
        delay = RetentionRule(identifier="APP-ESSAI", years=6, label="essai", source="décision du service d’archives")
        changing.follow(kept, PLATFORM, mairie.id, changing.Wanted(Category.APPRAISAL, delay, day))
        changing.choose(kept, PLATFORM, mairie.id, "mail", Category.APPRAISAL, "APP-ESSAI")
        stamping.begin(kept, stamps)
        reseal(kept, "SHA-512", stamps, quiet)
        stamping.stamp_waiting(kept, stamps)
        seal(kept, mairie, tmp_path)
        copied(kept, stamps)

        with monkeypatch.context() as patch:
            patch.setattr(heads, "_LATE", 1)  # the end of the journal is longer than a sequencer looks back
            done = caught_up(backup)

        before, after = proven(kept), proven(backup)
        assert (done.records, done.unreadable, done.anew, done.unknown, done.holds) == (2, 0, 0, (), 1)
        assert done.size == before["heads"][-1]
        assert without(after, *GOES_ON) == without(before, *GOES_ON)
        for name in GOES_ON:
            assert after[name].items() >= before[name].items(), name
        assert kinds_beyond(backup, before["JournalEntry"]) == ["journal.caught_up"]
        assert len(after["TreeLeaf"]) == len(after["JournalEntry"])
        assert _proofs(backup, tmp_path / "after") == _proofs(kept, tmp_path / "before")
        assert (caught_up(backup), proven(backup)) == (done, after)  # once more changes nothing

        with backup.database.writing(PLATFORM) as session:
            tail.end(session)
        # Life goes on: the next head continues the same tree, in the same places, and what comes is proved like the rest.
        new = seal(backup, mairie, tmp_path)
        copied(backup, stamps)
        assert list(checking.faults(backup)) == []
        made = _proofs(backup, tmp_path / "later")
        trust = stamps._trust
        assert {verify_evidence(tmp_path / "later" / f"{one}.zip", trust=trust).verdict for one in made} == {
            EvidenceVerdict.VALID
        }
        assert {old.id, new.id} <= made.keys()
        with backup.database.reading(PLATFORM) as session:
            records = list(session.exec(select(Record)))
        assert [trouble for record in records for trouble in consistency.compared(backup, record)] == []
        assert caught_up(backup).mark is None
