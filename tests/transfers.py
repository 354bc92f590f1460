"""For the tests of transfers: packages as a neighbouring collectivité would build them, and the desk where they come in."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from sqlmodel import select

from api.runtime import build_engine
from archive.ingest import agreements
from archive.ingest.agreements import Terms
from archive.models import Record
from core import clock
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine.brokers import open_broker
from flows.engine.execution import Engine
from flows.engine.models import Dossier, DossierFile, Step
from flows.transfers import deciding
from flows.transfers.intake import deposit
from flows.transfers.models import ArchiveTransfer
from schemas.seda.model import (
    AccessRule,
    Agency,
    AppraisalRule,
    ArchiveUnit,
    DataObject,
    DataObjectGroup,
    FinalAction,
    Level,
    Management,
    Rule,
    Transfer,
    Version,
)
from schemas.seda.writer import write_transfer

SENDER, ARCHIVES, PRODUCER = "218500991", "AD-85", "218500992"
AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
LETTER = b"<?xml version='1.0' encoding='UTF-8'?>\n<lettre>Monsieur le Maire</lettre>\n"


@dataclass(frozen=True)
class Sip:
    """A package to be handed over; what is changed in it is named in ``replace``."""

    identifier: str = "VERS-2026-0001"
    title: str = "Correspondance du maire"
    files: Mapping[str, bytes] = field(default_factory=lambda: {"content/lettre.xml": LETTER})
    agreement: str | None = None
    sender: str = SENDER
    producer: str = PRODUCER
    appraisal: tuple[str, date] = ("APP-CORRESP-5ANS", date(2026, 2, 21))
    action: FinalAction = FinalAction.DESTROY
    access: str = "AR048"
    puids: Mapping[str, str] = field(default_factory=lambda: {"content/lettre.xml": "fmt/101"})
    version: Version = Version.V2_1

    def manifest(self, folder: Path) -> bytes:
        """Return the manifest."""
        objects = [self._object(rank, name, data) for rank, (name, data) in enumerate(self.files.items(), 1)]
        rule, start = self.appraisal
        transfer = Transfer(
            identifier=self.identifier,
            at=AT,
            archival_agency=Agency(ARCHIVES),
            transferring_agency=Agency(self.sender),
            originating_agency=Agency(self.producer),
            units=(
                ArchiveUnit("AU1", Level.FILE, self.title, units=tuple(
                    ArchiveUnit(f"AU{rank}", Level.ITEM, f"Pièce {rank - 1}", groups=(f"GO{rank - 1}",))
                    for rank in range(2, len(objects) + 2)
                )),
            ),
            groups=tuple(DataObjectGroup(f"GO{rank}", (one,)) for rank, one in enumerate(objects, 1)),
            management=Management(
                appraisal=AppraisalRule((Rule(rule, start),), self.action), access=AccessRule((Rule(self.access, start),))
            ),
            agreement=self.agreement,
        )  # fmt: skip
        target = folder / "manifest.xml"
        write_transfer(transfer, target, self.version)
        # Others name their files as they like; our own writer does not.
        written = target.read_bytes()
        for rank, name in enumerate(self.files, 1):
            written = written.replace(f"content/a-nommer-{rank}<".encode(), f"{name}<".encode())
        return written

    def _object(self, rank: int, name: str, data: bytes) -> DataObject:
        digest = hashlib.sha256(data).hexdigest()
        shown = name.rpartition("/")[2]
        return DataObject(f"BDO{rank}", f"content/a-nommer-{rank}", digest, len(data), shown, puid=self.puids.get(name))

    def zip(self, folder: Path, **changes: bytes | None) -> bytes:
        """Return the package in a ZIP; ``changes`` replace, add or (None) leave out files whose names they bear."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
            for name, data in self._contents(folder, changes).items():
                zipped.writestr(zipfile.ZipInfo(name, (2026, 3, 2, 9, 15, 0)), data)
        return target.getvalue()

    def tar(self, folder: Path, mode: str = "w:gz", prefix: str = "") -> bytes:
        """Return the package in a TAR."""
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode=mode) as tarred:  # type: ignore[call-overload]
            for name, data in self._contents(folder, {}).items():
                entry = tarfile.TarInfo(prefix + name)
                entry.size = len(data)
                tarred.addfile(entry, io.BytesIO(data))
        return target.getvalue()

    def _contents(self, folder: Path, changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
        contents: dict[str, bytes | None] = {"manifest.xml": self.manifest(folder), **self.files, **changes}
        return {name: data for name, data in contents.items() if data is not None}

    def but(self, **changes: object) -> Sip:
        """Return the same package, some things otherwise."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Desk:
    """Where transfers come in, its archivist, and the engine whose stages are run by hand, one after the other."""

    platform: Platform
    engine: Engine
    organisation: Organisation
    folder: Path

    @classmethod
    @contextmanager
    def opened(cls, platform: Platform, organisation: Organisation, folder: Path) -> Iterator[Desk]:
        """Open one for the time of the block."""
        broker = open_broker("memory://")
        engine = build_engine(platform, broker)
        try:
            yield cls(platform, engine, organisation, folder)
        finally:
            engine.leases.close()
            broker.close()

    @property
    def archivist(self) -> Principal:
        return Principal("person:01ARCHIVISTE", {self.organisation.id: frozenset({Right.READ, Right.ARCHIVE})})

    def hand(self, package: bytes, name: str = "versement.zip", **said: str) -> str:
        """Hand a package over and return its dossier."""
        return deposit(self.platform, PLATFORM, self.organisation.id, io.BytesIO(package), name, None, said).dossier.id

    def run(self, dossier_id: str) -> Dossier:
        """Perform the stages that a dossier is due for until it waits or ends; return it."""
        while (stage := self._due(dossier_id)) is not None:
            self.engine.broker.get_actor(stage)(dossier_id)
        return self.dossier(dossier_id)

    def _due(self, dossier_id: str) -> str | None:
        with self.platform.database.reading(PLATFORM) as session:
            due = select(Step.stage).where(Step.dossier_id == dossier_id, Step.due <= clock.now())
            return session.exec(due).first()

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    def transfer(self, dossier_id: str) -> ArchiveTransfer:
        with self.platform.database.reading(PLATFORM) as session:
            return deciding.transfer_of(session, dossier_id)

    def file(self, dossier_id: str, role: str) -> Path:
        """Return the newest file of a role."""
        with self.platform.database.reading(PLATFORM) as session:
            own = select(DossierFile).where(DossierFile.dossier_id == dossier_id, DossierFile.role == role)
            kept = session.exec(own.order_by(DossierFile.id)).all()[-1]
        target = self.folder / f"{role}-{dossier_id}"
        self.platform.objects.fetch(kept.sha256, target)
        return target

    def told(self, dossier_id: str) -> list[str]:
        """Return the rules of what refused a transfer, then of what was only told."""
        dossier = self.dossier(dossier_id)
        return [one["rule"] for one in (*dossier.problems, *dossier.facts.get("warnings", ()))]

    def agree(self, **changes: object) -> str:
        """Make an agreement and return its identifier in the database."""
        values = {"identifier": "ACCORD-1", "label": "Correspondance", "transferring_agency": SENDER, "starts": date(2026, 1, 1)}
        with self.platform.database.writing(self.archivist) as session:
            return agreements.create(session, self.archivist, self.organisation.id, Terms(**values | changes)).id  # type: ignore[arg-type]

    def records(self) -> list[Record]:
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(Record)))
