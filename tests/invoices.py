"""A collectivité of the tests that receives invoices: a platform of real parts, and the simulated Chorus Pro."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dramatiq
from sqlmodel import col, select

from api.runtime import working
from connectors.chorus.client import Chorus
from connectors.chorus.settings import Environment
from connectors.chorus.simulated_world import CCAS, COMMUNE, ELSEWHERE
from connectors.chorus.simulator import ChorusSimulator
from connectors.chorus.statuses import Status
from core import clock
from core.configuration import configure
from core.identifiers import Siret
from core.organisations import Organisation, OrganisationKind, add_organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.models import Dossier, DossierFile, Step
from flows.invoices import collecting
from flows.invoices.models import ChorusExchange, Handover, InvoiceStep, InvoiceTarget, ReceivedInvoice, Watch
from flows.invoices.settings import ACCOUNT, OPERATOR, RECEPTION, InvoiceReception
from tests.schedules import plan_without_archive
from tests.waiting import PATIENCE, wait_until

CCAS_SIRET = Siret("26400999400015")
BEFORE = timedelta(days=10)
"""How long before today the invoices of a test arrive, unless it says otherwise: their term is running."""

__all__ = ["CCAS", "CCAS_SIRET", "COMMUNE", "ELSEWHERE", "InvoicesTown", "chorus"]


@contextmanager
def chorus(folder: Path, **changes: Any) -> Iterator[ChorusSimulator]:
    """Chorus Pro, on a free port, with the structures of its demonstration: the commune of the tests is one of them."""
    with ChorusSimulator(folder / "chorus", **changes) as running:
        yield running


@dataclass(frozen=True)
class InvoicesTown:
    """A collectivité ready to receive invoices, and what happens to them."""

    platform: Platform
    broker: dramatiq.Broker
    organisation: Organisation
    state: ChorusSimulator

    def prepare(self, login: str = "", *, operator: dict[str, Any] | None = None, **reception: Any) -> None:
        """Configure the application at the root, the account and what is received; schedules are planned.

        Args:
            login: the technical account; the one that sees the commune and its CCAS by default.
            operator: changes to the settings of the application.
            reception: changes to ``InvoiceReception``; by default all since two months ago, moves of the past as well.
        """
        asked: dict[str, Any] = {"since": today() - timedelta(days=60), "overlap_days": 60, **reception}
        root = self.organisation.path.strip("/").split("/")[0]
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, root, OPERATOR, self.state.operator(**operator or {}))
            configure(session, self.platform.secrets, self.organisation.id, ACCOUNT, self.state.account(login))
            configure(session, self.platform.secrets, self.organisation.id, RECEPTION, InvoiceReception(**asked))
        plan_without_archive(self.platform)

    def go_into_production(self) -> None:
        """The operator's application and the account are from now on those of production: the tests are over."""
        environment = Environment.PRODUCTION
        root = self.organisation.path.strip("/").split("/")[0]
        self.configure(OPERATOR, self.state.operator(environment=environment), root)
        self.configure(ACCOUNT, self.state.account(environment=environment))

    def configure(self, name: str, model: Any, organisation_id: str | None = None) -> None:
        """Keep a configuration of the collectivité."""
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, organisation_id or self.organisation.id, name, model)

    def add_ccas(self) -> Organisation:
        """The CCAS of the commune, as an organisation of its own below it."""
        with self.platform.database.writing(PLATFORM) as session:
            parent = session.get_one(Organisation, self.organisation.id)
            return add_organisation(session, "CCAS de Valmorin", OrganisationKind.SERVICE, parent=parent, siret=CCAS_SIRET)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Workers and relay."""
        with working(self.platform, self.broker):
            yield

    def arrive(self, count: int = 1, **given: Any) -> list[int]:
        """Let invoices arrive at Chorus Pro: see ``ChorusSimulator.emit``; some days ago unless a moment is given."""
        given.setdefault("moment", clock.now() - BEFORE)
        return self.state.emit(count, **given)

    def collect(self, organisation_id: str | None = None) -> None:
        """Look for invoices now, as the schedule would."""
        collecting.collect(self.platform, organisation_id or self.organisation.id)

    def rest(self, chorus_id: int, state: str = "handed") -> str:
        """Let an invoice be found, and its dossier wait in a state as if workers had brought it there; return the dossier."""
        self.collect()
        dossier_id = self.dossier_of(chorus_id)
        with self.platform.database.writing(PLATFORM) as session:
            dossier = session.get_one(Dossier, dossier_id)
            dossier.state = state
            session.add(dossier)
            for step in session.exec(select(Step).where(Step.dossier_id == dossier_id)):
                session.delete(step)
        return dossier_id

    def move(self, chorus_id: int, status: str, *, comment: str = "", moment: datetime | None = None) -> None:
        """Somebody else changes a status: Hélios, or a clerk on the portal."""
        self.state.move(chorus_id, status, comment=comment, moment=moment)

    def suspend(self, chorus_id: int, *, moment: datetime | None = None) -> None:
        """A clerk suspends the invoice on the portal."""
        self.move(chorus_id, Status.SUSPENDED, comment="Il manque le bon de livraison.", moment=moment)

    def complete(self, chorus_id: int, *, moment: datetime | None = None) -> None:
        """The supplier completes what was suspended."""
        self.move(chorus_id, Status.COMPLETED, comment="Le bon de livraison est joint.", moment=moment)

    def pay(self, chorus_id: int) -> None:
        """Hélios tells what became of the mandate: with the accountant, then paid."""
        self.move(chorus_id, Status.WITH_ACCOUNTANT)
        self.move(chorus_id, Status.PAID)

    def client(self, dossier_id: str | None = None) -> Chorus:
        """Our client of the collectivité's account."""
        from flows.invoices.knowledge import chorus_of

        return chorus_of(self.platform, self.organisation.id, dossier_id)

    def dossier_of(self, chorus_id: int) -> str:
        """The dossier of an invoice."""
        return self.invoice_at(chorus_id).dossier_id

    def invoice_at(self, chorus_id: int) -> ReceivedInvoice:
        """What is kept of an invoice, by its identifier at Chorus Pro."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(ReceivedInvoice).where(ReceivedInvoice.chorus_id == chorus_id)).one()

    def invoices(self) -> list[ReceivedInvoice]:
        """All that is kept."""
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(ReceivedInvoice).order_by(col(ReceivedInvoice.chorus_id))))

    def invoice(self, dossier_id: str) -> ReceivedInvoice:
        """What is kept of an invoice."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).one()

    def dossier(self, dossier_id: str) -> Dossier:
        """Read a dossier."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.exec(select(Dossier).where(Dossier.id == dossier_id)).one()

    def wait_for(self, dossier_id: str, *states: str, seconds: float = PATIENCE) -> Dossier:
        """Wait until a dossier is in one of these states."""
        wait_until(lambda: self.dossier(dossier_id).state in states, seconds, lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id)

    def wait_for_invoice(self, chorus_id: int, *states: str, seconds: float = PATIENCE) -> Dossier:
        """Wait until an invoice was found and its dossier is in one of these states."""
        wait_until(lambda: any(one.chorus_id == chorus_id for one in self.invoices()), seconds, lambda: "not found yet")
        return self.wait_for(self.dossier_of(chorus_id), *states, seconds=seconds)

    def steps(self, dossier_id: str) -> list[InvoiceStep]:
        """Statuses that were kept, oldest first."""
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(InvoiceStep).where(InvoiceStep.dossier_id == dossier_id).order_by(col(InvoiceStep.id))
            return list(session.exec(rows))

    def targets(self, dossier_id: str) -> list[InvoiceTarget]:
        """What is to be told of an invoice."""
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id).order_by(col(InvoiceTarget.id))
            return list(session.exec(rows))

    def handovers(self, dossier_id: str) -> list[Handover]:
        """How an invoice was handed over, cycle by cycle."""
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(Handover).where(Handover.dossier_id == dossier_id).order_by(col(Handover.cycle))
            return list(session.exec(rows))

    def exchanges(self, dossier_id: str | None) -> list[ChorusExchange]:
        """Evidence of the calls about an invoice, or of searches."""
        with self.platform.database.reading(PLATFORM) as session:
            about = col(ChorusExchange.dossier_id) == dossier_id if dossier_id else col(ChorusExchange.dossier_id).is_(None)
            return list(session.exec(select(ChorusExchange).where(about).order_by(col(ChorusExchange.id))))

    def watch(self, organisation_id: str | None = None) -> Watch | None:
        """How far the search has come."""
        with self.platform.database.reading(PLATFORM) as session:
            return session.get(Watch, organisation_id or self.organisation.id)

    def files(self, dossier_id: str, role: str | None = None) -> list[DossierFile]:
        """The documents of a dossier, oldest first."""
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
            found = session.exec(rows.order_by(col(DossierFile.created), col(DossierFile.id))).all()
        return [one for one in found if role is None or one.role == role]

    def octets(self, kept: DossierFile, folder: Path) -> bytes:
        """What a document holds."""
        path = folder / kept.sha256
        self.platform.objects.fetch(kept.sha256, path)
        return path.read_bytes()


def pivot(*pieces: tuple[str, str, str, bytes], number: str = "F-1", chorus_id: int = 10_000_001) -> bytes:
    """A pivot with these pieces (name, role, media type, octets), for what the simulator does not send."""
    attached = "".join(
        f'<PJ NumOrdre="{rank}"><Contenu>{base64.b64encode(octets).decode()}</Contenu><NomPJ>{name}</NomPJ>'
        f"<CategoriePJ>Document annexe</CategoriePJ><TypePJ>{role}</TypePJ><MimeTypePJ>{media}</MimeTypePJ></PJ>"
        for rank, (name, role, media, octets) in enumerate(pieces, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CPPFacturePivot><Enveloppe/><CPPFactures Compteur="1">'
        '<CPPFacturePivotUnitaire NumOrdre="1"><Fournisseur><TypeIdentifiant>1</TypeIdentifiant>'
        "<Identifiant>99912345800013</Identifiant><RaisonSociale>Papeterie du Lavoir</RaisonSociale></Fournisseur>"
        "<Debiteur><TypeIdentifiant>1</TypeIdentifiant><Identifiant>21400999500017</Identifiant><Nom>Valmorin</Nom>"
        f"<CodeService>TECH</CodeService></Debiteur><DonneesFacture><Id>{number}</Id><IdCPRO>{chorus_id}</IdCPRO>"
        "<Type>380</Type><Cadre>A1</Cadre><DateEmissionFacture>2026-10-05</DateEmissionFacture><Devise>EUR</Devise>"
        "<Montants><MontantHT>100.00</MontantHT><MontantTTC>120.00</MontantTTC><MontantNetAPayer>120.00</MontantNetAPayer>"
        "</Montants><Engagement><NumeroMarche>M-7</NumeroMarche><NumeroEngagement>ENG-9</NumeroEngagement></Engagement>"
        f"</DonneesFacture>{attached}</CPPFacturePivotUnitaire></CPPFactures></CPPFacturePivot>"
    ).encode()


def today() -> date:
    """The day in Paris."""
    return clock.in_paris(clock.now()).date()
