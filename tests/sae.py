"""For the tests of what is handed over to archive services outside: sealed records, and the stages run by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update
from sqlmodel import col, select

from api.runtime import build_engine
from archive.models import Record
from core import clock
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import transitions
from flows.engine.brokers import open_broker
from flows.engine.execution import Engine
from flows.engine.models import Dossier, DossierFile, Step
from flows.sae import deciding, following, intake
from flows.sae.flow import SAE
from flows.sae.models import SaeTransfer
from flows.sae.settings import OutsideArchive, When
from tests.kept_records import seal

SENDER = "21400999500017"


def outside(**values: object) -> OutsideArchive:
    """Return settings of an archive service; the kinds of the tests' records go by themselves."""
    agencies = {"archival_agency": "FRAD999", "transferring_agency": SENDER, "agreement": "ACCORD-99"}
    return OutsideArchive.model_validate(agencies | {"kinds": {"helios": When.AUTOMATIC}} | values)


@dataclass(frozen=True)
class Office:
    """Who hands records over."""

    platform: Platform
    engine: Engine
    organisation: Organisation
    folder: Path

    @classmethod
    @contextmanager
    def opened(cls, platform: Platform, organisation: Organisation, folder: Path) -> Iterator[Office]:
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
        rights = frozenset({Right.READ, Right.ARCHIVE, Right.ADMINISTER})
        return Principal("person:01ARCHIVISTE", {self.organisation.id: rights})

    def configure(self, settings: OutsideArchive) -> None:
        deciding.keep(self.platform, self.archivist, self.organisation.id, settings)

    def seal(self, body: str = "") -> Record:
        return seal(self.platform, self.organisation, self.folder, body)

    def gather(self) -> str:
        """Let the schedule make the dossier of the only record, and return it."""
        intake.gather(self.platform, self.organisation.id)
        return self.only()

    def only(self) -> str:
        """Return the dossier of the only transfer."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(SaeTransfer.dossier_id)).one()

    def run(self, dossier_id: str, *, later: bool = False) -> Dossier:
        """Perform the stages that a dossier is due for until it waits or ends; ``later`` lets the time of a retry come."""
        if later:
            with self.platform.database.writing(PLATFORM) as session:
                session.connection().execute(update(Step).where(col(Step.dossier_id) == dossier_id).values(due=clock.now()))
        while (stage := self._due(dossier_id)) is not None:
            self.engine.broker.get_actor(stage)(dossier_id)
        return self.dossier(dossier_id)

    def follow(self, dossier_id: str) -> Dossier:
        """Ask the service, as the schedule would after a long pause."""
        with self.platform.database.writing(PLATFORM) as session:
            session.connection().execute(update(SaeTransfer).values(looked=clock.now() - timedelta(days=1)))
        following.follow(self.platform, self.organisation.id)
        return self.dossier(dossier_id)

    def resume(self, dossier_id: str) -> None:
        transitions.resume(self.platform.database, SAE, dossier_id, "person:01EXPLOITANT")

    def free(self, dossier_id: str) -> None:
        """Let the lease of a worker that died run out."""
        with self.platform.database.writing(PLATFORM) as session:
            freed = update(Step).where(col(Step.dossier_id) == dossier_id).values(lease=None, leased_until=None)
            session.connection().execute(freed)

    def _due(self, dossier_id: str) -> str | None:
        with self.platform.database.reading(PLATFORM) as session:
            due = select(Step.stage).where(Step.dossier_id == dossier_id, Step.due <= clock.now())
            return session.exec(due).first()

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    def transfer(self, dossier_id: str) -> SaeTransfer:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(SaeTransfer).where(SaeTransfer.dossier_id == dossier_id)).one()

    def step(self, dossier_id: str) -> Step | None:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Step).where(Step.dossier_id == dossier_id)).first()

    def roles(self, dossier_id: str) -> list[str]:
        with self.platform.database.reading(PLATFORM) as session:
            own = select(DossierFile.role).where(DossierFile.dossier_id == dossier_id)
            return sorted(session.exec(own))

    def file(self, dossier_id: str, role: str) -> Path:
        """Return the newest file of a role."""
        with self.platform.database.reading(PLATFORM) as session:
            own = select(DossierFile).where(DossierFile.dossier_id == dossier_id, DossierFile.role == role)
            kept = session.exec(own.order_by(col(DossierFile.id))).all()[-1]
        target = self.folder / f"{role}-{dossier_id}"
        self.platform.objects.fetch(kept.sha256, target)
        return target

    def journal(self, dossier_id: str) -> list[str]:
        with self.platform.database.reading(PLATFORM) as session:
            own = select(JournalEntry.kind).where(JournalEntry.dossier_id == dossier_id)
            return list(session.exec(own.order_by(col(JournalEntry.number))))
