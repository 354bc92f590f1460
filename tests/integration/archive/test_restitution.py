"""A whole fonds given back: readable and verifiable from what is given alone, taken up where it stopped, read back at its end."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
from lxml import etree
from sqlmodel import select

from archive import sealing
from archive.describing import describe
from archive.finding import dip, restitutions, volumes
from archive.finding.dip import write_dip
from archive.finding.fonds import RESTITUTED, Progress, name_of_proof
from archive.finding.models import Restitution, RestitutionState, RestitutionVolume
from archive.finding.restitution import restitute
from archive.ingest.inspection import check_package
from archive.models import Record
from archive.package import Package
from archive.places import places
from archive.proof import heads
from archive.proof.verification import EvidenceVerdict, verify_evidence
from archive.retention.defaults import ACCOUNTING, PRIVATE_LIFE
from archive.sealing import Sealing
from core import clock
from core.blobs import ObjectAltered
from core.errors import Conflict, Forbidden, NotFound, Unavailable
from core.identifiers import new_id
from core.journal import JournalEntry
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from schemas.seda import schema
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore
from tests.conftest import SHARED, on_one_shape
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
    assert entry.facts == {"records": 3, "lost": 0, "size": sum(record.size for record in records), "sums_sha256": sums}


def test_what_was_handed_over_as_a_tar_is_given_back_as_one_by_its_name_too(
    demand: Demand, tmp_path: Path, stamped: Callable[[], None]
) -> None:
    platform, mairie = demand.platform, demand.organisation
    record = _sealed_as_tar(platform, mairie, tmp_path)
    stamped()
    assert demand.row().state is RestitutionState.ASKED
    restitutions.run(platform, "")
    written = tmp_path / "rendu"
    for _ in range(2):  # once more: what is there is known by that name
        assert give_back(platform, mairie, written).finished
    for folder in (written, demand.unpacked(tmp_path / "volumes")):
        rows = csv.DictReader(io.StringIO((folder / "index.csv").read_text("utf-8-sig")), delimiter=";")
        (named,) = (row["paquet"] for row in rows if row["identifiant"] == record.id)
        assert named.endswith(f"/{record.id}.tar.gz")
        with tarfile.open(folder / named, "r:gz") as opened:
            assert "manifest.xml" in opened.getnames()


def _sealed_as_tar(platform: Platform, organisation: Organisation, folder: Path) -> Record:
    """Seal a package that came as a TAR, as a transfer does."""
    came = seal(platform, organisation, folder)
    path = folder / "versement.tar.gz"
    with zipfile.ZipFile(folder / f"{came.id}.zip") as zipped, tarfile.open(path, "w:gz") as packed:
        for name in zipped.namelist():
            member = tarfile.TarInfo(name)
            member.size = zipped.getinfo(name).file_size
            packed.addfile(member, zipped.open(name))
    package = Package(path, hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size, "", ())
    told = Sealing(organisation.id, new_id(), "transfer", ACCOUNTING, PRIVATE_LIFE)
    copies = sealing.put_under_lock(platform, package, sealing.intent_of(told, package))
    with platform.database.writing(PLATFORM) as session:
        return session.get_one(Record, sealing.record(session, told, describe(path), copies))


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
    assert "La preuve d’une archive attend" in (folder / "LISEZ-MOI.txt").read_text()
    stamped()
    assert give_back(platform, mairie, folder).waiting == 0
    assert list(folder.glob(f"preuves/*/preuve-{record.id}.zip"))


@dataclass(frozen=True)
class Demand:
    """A restitution that an archivist asked for."""

    platform: Platform
    organisation: Organisation

    @cached_property
    def archivist(self) -> Principal:
        return Principal("person:archivist", {self.organisation.id: frozenset({Right.ARCHIVE, Right.READ})})

    @cached_property
    def id(self) -> str:
        return restitutions.ask(self.platform, self.archivist, self.organisation.id)

    def row(self) -> Restitution:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Restitution, self.id)

    def kept(self) -> list[RestitutionVolume]:
        with self.platform.database.reading(PLATFORM) as session:
            return volumes.volumes_of(session, self.id)

    def unpacked(self, folder: Path) -> Path:
        """Unpack every volume into one folder, each member once."""
        for volume in self.kept():
            assert restitutions.volume_of(self.platform, self.archivist, self.id, volume.rank) == volume
            with self.platform.objects.reading_held(volumes.key_of(volume)) as stream:
                octets = stream.read()
            assert (hashlib.sha256(octets).hexdigest(), len(octets)) == (volume.sha256, volume.size)
            with zipfile.ZipFile(io.BytesIO(octets)) as zipped:
                assert not [name for name in zipped.namelist() if (folder / name).exists()]
                zipped.extractall(folder)
        return folder

    def in_the_store(self) -> int:
        held = self.platform.objects._client.list_objects(
            self.platform.objects.documents, prefix=f"held/{volumes.folder_of(self.id)}/", recursive=True
        )
        return len(list(held))


@pytest.fixture
def demand(platform: Platform, mairie: Organisation) -> Demand:
    return Demand(platform, mairie)


def test_workers_write_volumes_that_are_one_folder_whoever_dies_meanwhile(
    demand: Demand, tmp_path: Path, stamped: Callable[[], None], trust: TrustStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, mairie = demand.platform, demand.organisation
    sealed = [seal(platform, mairie, tmp_path) for _ in range(3)]
    assert (demand.row().state, demand.kept()) == (RestitutionState.ASKED, [])
    with pytest.raises(Conflict):
        restitutions.ask(platform, demand.archivist, mairie.id)
    monkeypatch.setattr(restitutions, "_A_TURN", 0.0)
    restitutions.go_on(platform)  # a turn without time does one record, and no more
    assert (demand.row().total, demand.row().done, demand.row().state) == (3, 1, RestitutionState.WRITING)
    with pytest.raises(NotFound):
        restitutions.volume_of(platform, demand.archivist, demand.id, 1)

    stamped()  # the proof that waited comes with what is left
    monkeypatch.setattr(restitutions, "_A_TURN", 60.0)
    monkeypatch.setattr(volumes, "LARGEST", sealed[0].size)
    genuine, stored = volumes._Volumes._stored, []

    def dying(self: volumes._Volumes) -> RestitutionVolume:
        stored.append(genuine(self))
        if len(stored) == 2:
            raise KeyboardInterrupt
        return stored[-1]

    with monkeypatch.context() as patch:
        patch.setattr(volumes._Volumes, "_stored", dying)
        with pytest.raises(KeyboardInterrupt):  # between the two files of a record, with an object that no row names
            restitutions.go_on(platform)
    assert (demand.row().done, len(demand.kept()), demand.in_the_store()) == (1, 2, 6)
    restitutions.run(platform, "")
    row = demand.row()
    assert (row.done, row.size, row.waiting, row.state) == (3, sum(one.size for one in sealed), 0, RestitutionState.READY)
    assert len(demand.kept()) == 6  # a file more would have been too much for each
    folder = demand.unpacked(tmp_path / "rendu")
    with platform.database.reading(PLATFORM) as session:
        (entry,) = session.exec(select(JournalEntry).where(JournalEntry.kind == RESTITUTED)).all()
    assert entry.facts["sums_sha256"] == hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()
    assert "à décompresser dans un même dossier" in (folder / "LISEZ-MOI.txt").read_text()
    # Given into a folder now, it is the same to the octet, the moment that it was made aside.
    give_back(platform, mairie, tmp_path / "again")
    for path in (tmp_path / "again").rglob("*.*"):
        if path.name != "LISEZ-MOI.txt":
            assert (folder / path.relative_to(tmp_path / "again")).read_bytes() == path.read_bytes()
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert verify_evidence(folder / name_of_proof(sealed[0]), trust=trust).verdict is EvidenceVerdict.VALID


def test_what_stops_a_restitution_is_told_and_nothing_before_it_is_fetched_again(
    demand: Demand, tmp_path: Path, stamped: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (seal(demand.platform, demand.organisation, tmp_path) for _ in range(2))
    stamped()
    assert demand.row().state is RestitutionState.ASKED
    fetched = []

    def fetch(platform: Platform, record: Record, target: Path) -> None:
        fetched.append(record.id)
        if record.id == second.id:
            raise Unavailable("Le lieu ne répond pas.")
        places.fetch(platform, record, target)

    monkeypatch.setattr(volumes, "fetch", fetch)
    for _ in range(2):
        restitutions.go_on(demand.platform)
        assert demand.row().trouble == "Le lieu ne répond pas."
    assert (demand.row().done, len(demand.kept()), fetched.count(first.id)) == (1, 1, 1)


def test_a_package_that_no_place_holds_keeps_no_other_from_its_owner_and_is_named(
    demand: Demand, tmp_path: Path, stamped: Callable[[], None]
) -> None:
    platform, mairie = demand.platform, demand.organisation
    lost = add(platform, mairie, "Sans paquet", sealed=clock.now())
    altered = seal(platform, mairie, tmp_path)
    whole = seal(platform, mairie, tmp_path)
    sealed, altered.sha256 = altered.sha256, "0" * 64  # what the places hold is not what was sealed
    with platform.database.writing(PLATFORM) as session:
        session.merge(altered)
    stamped()
    assert demand.row().state is RestitutionState.ASKED
    restitutions.run(platform, "")
    row = demand.row()
    assert (row.state, row.total, row.done, row.lost, row.waiting, row.size) == (RestitutionState.READY, 3, 1, 2, 0, whole.size)
    done = give_back(platform, mairie, tmp_path / "rendu")
    assert (done.total, done.done, done.lost, done.size, done.finished) == (3, 1, 2, whole.size, True)
    for folder in (tmp_path / "rendu", demand.unpacked(tmp_path / "volumes")):
        rows = csv.DictReader(io.StringIO((folder / "index.csv").read_text("utf-8-sig")), delimiter=";")
        assert {row["identifiant"] for row in rows if not row["paquet"] and not row["éliminée le"]} == {lost, altered.id}
        assert "2 archives manquent" in (folder / "LISEZ-MOI.txt").read_text()
        assert len(list(folder.glob("paquets/*/*"))) == len(list(folder.glob("preuves/*/*"))) == 1
    with platform.database.reading(PLATFORM) as session:
        entries = session.exec(select(JournalEntry).where(JournalEntry.kind == RESTITUTED)).all()
    assert [entry.facts["lost"] for entry in entries] == [2, 2]
    with platform.database.writing(PLATFORM) as session:
        session.get_one(Record, altered.id).sha256 = sealed
    assert give_back(platform, mairie, tmp_path / "rendu").lost == 1  # what was mended comes with the next run


def test_one_that_cannot_go_on_keeps_no_other_waiting(demand: Demand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with demand.platform.database.writing(PLATFORM) as session:
        root = session.exec(select(Organisation).where(Organisation.kind == OrganisationKind.PLATFORM)).one()
        neighbour = add_organisation(session, "Commune voisine", OrganisationKind.COLLECTIVITE, parent=root)
    stuck = seal(demand.platform, demand.organisation, tmp_path)
    other = Demand(demand.platform, neighbour)
    seal(demand.platform, neighbour, tmp_path)

    def fetch(platform: Platform, record: Record, target: Path) -> None:
        if record.id == stuck.id:
            raise Unavailable("Le lieu ne répond pas.")
        places.fetch(platform, record, target)

    monkeypatch.setattr(volumes, "fetch", fetch)
    assert demand.row().state is RestitutionState.ASKED
    restitutions.go_on(demand.platform)
    assert demand.row().trouble
    assert other.row().state is RestitutionState.ASKED
    restitutions.go_on(demand.platform)
    assert other.row().state is RestitutionState.READY


def test_a_volume_is_given_to_whoever_may_read_and_only_as_long_as_it_lasts(demand: Demand, tmp_path: Path) -> None:
    platform, mairie = demand.platform, demand.organisation
    seal(platform, mairie, tmp_path)
    with pytest.raises(Forbidden):
        restitutions.ask(platform, Principal("person:reader", {mairie.id: frozenset({Right.READ})}), mairie.id)
    assert demand.row().asked_by == "person:archivist"
    restitutions.run(platform, "")
    assert (demand.row().waiting, demand.row().state) == (1, RestitutionState.READY)  # no timestamp keeps a fonds from its owner
    assert restitutions.volume_of(platform, demand.archivist, demand.id, 1).rank == 1
    for right in (Right.ARCHIVE, Right.READ):
        with pytest.raises(Forbidden):
            restitutions.volume_of(platform, Principal("person:a", {mairie.id: frozenset({right})}), demand.id, 1)
    with pytest.raises(NotFound):
        restitutions.volume_of(platform, Principal("person:b", {}), demand.id, 1)
    with pytest.raises(NotFound):
        restitutions.volume_of(platform, demand.archivist, demand.id, 2)
    restitutions.run(platform, "")
    assert demand.in_the_store() == 2
    with platform.database.writing(PLATFORM) as session:
        session.get_one(Restitution, demand.id).expires = clock.now()
    with pytest.raises(NotFound):
        restitutions.volume_of(platform, demand.archivist, demand.id, 1)
    restitutions.run(platform, "")
    assert (demand.row().state, demand.kept(), demand.in_the_store()) == (RestitutionState.ENDED, [], 0)
    assert restitutions.ask(platform, demand.archivist, mairie.id) != demand.id


def test_what_is_handed_out_whole_bears_its_proof_and_a_part_does_not(
    platform: Platform,
    mairie: Organisation,
    tmp_path: Path,
    stamped: Callable[[], None],
    trust: TrustStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = seal(platform, mairie, tmp_path)
    stamped()
    whole, part = tmp_path / "whole.zip", tmp_path / "part.zip"
    write_dip(platform, record.id, whole)
    write_dip(platform, record.id, part, ranks={2})
    with monkeypatch.context() as patch:
        patch.setattr(dip, "LARGEST", record.size)
        write_dip(platform, record.id, tmp_path / "large.zip")  # with its evidence, one ZIP would not hold it
    with zipfile.ZipFile(whole) as zipped, zipfile.ZipFile(tmp_path / "large.zip") as large:
        assert set(zipped.namelist()) - set(large.namelist()) == {"preuve.zip"}
        (tmp_path / "preuve.zip").write_bytes(zipped.read("preuve.zip"))
    assert verify_evidence(tmp_path / "preuve.zip", trust=trust).verdict is EvidenceVerdict.VALID
    with zipfile.ZipFile(part) as zipped:
        # The evidence holds the whole package: who was given a part is not given the rest with it.
        assert zipped.namelist() == [
            *("LISEZ-MOI.txt", "documents/acquit.xml", "index.csv", "manifest.xml", "bordereau.xml", "SHA256SUMS"),
        ]
        assert zipped.read("documents/acquit.xml") == b"<ACQUIT/>"


def test_what_is_handed_out_is_announced_by_a_message_of_seda(platform: Platform, mairie: Organisation, tmp_path: Path) -> None:
    record = seal(platform, mairie, tmp_path)
    official = SHARED / "official/seda"
    validators = [schema.own("2.2"), *([schema.load(official, "2.2")] if official.is_dir() else [])]
    for ranks, request in ((None, "01DEMANDE"), ({1, 3}, None)):
        write_dip(platform, record.id, tmp_path / "dip.zip", ranks, request=request)
        with zipfile.ZipFile(tmp_path / "dip.zip") as zipped:
            held = {name: zipped.read(name) for name in zipped.namelist()}
        tree = etree.ElementTree(etree.fromstring(held["manifest.xml"]))
        for validator in validators:
            assert validator.validate(tree), validator.error_log
        found = {name: [one.text for one in tree.iter(f"{{*}}{name}")] for name in ("Uri", "MessageDigest", "Size")}
        named = sorted(name for name in held if name.startswith("documents/"))
        assert sorted(found["Uri"]) == named
        for uri, digest, size in zip(*found.values(), strict=True):
            assert (digest, size) == (hashlib.sha256(held[uri]).hexdigest(), str(len(held[uri])))
        groups = [one.get("id") for one in tree.iter("{*}DataObjectGroup")]
        assert [one.text for one in tree.iter("{*}DataObjectGroupReferenceId")] == groups
        assert len(groups) == len(named)
        assert tree.findtext("{*}UnitIdentifier") == record.id
        assert tree.findtext("{*}MessageRequestIdentifier") == (request or f"tabellion-{record.id}-consultation")
        assert tree.findtext("{*}Requester/{*}Identifier") == (request or mairie.siret)
        with zipfile.ZipFile(tmp_path / f"{record.id}.zip") as sealed:
            assert held["bordereau.xml"] == sealed.read("manifest.xml")
