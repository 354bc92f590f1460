"""Records whose retention is over, and whose locks end within seconds: what an elimination is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from minio.commonconfig import COMPLIANCE
from minio.retention import Retention
from sqlmodel import select

from archive import sealing
from archive.describing import describe
from archive.elimination import deciding, executing, lists
from archive.elimination.analysis import Criteria
from archive.elimination.deciding import Visa
from archive.elimination.models import Elimination, EliminationLine
from archive.kinds.pes import PesRole, pes_package
from archive.models import Record
from archive.package import PackageFile
from archive.places.places import Copy, Place, places_of
from archive.retention.defaults import ACCOUNTING, PRIVATE_LIFE
from archive.sealing import Sealing
from core import clock
from core.blobs import LockedObject
from core.identifiers import new_id
from core.organisations import Organisation
from core.people import add_person, grant_role, principal_of
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.emptying import running as emptying
from tests.archive_samples import RECORD
from tests.waiting import wait_until

LONG_AGO = date(2011, 3, 14)


@dataclass(frozen=True)
class People:
    """Who decides an elimination."""

    archivist: Principal
    mayor: Principal
    state: Principal


def people_of(platform: Platform, organisation: Organisation) -> People:
    """Make an archivist, somebody of the producer, and somebody of the State, each with nothing but their own rights."""
    found = {}
    with platform.database.writing(PLATFORM) as session:
        for name, rights in (
            ("archivist", {Right.READ, Right.ARCHIVE}),
            ("mayor", {Right.READ, Right.ADMINISTER}),
            ("state", {Right.CONTROL}),
        ):
            person = add_person(session, f"{name}-{new_id().lower()}@ended.test", f"Personne {name}", "encre et papier")
            grant_role(session, person, organisation, name, rights)
            session.flush()
            found[name] = principal_of(session, person)
    return People(**found)


def ended(
    platform: Platform,
    organisation: Organisation,
    folder: Path,
    *,
    day: date = LONG_AGO,
    seconds: float = 1,
    kind: str = "helios",
    title: str = "Mandats de Mme Secrète",
    dossier: str = "",
    pes: bytes = b"",
) -> Record:
    """Seal a PES of a day, its copies locked in every place for some seconds only, as if that day were long ago.

    Its dossier is one that is lost, unless it is named; so is its flow, unless it is given.
    """
    dossier = dossier or new_id()
    contents = {
        PesRole.PES: ("flux.xml", "application/xml", pes or f"<PES>{dossier}</PES>".encode()),
        PesRole.ACQUIT: ("acquit.xml", "application/xml", b"<ACQUIT/>"),
        PesRole.JOURNAL: ("journal.jsonl", "application/x-ndjson", b"{}\n"),
    }
    files = []
    for role, (name, media_type, data) in contents.items():
        path = folder / f"{dossier}-{name}"
        path.write_bytes(data)
        files.append(PackageFile(role, path, media_type, name))
    package = pes_package(
        folder / f"{dossier}.zip", replace(RECORD, dossier=dossier, acknowledged=day, issued=day, budget=title), files
    )
    told = Sealing(organisation.id, dossier, kind, ACCOUNTING, PRIVATE_LIFE)
    intent = sealing.intent_of(told, package)
    copies = [_locked(place, intent["key"], package.path, package.sha256, seconds) for place in places_of(platform)]
    with platform.database.writing(PLATFORM) as session:
        identifier = sealing.record(session, told, describe(package.path), copies)
        return session.exec(select(Record).where(Record.id == identifier)).one()


def _locked(place: Place, key: str, path: Path, sha256: str, seconds: float) -> Copy:
    until = clock.now() + timedelta(seconds=seconds)
    size = path.stat().st_size
    with path.open("rb") as stream:
        written = place.store._client.put_object(place.store.archive, key, stream, size, retention=Retention(COMPLIANCE, until))
    return Copy(place.name, LockedObject(place.store.archive, key, str(written.version_id), sha256, size, until))


def decided(
    platform: Platform,
    people: People,
    organisation: Organisation,
    *,
    refused: frozenset[str] = frozenset(),
) -> str:
    """Bring an elimination of all that is due as far as its order."""
    identifier = lists.make(platform, people.archivist, organisation.id, today(), Criteria())
    deciding.propose(platform, people.archivist, identifier)
    deciding.agree(platform, people.mayor, identifier)
    deciding.give_visa(platform, people.state, identifier, Visa("AD99-2026-7", refused))
    deciding.order(platform, people.archivist, identifier)
    return identifier


def today() -> date:
    """Return the day, in Paris."""
    return clock.in_paris(clock.now()).date()


def run(platform: Platform) -> None:
    """Let the scheduled runs take a turn: that of the records, that of their dossiers."""
    executing.run(platform)
    emptying.run(platform)


def run_until(platform: Platform, elimination_id: str, state: str = "done") -> None:
    """Let it take its turns until an elimination has come to a state."""

    def there() -> bool:
        run(platform)
        return elimination(platform, elimination_id).state == state

    wait_until(there, seen=lambda: str([line.model_dump() for line in lines_of(platform, elimination_id).values()]))


def elimination(platform: Platform, elimination_id: str) -> Elimination:
    """Read an elimination."""
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(Elimination, elimination_id)


def lines_of(platform: Platform, elimination_id: str) -> dict[str, EliminationLine]:
    """Return the lines of an elimination by their records."""
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(select(EliminationLine).where(EliminationLine.elimination_id == elimination_id))
        return {line.record_id: line for line in found}


def record(platform: Platform, record_id: str) -> Record:
    """Read a record."""
    with platform.database.reading(PLATFORM) as session:
        return session.get_one(Record, record_id)


def versions(platform: Platform, key: str) -> dict[str, int]:
    """Return how many versions and markers stand under a key, by place."""
    return {place.name: len(place.store.versions(key)) for place in places_of(platform)}
