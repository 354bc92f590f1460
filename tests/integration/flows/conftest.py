"""A collectivité whose gateway, seal and timestamping authority are simulators that answer at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dramatiq
import pytest
from sqlmodel import select

from api.runtime import plan_schedules, working
from api.simulators import Simulators, simulators
from core.configuration import configure
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier
from flows.helios.intake import deposit
from flows.helios.settings import GATEWAY, SEAL
from schemas.pes.sample import Authority, Sample, write_sample
from tests.conftest import MAIRIE
from tests.waiting import wait_until

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Town:
    """A collectivité ready to send PES, and what happens to them."""

    platform: Platform
    broker: dramatiq.Broker
    played: Simulators
    organisation: Organisation
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

    def wait_for(self, dossier_id: str, *states: str, seconds: float = 40) -> Dossier:
        """Wait until a dossier is in one of these states."""
        wait_until(lambda: self.dossier(dossier_id).state in states, seconds, lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Simulators]:
    """The State's side, answering at once."""
    with simulators(tmp_path / "simulators", delay=0) as running:
        yield running


@pytest.fixture
def settings_changes(played: Simulators) -> dict[str, object]:
    """The platform knows the simulators."""
    return {
        "tsa_url": played.timestamping.url,
        "trust_dir": played.trust_dir,
        "poll_seconds": 0.2,
        "tree_head_seconds": 0.2,
        "archive_lock_days": 1,
    }


@pytest.fixture
def town(platform: Platform, broker: dramatiq.Broker, played: Simulators, mairie: Organisation, tmp_path: Path) -> Town:
    """A collectivité ready to send."""
    with platform.database.writing(PLATFORM) as session:
        configure(session, platform.secrets, mairie.id, GATEWAY, played.gateway_settings())
        configure(session, platform.secrets, mairie.id, SEAL, played.seal())
    plan_schedules(platform)
    return Town(platform, broker, played, mairie, tmp_path)
