"""A collectivité of the tests whose invoices come to their hand-over, as the stages before would have left them."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dramatiq
from sqlmodel import col, select

from api.runtime import working
from connectors.finance.settings import FolderPlace
from core.configuration import configure
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import moves, transitions
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import Advance
from flows.invoices.flow import INVOICES
from flows.invoices.models import Handover, ReceivedInvoice
from flows.invoices.settings import HANDOVER, InvoiceHandover
from tests.schedules import plan_without_archive
from tests.waiting import wait_until

_chorus = itertools.count(30_000_001)
PIVOT, PDF, ORDER = b"<CPPFacturePivot/>", b"%PDF-1.7 facture", b"%PDF-1.7 bon"
PROGRAM = b"MZ a program"


@dataclass(frozen=True)
class Books:
    """A collectivité whose invoices come to their hand-over."""

    platform: Platform
    broker: dramatiq.Broker
    organisation: Organisation
    folder: Path

    def hands_by(self, channel: str, **settings: Any) -> None:
        """Configure the way, and plan what runs again and again, as an administrator's page would."""
        self.configure(HANDOVER, InvoiceHandover.model_validate({"channel": channel} | settings))
        plan_without_archive(self.platform)

    def configure(self, name: str, model: Any) -> None:
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, self.organisation.id, name, model)

    def into_folder(self, **changes: Any) -> None:
        self.depot_folder.mkdir(parents=True, exist_ok=True)
        place = FolderPlace(directory="depot", settled_age=0, second_look_after=0)
        self.hands_by("folder", folder=place.model_dump(), **changes)

    @property
    def depot_folder(self) -> Path:
        """Below the operator's folder, in that of the collectivité."""
        return self.folder / str(self.organisation.siren) / "depot"

    @property
    def depot(self) -> list[str]:
        return sorted(path.name for path in self.depot_folder.iterdir())

    def invoice(self, number: str = "F2026-0001", marks: dict[str, str] | None = None) -> str:
        """An invoice that is about to be handed over; marks are by the name of a piece."""
        with self.platform.database.writing(PLATFORM) as session:
            dossier = Dossier(organisation_id=self.organisation.id, flow="invoices", title=number, state="to_hand")
            session.add(dossier)
            session.flush()
            session.add(
                ReceivedInvoice(
                    dossier_id=dossier.id,
                    organisation_id=self.organisation.id,
                    account_id=self.organisation.id,
                    environment="sandbox",
                    chorus_id=next(_chorus),
                    kind="FACTURE",
                    number=number,
                    supplier="99000012700011",
                    supplier_name="Papeterie du Lavoir",
                    recipient="21400999500017",
                    engagement="ENG2026-0457",
                    issued=date(2026, 11, 2),
                    gross=Decimal("251.88"),
                    status="SERVICE_FAIT",
                )
            )
        self.fetched(dossier.id)
        with self.platform.database.writing(PLATFORM) as session:
            kept = session.get_one(Dossier, dossier.id)
            digests = {one.name: one.sha256 for one in self.files(dossier.id)}
            kept.facts = {
                "cycle": 1,
                "warnings": [{"rule": "BR-FR-05", "severity": "warning", "message": "L’escompte manque."}],
                "marks": {digests[name]: mark for name, mark in (marks or {}).items()},
            }
        self.enter(dossier.id, "to_hand")
        return dossier.id

    def fetched(self, dossier_id: str, pivot: bytes = PIVOT) -> None:
        """Its files came from Chorus Pro."""
        for role, name, content in (
            ("pivot", "pivot.xml", pivot), ("original", "F2026.xml", b"<Invoice/>"), ("readable", "facture.pdf", PDF),
            ("piece", "Bon de livraison.pdf", ORDER), ("piece", "../Lisez-moi.exe", PROGRAM),
        ):  # fmt: skip
            blob = self.platform.objects.put(io.BytesIO(content))
            with self.platform.database.writing(PLATFORM) as session:
                session.add(
                    DossierFile(
                        organisation_id=self.organisation.id, dossier_id=dossier_id, role=role, name=name,
                        media_type="application/octet-stream", sha256=blob.sha256, size=blob.size,
                    )
                )  # fmt: skip

    def enter(self, dossier_id: str, state: str) -> None:
        with self.platform.database.writing(PLATFORM) as session:
            moves.enter(session.connection(), INVOICES, dossier_id, self.organisation.id, state)

    def signal(self, dossier_id: str, event: str) -> bool:
        """Something else happens to a dossier that waits."""
        with self.platform.database.writing(PLATFORM) as session:
            return transitions.signal(session, INVOICES, dossier_id, event, Advance(event))

    def complete(self, dossier_id: str) -> None:
        """The supplier completes what was suspended, and the invoice comes to its hand-over once more."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(ReceivedInvoice, dossier_id).cycle += 1
        self.fetched(dossier_id, b"<CPPFacturePivot>complet</CPPFacturePivot>")
        self.enter(dossier_id, "to_hand")

    def at_work(self) -> Any:
        return working(self.platform, self.broker, queues={"remote.finance", "cpu"})

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id)

    def wait_for(self, dossier_id: str, state: str) -> Dossier:
        wait_until(lambda: self.dossier(dossier_id).state == state, seen=lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id)

    def parked(self, dossier_id: str) -> str:
        wait_until(lambda: self.dossier(dossier_id).parked is not None, seen=lambda: repr(self.dossier(dossier_id)))
        return self.dossier(dossier_id).parked or ""

    def files(self, dossier_id: str) -> list[DossierFile]:
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
            return list(session.exec(rows.order_by(col(DossierFile.created), col(DossierFile.id))))

    def handovers(self, dossier_id: str) -> list[Handover]:
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(Handover).where(Handover.dossier_id == dossier_id)
            return list(session.exec(rows.order_by(col(Handover.cycle))))

    def handover(self, dossier_id: str) -> Handover:
        return self.handovers(dossier_id)[-1]

    def offered(self, number: str = "F2026-0001") -> str:
        """An invoice that was handed over by asking, without workers."""
        dossier_id = self.invoice(number)
        with self.at_work():
            self.wait_for(dossier_id, "handed")
        return dossier_id

    def journal(self, dossier_id: str) -> list[str]:
        with self.platform.database.reading(PLATFORM) as session:
            rows = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
            return [entry.kind for entry in session.exec(rows.order_by(col(JournalEntry.number)))]
