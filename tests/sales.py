"""A collectivité of the tests that issues invoices through the simulated Chorus Pro."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlmodel import col, select

from core import clock
from core.journal import JournalEntry
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM, Principal
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.intake import deposit
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.models import InvoiceStep
from schemas.invoices.parties import SIREN, SIRET, Identifier
from schemas.invoices.sample import SELLER, sample
from schemas.invoices.writer import cii_of
from tests.conftest import MAIRIE
from tests.invoices import InvoicesTown

OURS = replace(
    SELLER,
    name="Commune de Valmorin",
    legal_id=Identifier(MAIRIE.siren, SIREN),
    identifiers=(Identifier(MAIRIE, SIRET),),
    vat=f"FR{(12 + 3 * int(MAIRIE.siren)) % 97:02}{MAIRIE.siren}",
    electronic=Identifier(f"{MAIRIE.siren}_{MAIRIE}", "0225"),
)


@dataclass(frozen=True)
class Shop:
    """The collectivité as a seller."""

    town: InvoicesTown

    def invoice(self, number: str = "V-2026-1", **changes: Any) -> bytes:
        return cii_of(sample(number=number, seller=OURS, **changes))

    def receive(self, octets: bytes, name: str = "facture.xml", principal: Principal = PLATFORM) -> Dossier:
        return deposit(self.town.platform, principal, self.town.organisation.id, io.BytesIO(octets), name).dossier

    def row(self, dossier_id: str) -> IssuedInvoice | None:
        with self.town.platform.database.reading(PLATFORM) as session:
            return session.exec(select(IssuedInvoice).where(IssuedInvoice.dossier_id == dossier_id)).first()

    def kept(self, dossier_id: str) -> IssuedInvoice:
        row = self.row(dossier_id)
        assert row is not None
        return row

    def deposits(self) -> list[str]:
        """Names under which files were deposited at Chorus Pro, whatever was answered."""
        return [str(one.request["nomFichier"]) for one in self.town.state.calls("deposer/flux")]

    def at_chorus(self, number: str) -> list[int]:
        """Identifiers of the invoices of a number, on the side of their recipient."""
        store = self.town.state.portal.store
        return [one.id for one in store.search(["number = ?"], [number], 100, 0)[1]]

    def codes(self, dossier_id: str) -> list[str]:
        with self.town.platform.database.reading(PLATFORM) as session:
            rows = session.exec(select(InvoiceStep).where(InvoiceStep.dossier_id == dossier_id).order_by(col(InvoiceStep.id)))
            return [one.code for one in rows]

    def journal(self, dossier_id: str) -> list[str]:
        """Kinds of what the journal says of a dossier, oldest first."""
        with self.town.platform.database.reading(PLATFORM) as session:
            rows = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id).order_by(col(JournalEntry.number))
            return [one.kind for one in session.exec(rows)]

    def rules(self, dossier_id: str) -> list[str]:
        return [one["rule"] for one in self.town.dossier(dossier_id).problems]


def piece(town: InvoicesTown, name: str, size: int = 100) -> KeptFile:
    """A supporting piece, kept already."""
    blob = town.platform.objects.put(io.BytesIO(b"%PDF-1.4"[:size].ljust(size)), 1000)
    return KeptFile("piece", name, "application/pdf", blob.sha256, blob.size)


def at_rest(platform: Platform, organisation: Organisation, state: str, status: str = "", **changes: Any) -> str:
    """A dossier of an issued invoice that waits in a state, as if workers had brought it there; return it."""
    sending = {"phase": "leaving", "at": clock.iso(clock.now()), "times": 1}
    told: dict[str, Any] = {
        "number": "V-2026-1",
        "supplier": MAIRIE.siren,
        "recipient": "21990001600011",
        "recipient_name": "Commune de Saint-Exemple-lès-Bains",
        "file_name": "facture.xml",
        "gross": Decimal("251.88"),
        **changes,
    }
    title = told["number"]
    dossier = Dossier(organisation_id=organisation.id, flow=SALES.name, title=title, state=state, facts={"sending": sending})
    known = dossier.id
    invoice = IssuedInvoice(
        dossier_id=known, organisation_id=organisation.id, environment="sandbox", status=status, moved=clock.now(), **told
    )
    with platform.database.writing(PLATFORM) as session:
        session.add(dossier)
        session.flush()
        session.add(invoice)
    return known
