"""How fast small packages are put under lock and recorded, beside the bare store that only takes them.

All run in this process against the same server, which has each object on the disk before it acknowledges it, with the same number
of threads: the bare rate is a plain PUT of each package by the stock client, into a bucket that only keeps it and into one with
versions and locks, which is the archive's store; sealing is a first try's PUT under lock, the reading back of the package and the
reading of its lock; recording adds the record with its files, its words and its entry in the journal, on PostgreSQL.

The four ways take turns, forwards then backwards: a burst of one of them lasts half a second and says more of the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from archive import sealing
from archive.describing import Description, describe
from archive.kinds.pes import PesRecord, PesRole, pes_package
from archive.package import Package, PackageFile
from archive.retention.defaults import ACCOUNTING, PRIVATE_LIFE
from archive.sealing import Sealing
from bench.places import empty_postgres
from core import clock
from core.identifiers import new_id
from core.migrations import upgrade
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform, open_platform
from core.principal import PLATFORM
from core.s3_server import s3_server
from core.settings import Settings
from schemas.seda.model import Agency

THREADS = (1, 4, 8)
ROUNDS = 5
SIZES = {"4 kB": (512, 200), "64 kB": (60_000, 200), "256 kB": (250_000, 100), "1 MB": (1_000_000, 50)}
"""Of packages: how many bytes of a document of its own each holds, and how many packages each round measures."""


@dataclass(frozen=True)
class Row:
    """Packages a second: taken by a plain bucket, by the archive's, put under lock and read back, and recorded as well."""

    size: str
    threads: int
    plain: float
    raw: float
    locked: float
    sealed: float


def rows() -> Iterator[Row]:
    """Measure small packages and larger ones, with some threads, then with more."""
    with _platform() as (platform, owner, folder):
        for size, (octets, count) in SIZES.items():
            for threads in THREADS:
                spent = [0.0] * 4
                for turn in range(ROUNDS):
                    made = _round(platform, owner, [_package(folder, octets) for _ in range(count)])
                    for way in range(4) if turn % 2 else reversed(range(4)):
                        spent[way] += _seconds(threads, made[way])
                yield Row(size, threads, *(ROUNDS * count / seconds for seconds in spent))


def _round(platform: Platform, owner: Organisation, made: list[tuple[str, Package]]) -> tuple[list[Callable[[], None]], ...]:
    """What is done with the packages of a round, in each of the four ways."""
    packages = [package for _, package in made]
    told = [Sealing(owner.id, dossier, "helios", ACCOUNTING, PRIVATE_LIFE) for dossier, _ in made]
    return (
        [_bare(platform, platform.objects.documents, package) for package in packages],
        [_bare(platform, platform.objects.archive, package) for package in packages],
        [_locked(platform, package) for package in packages],
        [_sealed(platform, one, package, describe(package.path)) for one, package in zip(told, packages, strict=True)],
    )


@contextlib.contextmanager
def _platform() -> Iterator[tuple[Platform, Organisation, Path]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tabellion-bench-", ignore_cleanup_errors=True)))
        server = stack.enter_context(s3_server(folder / "s3"))
        url = stack.enter_context(empty_postgres())
        settings = Settings(state_dir=folder, database_url=SecretStr(url), broker_url=SecretStr("memory://"))
        platform = open_platform(settings, server.store("bench"))
        stack.callback(platform.database.close)
        upgrade(platform.database)
        platform.prepare_stores()
        with platform.database.writing(PLATFORM) as session:
            root = add_organisation(session, "Plateforme de mesure", OrganisationKind.PLATFORM)
            owner = add_organisation(session, "Commune de mesure", OrganisationKind.COLLECTIVITE, parent=root)
        yield platform, owner, folder


def _package(folder: Path, octets: int) -> tuple[str, Package]:
    dossier, day = new_id(), clock.in_paris(clock.now()).date()
    files = []
    for role, data in ((PesRole.PES, os.urandom(octets)), (PesRole.ACQUIT, b"<ACQUIT/>"), (PesRole.JOURNAL, b"{}\n")):
        path = folder / f"{dossier}-{role.value}"
        path.write_bytes(data)
        files.append(PackageFile(role, path, "application/xml", f"{role.value}.xml"))
    record = PesRecord(
        transfer=f"bench-{dossier}",
        dossier=dossier,
        at=clock.now(),
        archival_agency=Agency("AD-99"),
        transferring_agency=Agency("BENCH"),
        producer=Agency("214009995", "SIREN"),
        producer_name="Commune de mesure",
        nom_fic=dossier,
        cod_col="123",
        cod_bud="01",
        issued=day,
        acknowledged=day,
    )
    return dossier, pes_package(folder / f"{dossier}.zip", record, files)


def _bare(platform: Platform, bucket: str, package: Package) -> Callable[[], None]:
    client, data = platform.objects._client, package.path.read_bytes()  # noqa: SLF001 - the client library and nothing of ours
    return lambda: _drop(client.put_object(bucket, f"bare/{package.sha256}.zip", io.BytesIO(data), len(data)))


def _locked(platform: Platform, package: Package) -> Callable[[], None]:
    key = f"locked/{hashlib.sha256(package.sha256.encode()).hexdigest()}.zip"
    return lambda: _drop(platform.objects.seal(key, package.path, package.sha256, untried=True))


def _sealed(platform: Platform, told: Sealing, package: Package, said: Description) -> Callable[[], None]:
    def seal() -> None:
        copies = sealing.put_under_lock(platform, package, sealing.intent_of(told, package), untried=True)
        with platform.database.writing(PLATFORM) as session:
            sealing.record(session, told, said, copies)

    return seal


def _drop(_: object) -> None:
    """Forget what an act returns."""


def _seconds(threads: int, acts: list[Callable[[], None]]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()
    return time.perf_counter() - started
