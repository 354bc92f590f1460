"""After the elimination of what was handed over, its tries, repeats and refusals keep nothing of it either; their rows stay."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from archive.elimination import executing
from archive.models import Record, RecordCopy
from archive.places.locks import Removal
from core import clock
from core.errors import Gone
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3 import ObjectMissing
from flows.emptying import rows, running
from flows.engine.models import DossierFile
from flows.transfers import deciding, reading
from flows.transfers.models import ArchiveTransfer
from flows.transfers.names import MANIFEST
from tests.ended_records import decided, lines_of, people_of, run, run_until
from tests.transfers import Desk, Sip

pytestmark = pytest.mark.parametrize("shape", ["embedded", "postgresql"], indirect=True)
SIP = Sip(title="Dossier de Mme Secrète", appraisal=("APP-CORRESP-5ANS", date(2011, 3, 14)))


@pytest.fixture
def desk(platform: Platform, mairie: Organisation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Where what was put a moment ago counts as put long ago, and no lock keeps a package."""
    monkeypatch.setattr(running, "SETTLED", timedelta(seconds=-5))
    monkeypatch.setattr(executing.locks, "remove", lambda *_: {"principal": Removal.ABSENT})
    with Desk.opened(platform, mairie, tmp_path) as desk:
        yield desk


def held(desk: Desk, sha256: str) -> bool:
    try:
        with desk.platform.objects.reading(sha256):
            return True
    except ObjectMissing:
        return False


def sealed(desk: Desk, package: bytes) -> str:
    dossier_id = desk.hand(package)
    assert desk.run(dossier_id).state == "to_accept"
    deciding.accept(desk.platform, desk.archivist, dossier_id)
    assert desk.run(dossier_id).state == "archived"
    with desk.platform.database.writing(PLATFORM) as session:
        for copy in session.exec(select(RecordCopy)):
            copy.locked_until = clock.now() - timedelta(days=1)
    return dossier_id


def refused(desk: Desk, package: bytes) -> str:
    dossier_id = desk.hand(package)
    desk.run(dossier_id)
    deciding.refuse(desk.platform, desk.archivist, dossier_id, "300", "L’accord n’est pas encore ouvert.")
    assert desk.run(dossier_id).state == "rejected"
    return dossier_id


def repeated(desk: Desk, package: bytes) -> str:
    dossier_id = desk.hand(package, "versement.tar.gz")
    assert desk.run(dossier_id).state == "duplicate"
    return dossier_id


def tried(desk: Desk, package: bytes) -> str:
    dossier_id = desk.hand(package, dry_run="true")
    assert desk.run(dossier_id).state == "tried"
    return dossier_id


def kinds(desk: Desk, dossier_id: str) -> list[str]:
    with desk.platform.database.reading(PLATFORM) as session:
        own = select(JournalEntry.kind).where(JournalEntry.dossier_id == dossier_id)
        return list(session.exec(own.order_by(col(JournalEntry.number))))


def files_of(desk: Desk, dossier_id: str) -> list[DossierFile]:
    with desk.platform.database.reading(PLATFORM) as session:
        return list(session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)))


def test_tries_repeats_and_refusals_of_what_was_eliminated_keep_none_of_it_and_say_so(desk: Desk, tmp_path: Path) -> None:
    packed, other = SIP.zip(tmp_path), SIP.but(identifier="AUTRE", title="Autre")
    repacked = [SIP.tar(tmp_path, mode) for mode in ("w:gz", "w:bz2", "w:")]
    went = [tried(desk, packed), tried(desk, repacked[2]), refused(desk, packed)]
    before = repeated_of_a_refusal(desk, repacked[1])
    record = sealed(desk, packed)
    went += [*before, repeated(desk, repacked[0])]
    stays = [tried(desk, other.zip(tmp_path)), refused(desk, other.tar(tmp_path))]
    digests = {hashlib.sha256(octets).hexdigest() for octets in (packed, *repacked)}
    digests |= {file.sha256 for dossier in went for file in files_of(desk, dossier)}
    manifest = hashlib.sha256(SIP.manifest(tmp_path)).hexdigest()
    assert manifest in digests
    assert all(held(desk, digest) for digest in digests)

    identifier = decided(desk.platform, people_of(desk.platform, desk.organisation), desk.organisation)
    run_until(desk.platform, identifier)

    assert {digest for digest in digests if held(desk, digest)} == set()
    for dossier_id in (record, *went):
        with pytest.raises(Gone, match=rf"bordereau n°\u00a0{identifier}"):
            reading.seen(desk.platform.database, desk.archivist, dossier_id)
        with pytest.raises(Gone):
            reading.file_of(desk.platform.database, desk.archivist, dossier_id, MANIFEST)
        assert (files_of(desk, dossier_id), desk.dossier(dossier_id).title) == ([], dossier_id)
    for dossier_id in went:
        assert kinds(desk, dossier_id)[-2:] == ["dossier.eliminated", "dossier.emptied"]
        assert kinds(desk, dossier_id).count("dossier.eliminated") == 1
    with desk.platform.database.reading(PLATFORM) as session:
        assert {one.dossier_id for one in session.exec(select(ArchiveTransfer))} == {record, *went, *stays}
    for dossier_id in stays:
        assert reading.seen(desk.platform.database, desk.archivist, dossier_id).seen.files
        assert all(held(desk, file.sha256) for file in files_of(desk, dossier_id))


def repeated_of_a_refusal(desk: Desk, package: bytes) -> list[str]:
    """Hand over what is refused, and before that what repeats it."""
    original = desk.hand(SIP.zip(desk.folder))
    assert desk.run(original).state == "to_accept"
    repeat = repeated(desk, package)
    deciding.refuse(desk.platform, desk.archivist, original, "300", "non")
    assert desk.run(original).state == "rejected"
    return [original, repeat]


def test_what_is_handed_over_since_or_under_way_keeps_its_own_and_a_try_says_at_once_that_it_went(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = SIP.zip(tmp_path)
    trial, record = tried(desk, packed), sealed(desk, packed)
    identifier = decided(desk.platform, people_of(desk.platform, desk.organisation), desk.organisation)
    executing.run(desk.platform)
    with desk.platform.database.reading(PLATFORM) as session:
        (destroyed,) = session.exec(select(Record).where(Record.dossier_id == record))
    assert destroyed.eliminated is not None
    later, again = tried(desk, packed), desk.hand(packed)
    assert desk.run(again).state == "to_accept"

    monkeypatch.setattr(running, "SETTLED", timedelta(days=1))
    run(desk.platform)
    with pytest.raises(Gone):  # though its octets wait, and its end is not told yet
        reading.seen(desk.platform.database, desk.archivist, trial)
    assert lines_of(desk.platform, identifier)[destroyed.id].emptied is None
    monkeypatch.setattr(running, "SETTLED", timedelta(seconds=-5))
    run_until(desk.platform, identifier)

    assert held(desk, hashlib.sha256(packed).hexdigest())
    assert files_of(desk, trial) == []
    for dossier_id in (later, again):
        assert reading.seen(desk.platform.database, desk.archivist, dossier_id).seen.files


def test_what_went_with_one_record_does_not_go_again_with_the_next_of_the_same_octets(desk: Desk, tmp_path: Path) -> None:
    packed, people = SIP.zip(tmp_path), people_of(desk.platform, desk.organisation)
    trial = tried(desk, packed)
    sealed(desk, packed)
    run_until(desk.platform, decided(desk.platform, people, desk.organisation))
    before, second = kinds(desk, trial), tried(desk, packed)
    assert before[-2:] == ["dossier.eliminated", "dossier.emptied"]
    sealed(desk, packed)
    run_until(desk.platform, decided(desk.platform, people, desk.organisation))
    assert kinds(desk, trial) == before
    assert kinds(desk, second)[-2:] == ["dossier.eliminated", "dossier.emptied"]


def test_dossiers_and_the_journal_are_not_asked_at_once_nor_dossiers_of_what_nobody_handed_over(
    desk: Desk, tmp_path: Path
) -> None:
    dossier_id = sealed(desk, SIP.zip(tmp_path))
    asked: list[str] = []
    with desk.platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.dossier_id == dossier_id)).one()
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append(told[2]))
        record.eliminated = clock.now()
        assert (rows.alike(connection, record), rows.followers(connection, record)) == ([], [])
        assert asked
        assert not [said for said in asked if "FROM dossier" in said and "journal_entry" in said]
        asked.clear()
        record.kind = "helios"
        assert (rows.alike(connection, record), asked) == ([], [])
        session.expunge(record)
