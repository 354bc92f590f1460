"""An office of the tests: one signed PES, a gateway that may fail, and stages that work one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from dramatiq.brokers.stub import StubBroker
from sqlmodel import col, select

from connectors.helios.settings import HeliosGateway
from connectors.helios.simulated_sftp import Account
from connectors.helios.simulator import GatewaySimulator
from core.configuration import configure
from core.errors import TabellionError
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import moves, transitions
from flows.engine.execution import Engine
from flows.engine.models import Dossier, DossierFile
from flows.helios.acquits import collect
from flows.helios.flow import HELIOS
from flows.helios.models import HeliosResponse
from flows.helios.settings import GATEWAY
from schemas.pes.acquit import Acquit, Element
from schemas.pes.reader import read
from schemas.pes.sample import Authority, Sample, write_sample
from schemas.pes.versions import SchemaSets
from schemas.pes.writer import acquit_bytes
from signing.trust import TrustStore
from tests.conftest import MAIRIE

VILLE, OTHER = Account("ville", password="mot de passe"), Account("autre", password="mot de passe")
NAME = "PES_LIVRE"


@dataclass
class Office:
    """A collectivité with one signed PES, a gateway, and hands to let the stages work one at a time."""

    platform: Platform
    broker: StubBroker
    simulator: GatewaySimulator
    organisation: Organisation
    folder: Path

    def configure(self, **changes: object) -> None:
        gateway = self.simulator.settings_for("ville")
        with self.platform.database.writing(PLATFORM) as session:
            changed = HeliosGateway.model_validate(gateway.model_dump() | changes)
            configure(session, self.platform.secrets, self.organisation.id, GATEWAY, changed)

    def signed(self, organisation: Organisation | None = None, **header: str) -> str:
        """Write a dossier that is ready to leave."""
        owner = organisation or self.organisation
        path = self.folder / "flow.xml"
        write_sample(Sample(NAME, Authority(siret=MAIRIE), dematerialised=False, attachment_size=None), path)
        blob = self.platform.objects.put_file(path)
        facts = read(path).header.as_json() | header
        with self.platform.database.writing(PLATFORM) as session:
            reference = f"{facts['nom_fic']}|{facts['cod_col']}"
            dossier = Dossier(
                organisation_id=owner.id, flow="helios", title=NAME, state="signed", facts=facts, reference=reference
            )
            session.add(dossier)
            session.flush()
            session.add(
                DossierFile(
                    organisation_id=owner.id,
                    dossier_id=dossier.id,
                    role="signed",
                    name="flow.xml",
                    media_type="application/xml",
                    sha256=blob.sha256,
                    size=blob.size,
                )
            )
            session.flush()
            moves.enter(session.connection(), HELIOS, dossier.id, owner.id, "signed")
            return dossier.id

    def attempt(self, dossier_id: str, stage: str = "transmit") -> Dossier:
        """Let a stage, the transmission by default, be tried once, at once."""
        with self.platform.database.writing(PLATFORM) as session:
            transitions.hasten(session, HELIOS, stage, self.organisation.id)
        self.broker.get_actor(f"helios.{stage}").fn(dossier_id)
        return self.dossier(dossier_id)

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    def change(self, dossier_id: str, **values: Any) -> None:
        with self.platform.database.writing(PLATFORM) as session:
            dossier = session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()
            for name, value in values.items():
                setattr(dossier, name, value)
            session.add(dossier)

    def resume(self, dossier_id: str) -> None:
        transitions.resume(self.platform.database, HELIOS, dossier_id, "person:x")

    def empty_depot(self) -> None:
        (temporary,) = (self.folder / "gateway" / "accounts" / "ville" / "depot").iterdir()
        temporary.unlink()

    def answer(self, name: str = "099012-ACK.xml", **header: str | None) -> None:
        """Let an acquit appear, of the sample unless its header says otherwise."""
        path = self.folder / "flow.xml"
        told = replace(read(path).header, kind="pes-acquit", **header) if header else read(path).header
        self.plant(name, acquit_bytes(Acquit(told, (Element("5", True, bordereau="101", exercice="2026"),))))

    def plant(self, name: str, content: bytes) -> None:
        self.simulator.plant_response("ville", name, content)

    def collect(self) -> TabellionError | None:
        try:
            collect(self.platform, self.organisation.id)
        except TabellionError as trouble:
            return trouble
        return None

    def entries(self, dossier_id: str, kind: str) -> list[JournalEntry]:
        """What the journal says of a dossier, of one kind."""
        own = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id, JournalEntry.kind == kind)
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(own))

    def responses(self) -> list[HeliosResponse]:
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(HeliosResponse).order_by(col(HeliosResponse.id))))


@pytest.fixture
def office(platform: Platform, mairie: Organisation, tmp_path: Path) -> Iterator[Office]:
    broker = StubBroker()
    engine = Engine(platform, broker, [HELIOS])
    simulator = GatewaySimulator(
        tmp_path / "gateway", accounts=[VILLE, OTHER], schemas=SchemaSets(), trust=TrustStore(()), delay=3600
    )
    with simulator:
        office = Office(platform, broker, simulator, mairie, tmp_path)
        office.configure()
        yield office
    engine.leases.close()
