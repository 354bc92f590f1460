"""A rebuilding that is stopped goes on when it is begun again; it never goes on with the database of somebody else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from archive.elimination.states import ELIMINATED
from archive.models import Record, RecordCopy
from archive.proof.ers import stamping
from archive.proof.resealing import reseal
from archive.rebuilding import journal as rebuilt_journal
from archive.rebuilding.rebuild import Rebuilt
from archive.retention import holds
from archive.watch.incidents import OPENED
from archive.watch.models import Incident
from core import clock, journal
from core.errors import Conflict, Unavailable
from core.journal import JournalEntry
from core.locked_objects import LockedObjects
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.client import TimestampClient
from tests.conftest import on_one_shape
from tests.journals import quiet, write_entries
from tests.kept_records import seal
from tests.rebuilt import copied, lose, rebuilt, rows

_AT_A_TIME = 4


def _eliminated(platform: Platform, record: Record) -> None:
    """Destroy a record as far as the journal tells of it."""
    facts = {"record": record.id, "package_sha256": record.sha256, "elimination": record.id, "places": {}}
    owner, dossier = record.organisation_id, record.dossier_id
    with platform.database.writing(PLATFORM) as session:
        journal.write(session, organisation_id=owner, dossier_id=dossier, kind=ELIMINATED, actor="platform", facts=facts)


def _stopping(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the places fall silent after so many reads; return what sets how many. No connection may be held meanwhile."""
    read, left = LockedObjects._open, 0

    def _open(self: LockedObjects, *args: Any) -> Any:
        nonlocal left
        assert platform.database.connections_in_use() == 0
        if left == 0:
            raise Unavailable("silent")
        left -= 1
        return read(self, *args)

    def allow(count: int) -> None:
        nonlocal left
        left = count

    monkeypatch.setattr(LockedObjects, "_open", _open)
    return allow


@pytest.mark.parametrize("shape", ["embedded"], indirect=True)  # what is made anew is on PostgreSQL then
def test_stopped_again_and_again_it_ends_as_if_it_never_had_been(
    kept: Platform,
    dropped: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, gone, lost = (seal(kept, mairie, tmp_path) for _ in range(3))
    copied(kept, stamps)
    tomorrow = clock.in_paris(clock.now()).date() + timedelta(days=1)
    holds.put(kept, PLATFORM, mairie.id, holds.Wanted("contentieux", "service juridique", tomorrow, (held.id,)))
    stamping.begin(kept, stamps)
    reseal(kept, "SHA-512", stamps, quiet)
    _eliminated(kept, gone)
    copied(kept, stamps)
    before = rows(kept)
    late = seal(kept, mairie, tmp_path)
    with kept.database.reading(PLATFORM) as session:
        lose(monkeypatch, set(session.exec(select(RecordCopy.version_id).where(RecordCopy.record_id == lost.id))))
    for bound in ("_AT_ONCE", "_READ_AT_ONCE"):
        monkeypatch.setattr(rebuilt_journal, bound, 2)
    allow = _stopping(dropped, monkeypatch)

    stops, done = 0, None
    for budget in itertools.count(_AT_A_TIME, _AT_A_TIME):
        allow(budget)
        try:
            done = rebuilt(dropped)
        except Unavailable:
            stops += 1
            continue
        break

    assert stops > 3
    assert done == Rebuilt(entries=len(before["JournalEntry"]), records=3, eliminated=1, unreadable=1, anew=1, holds=1)
    allow(budget)
    assert rebuilt(dropped) == done
    after = rows(dropped)
    for name in ("RecordHold", "RecordHeld", "RuleVersion", "EvidenceStamp", "EvidenceRenewal", "RecordEvidence", "TreeHead"):
        assert after[name] == before[name], name
    for name in ("JournalEntry", "RecordDigest"):
        assert [row for row in after[name] if row in before[name]] == before[name], name
    with dropped.database.reading(PLATFORM) as session:
        found = {record.key: record for record in session.exec(select(Record))}
        beyond = list(session.exec(select(JournalEntry.kind).where(col(JournalEntry.number) > done.entries)))
        incidents = len(session.exec(select(Incident)).all())
    assert {record.key for record in (held, gone, lost, late)} == found.keys()
    assert (found[gone.key].title, found[lost.key].title, found[held.key].title) == ("", lost.id, held.title)
    assert found[gone.key].eliminated is not None
    assert (incidents, sorted(beyond)) == (2, [OPENED, OPENED, "record.sealed"])


def _goes_on(platform: Platform, mairie: Organisation) -> None:
    write_entries(platform, mairie.id, 1)


def _has_people(platform: Platform, mairie: Organisation) -> None:
    del mairie
    with platform.database.writing(PLATFORM) as session:
        session.add(Person(email="quelqu.un@mairie.example", name="Quelqu’un", password_hash=""))


@on_one_shape
@pytest.mark.parametrize(("unlike", "words"), [(_goes_on, "écriture n° 2"), (_has_people, "des comptes")])
def test_a_database_that_is_at_work_is_left_alone(
    kept: Platform,
    mairie: Organisation,
    stamps: TimestampClient,
    tmp_path: Path,
    unlike: Callable[[Platform, Organisation], None],
    words: str,
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    unlike(kept, mairie)
    before = rows(kept)
    with pytest.raises(Conflict, match=words):
        rebuilt(kept)
    assert rows(kept) == before


@on_one_shape
def test_a_journal_that_is_another_is_refused_at_its_first_entry_that_differs(
    kept: Platform, dropped: Platform, mairie: Organisation, stamps: TimestampClient, tmp_path: Path
) -> None:
    seal(kept, mairie, tmp_path)
    copied(kept, stamps)
    with dropped.database.writing(PLATFORM) as session:
        other = add_organisation(session, "Autre plateforme", OrganisationKind.PLATFORM)
    write_entries(dropped, other.id, 1)
    before = rows(dropped)
    with pytest.raises(Conflict, match="écriture n° 1"):
        rebuilt(dropped)
    assert rows(dropped) == before
