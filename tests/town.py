"""A collectivité of the tests, ready to send PES through a platform of real parts and the State's simulators."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dramatiq
from sqlmodel import select

from api.runtime import working
from api.simulators import Treasury
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from core.s3_server import S3Server
from flows.engine.models import Dossier
from flows.helios.intake import deposit
from schemas.pes.sample import Authority, Sample, write_sample
from tests.conftest import MAIRIE
from tests.waiting import PATIENCE, wait_until

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Town:
    """A collectivité ready to send PES, and what happens to them."""

    platform: Platform
    broker: dramatiq.Broker
    played: Treasury
    organisation: Organisation
    s3: S3Server
    folder: Path

    def pes(self, name: str, **changes: object) -> Path:
        """Write a sample PES of a name; its bordereau has a number of its own."""
        path = self.folder / f"{name}.xml"
        values: dict[str, object] = {"authority": Authority(siret=MAIRIE), "first_bordereau": next(_numbers), **changes}
        write_sample(Sample(name, **values), path)  # type: ignore[arg-type]
        return path

    def push(self, name: str, **changes: object) -> str:
        """Deposit a sample PES and return its dossier."""
        return self.deposit(self.pes(name, **changes))

    def deposit(self, path: Path) -> str:
        """Deposit a file and return its dossier."""
        with path.open("rb") as stream:
            return deposit(self.platform, PLATFORM, self.organisation.id, stream, path.name).dossier.id

    def dossier(self, dossier_id: str) -> Dossier:
        """Read a dossier."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Workers and relay."""
        with working(self.platform, self.broker):
            yield

    def wait_for(self, dossier_id: str, *states: str, seconds: float = PATIENCE) -> Dossier:
        """Wait until a dossier is in one of these states."""
        wait_until(lambda: self.dossier(dossier_id).state in states, seconds, lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id)
