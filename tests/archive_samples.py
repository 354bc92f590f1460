"""For the tests of the archive: an acknowledged PES, its package, and its evidence from a real tree and a real authority."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from archive.kinds.pes import PesRecord, PesRole, pes_package
from archive.package import Package, PackageFile
from archive.proof.evidence import Evidence
from archive.proof.head import Head
from archive.proof.tree import Place, append, inclusion_path, leaf_hash, root_at
from core.canonical import canonical_bytes
from schemas.seda.model import Agency, Event
from signing.timestamp.client import AuthoritySettings, TimestampClient
from signing.timestamp.simulator import TsaSimulator
from signing.trust import TrustStore

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
RECORD = PesRecord(
    transfer="TABELLION-01JABCDEFGHJKMNPQRSTVWXYZ0",
    dossier="01JABCDEFGHJKMNPQRSTVWXYZ0",
    at=AT,
    archival_agency=Agency("AD-99"),
    transferring_agency=Agency("TABELLION"),
    producer=Agency("214009995", "SIREN"),
    producer_name="Commune de Sainte-Énimie-lès-Prés",
    nom_fic="PES-Été-0001",
    cod_col="123",
    cod_bud="01",
    budget="BUDGET PRINCIPAL",
    issued=date(2026, 2, 20),
    acknowledged=date(2026, 2, 21),
    domains=("PES_DepenseAller", "PES_PJ"),
    exercises=(2026,),
    bordereaux=("1", "2"),
    events=(Event(AT, "Acquittement", "01JEVENT", "reçu de la trésorerie", "OK"),),
)


@pytest.fixture
def files(tmp_path: Path) -> list[PackageFile]:
    contents = {
        PesRole.PES: ("Flux d’été n° 1.xml", "application/xml", "<PES/>".encode("iso-8859-1") * 10),
        PesRole.ACQUIT: ("ACQUIT.xml", "application/xml", b"<ACQUIT/>"),
        PesRole.SIGNATURE_REPORT: ("signatures.json", "application/json", b"{}"),
        PesRole.JOURNAL: ("journal.jsonl", "application/x-ndjson", b'{"kind":"dossier.received"}\n'),
    }
    made = []
    for role, (name, media_type, data) in contents.items():
        path = tmp_path / role.value
        path.write_bytes(data)
        made.append(PackageFile(role, path, media_type, name))
    return made


@pytest.fixture
def package(tmp_path: Path, files: list[PackageFile]) -> Package:
    return pes_package(tmp_path / "aip.zip", RECORD, files)


class Memory(dict[Place, bytes]):
    """The nodes of a tree."""

    algorithm = "SHA-256"

    def get_many(self, places: Sequence[Place]) -> Mapping[Place, bytes]:
        return {place: self[place] for place in places}

    def put_many(self, nodes: Mapping[Place, bytes]) -> None:
        self.update(nodes)


@dataclass(frozen=True)
class Notary:
    """Makes the evidence of a package, in a journal where other entries stand before and after."""

    tsa: TsaSimulator

    @property
    def trust(self) -> TrustStore:
        return TrustStore.of([self.tsa.anchor])

    def evidence(self, package: Package, *, index: int = 5, size: int = 11, origin: str = "journal.example") -> Evidence:
        entry = {"v": 1, "kind": "record.sealed", "facts": {"package_sha256": package.sha256}}
        entries = [b"entry %d" % rank for rank in range(size)]
        entries[index] = canonical_bytes(entry)
        store = Memory()
        append(store, 0, [leaf_hash(data) for data in entries])
        head = Head(origin, size, root_at(store, size), AT)
        path = tuple(inclusion_path(store, index, size))
        evidence = Evidence(package.path, entries[index], index, path, head, b"", (self.tsa.anchor,))
        return replace(evidence, token=self.stamp(head.digest()))

    def stamp(self, digest: bytes) -> bytes:
        client = TimestampClient(AuthoritySettings(urls=[self.tsa.url]), self.trust)
        return client.stamp(digest).token


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], TsaSimulator]]:
    started: dict[str, TsaSimulator] = {}

    def start(name: str) -> TsaSimulator:
        if name not in started:
            started[name] = TsaSimulator(tmp_path_factory.mktemp(name))
            started[name].start()
        return started[name]

    start("tsa")  # before any test: one that starts within a test has keys that the next test is given again
    yield start
    for simulator in started.values():
        simulator.stop()


@pytest.fixture
def notary(authority: Callable[[str], TsaSimulator]) -> Notary:
    return Notary(authority("tsa"))
