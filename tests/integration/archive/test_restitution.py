"""A whole fonds given back: readable and verifiable from the folder alone, taken up where it stopped, read back at its end."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from archive.finding import restitutions
from archive.finding.dip import write_dip
from archive.finding.models import Restitution
from archive.finding.restitution import RESTITUTED, Progress, restitute
from archive.ingest.inspection import check_package
from archive.models import Record
from archive.proof import heads
from archive.proof.verification import EvidenceVerdict, verify_evidence
from core import clock
from core.blobs import ObjectAltered
from core.errors import Conflict, Forbidden
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import on_one_shape
from tests.findable import add
from tests.kept_records import seal

pytestmark = on_one_shape


@pytest.fixture
def trust(authority: Callable[[str], TsaSimulator]) -> TrustStore:
    return TrustStore.of([authority("tsa").anchor])


@pytest.fixture
def stamped(platform: Platform, authority: Callable[[str], TsaSimulator], trust: TrustStore) -> Callable[[], None]:
    """Put a timestamp over the journal as it is."""

    def stamp() -> None:
        heads.cut(platform, TimestampClient(AuthoritySettings(urls=[authority("tsa").url]), trust))

    return stamp


def give_back(platform: Platform, organisation: Organisation, folder: Path, most: int | None = None) -> Progress:
    """Restitute, and stop after so many records."""
    return restitute(platform, organisation, folder, actor="platform", told=lambda done: most is None or done.done < most)


def test_a_fonds_is_read_and_verified_from_its_folder_alone(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None], trust: TrustStore
) -> None:
    records = [seal(platform, mairie, tmp_path) for _ in range(3)]
    gone = add(platform, mairie, "Éliminée", eliminated=clock.now(), sealed=clock.now())
    stamped()
    folder = tmp_path / "rendu"
    done = give_back(platform, mairie, folder)
    assert (done.total, done.done, done.eliminated, done.waiting, done.finished) == (3, 3, 1, 0, True)
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert listed == there - {"SHA256SUMS"}
    rows = list(csv.DictReader(io.StringIO((folder / "index.csv").read_text("utf-8-sig")), delimiter=";"))
    assert [row["identifiant"] for row in rows] == [*(record.id for record in records), gone]
    for row in rows[:3]:
        assert check_package(folder / row["paquet"]) == []
        report = verify_evidence(folder / row["preuve"], trust=trust)
        assert report.verdict is EvidenceVerdict.VALID
    assert (rows[3]["paquet"], bool(rows[3]["éliminée le"])) == ("", True)
    assert "APP-COMPTA-10ANS" in (folder / "regles.csv").read_text("utf-8-sig")
    assert "Archives restituées : 3 ; éliminées, pour mémoire : 1" in (folder / "LISEZ-MOI.txt").read_text()
    with platform.database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(JournalEntry.kind == RESTITUTED)).all()
    sums = hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert entry.facts == {"records": 3, "size": sum(record.size for record in records), "sums_sha256": sums}


def test_what_stopped_goes_on_and_fetches_nothing_twice(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        seal(platform, mairie, tmp_path)
    stamped()
    folder, fetched = tmp_path / "rendu", []
    genuine = restitute.__globals__["fetch"]

    def fetch(platform: Platform, record: Record, target: Path) -> None:
        fetched.append(record.id)
        genuine(platform, record, target)

    monkeypatch.setitem(restitute.__globals__, "fetch", fetch)
    half = give_back(platform, mairie, folder, most=2)
    assert (half.done, half.finished) == (2, False)
    assert not (folder / "SHA256SUMS").exists()
    assert give_back(platform, mairie, folder).finished
    assert len(fetched) == len(set(fetched)) == 3


def test_a_package_that_changed_in_the_folder_is_found_at_the_end_and_fetched_again(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None]
) -> None:
    seal(platform, mairie, tmp_path)
    stamped()
    folder = tmp_path / "rendu"
    give_back(platform, mairie, folder)
    (package,) = folder.glob("paquets/*/*.zip")
    sealed = package.read_bytes()
    package.write_bytes(bytes(len(sealed)))
    with pytest.raises(ObjectAltered, match="a changé pendant la restitution"):
        give_back(platform, mairie, folder)
    assert give_back(platform, mairie, folder).finished
    assert package.read_bytes() == sealed


def test_a_proof_that_waits_for_its_timestamp_is_added_by_the_next_run(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None]
) -> None:
    record = seal(platform, mairie, tmp_path)
    folder = tmp_path / "rendu"
    assert give_back(platform, mairie, folder).waiting == 1
    assert "La preuve de 1 archives attend" in (folder / "LISEZ-MOI.txt").read_text()
    stamped()
    assert give_back(platform, mairie, folder).waiting == 0
    assert list(folder.glob(f"preuves/*/preuve-{record.id}.zip"))


def test_a_worker_writes_what_was_asked_on_a_page_until_it_is_finished(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        seal(platform, mairie, tmp_path)
    stamped()
    archivist = Principal("person:archivist", {mairie.id: frozenset({Right.ARCHIVE})})
    with pytest.raises(Forbidden):
        restitutions.ask(platform, Principal("person:reader", {mairie.id: frozenset({Right.READ})}), mairie.id)
    asked = restitutions.ask(platform, archivist, mairie.id)
    with pytest.raises(Conflict):
        restitutions.ask(platform, archivist, mairie.id)
    monkeypatch.setattr(restitutions, "_A_TURN", 0.0)
    seen = []
    for _ in range(2):
        restitutions.go_on(platform, "")
        with platform.database.reading(PLATFORM) as session:
            one = session.get_one(Restitution, asked)
        seen.append((one.total, one.done, one.finished is not None))
    assert seen == [(2, 1, False), (2, 2, False)]  # a turn without time does one more record, and no more
    monkeypatch.setattr(restitutions, "_A_TURN", 60.0)
    restitutions.go_on(platform, "")
    with platform.database.reading(PLATFORM) as session:
        assert session.get_one(Restitution, asked).finished is not None
    assert (restitutions.folder_of(platform, asked) / "SHA256SUMS").exists()
    restitutions.go_on(platform, "")  # nothing is left to do
    assert restitutions.ask(platform, archivist, mairie.id) != asked


def test_what_is_handed_out_whole_bears_its_proof_and_a_part_does_not(
    platform: Platform, mairie: Organisation, tmp_path: Path, stamped: Callable[[], None], trust: TrustStore
) -> None:

    record = seal(platform, mairie, tmp_path)
    stamped()
    whole, part = tmp_path / "whole.zip", tmp_path / "part.zip"
    write_dip(platform, record.id, whole)
    write_dip(platform, record.id, part, ranks={2})
    with zipfile.ZipFile(whole) as zipped:
        (tmp_path / "preuve.zip").write_bytes(zipped.read("preuve.zip"))
    assert verify_evidence(tmp_path / "preuve.zip", trust=trust).verdict is EvidenceVerdict.VALID
    with zipfile.ZipFile(part) as zipped:
        # The evidence holds the whole package: who was given a part is not given the rest with it.
        assert zipped.namelist() == ["LISEZ-MOI.txt", "documents/acquit.xml", "index.csv", "manifest.xml", "SHA256SUMS"]
        assert zipped.read("documents/acquit.xml") == b"<ACQUIT/>"
