"""A mairie that receives invoices, seen from its pages: each invoice stands as the flow would have left it."""

from __future__ import annotations

import io
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlmodel import col, select

from connectors.chorus.settings import ChorusAccount
from core import clock
from core.configuration import configure
from core.organisations import Organisation
from core.people import add_person, grant_role
from core.platform import Platform
from core.principal import PLATFORM, Right
from core.problems import Problem, Severity
from flows.engine.models import Dossier, DossierFile
from flows.invoices import view
from flows.invoices.models import Handover, InvoiceStep, InvoiceTarget, ReceivedInvoice, Watch
from flows.invoices.settings import ACCOUNT, RECEPTION, InvoiceReception
from schemas.invoices.invoice import Invoice
from schemas.invoices.sample import sample
from tests.integration.api.service import PASSWORD
from tests.office import pdf

_numbers = itertools.count(1)
_chorus = itertools.count(20_000_001)


def today() -> date:
    return clock.in_paris(clock.now()).date()


@dataclass
class InvoicesMairie:
    """The mairie, its people, and the invoices that its suppliers sent."""

    platform: Platform
    organisation: Organisation
    people: dict[str, str] = field(default_factory=dict)

    def connect(self, *, tell: bool = True) -> None:
        """Configure an account that nobody answers, and what is received."""
        self.configure(ACCOUNT, ChorusAccount(login="TECH_1@cpro.test", password=SecretStr("secret")))
        self.configure(RECEPTION, InvoiceReception(since=date(2026, 1, 1), tell=tell))
        with self.platform.database.writing(PLATFORM) as session:
            session.add(Watch(organisation_id=self.organisation.id, through=today(), succeeded=clock.now()))

    def configure(self, name: str, model: Any) -> None:
        with self.platform.database.writing(PLATFORM) as session:
            configure(session, self.platform.secrets, self.organisation.id, name, model)

    def hire(self, name: str, rights: set[Right], *, above: bool = False) -> str:
        """Take on somebody with rights here, or on the whole platform; return their address."""
        address = f"{name}@{self.organisation.siren}.test"
        with self.platform.database.writing(PLATFORM) as session:
            where = session.get_one(Organisation, self.organisation.parent_id if above else self.organisation.id)
            grant_role(session, add_person(session, address, name.capitalize(), PASSWORD), where, name, rights)
        self.people[name] = address
        return address

    def invoice(
        self,
        state: str = "objected",
        *,
        due: int | None = 20,
        paper: Invoice | None = None,
        pieces: Sequence[tuple[str, bytes]] = (),
        problems: Sequence[Mapping[str, Any]] = (),
        marks: Mapping[str, str] | None = None,
        more: int = 0,
        parked: str | None = None,
        **changes: Any,
    ) -> str:
        """Put an invoice in the database; return its dossier.

        Args:
            state: of the dossier.
            due: days from today to the last day of its term; None when it does not run.
            paper: what the supplier wrote; None when nothing can be read of it.
            pieces: supporting pieces, by name.
            problems: of the check.
            marks: by the name of a piece.
            more: how many problems only the report has.
            parked: why an operator must look.
            changes: to the ``ReceivedInvoice``.
        """
        last = None if due is None else today() + timedelta(days=due)
        told: dict[str, Any] = {
            "number": f"F2026-{next(_numbers):04d}",
            "supplier": "99000012700011",
            "supplier_name": "Papeterie du Lavoir",
            "recipient": "21400999500017",
            "service_code": "TECH",
            "service_name": "Services techniques",
            "engagement": "ENG2026-0457",
            "issued": today() - timedelta(days=12),
            "deposited": clock.now() - timedelta(days=11),
            "net": Decimal("225.00"),
            "gross": Decimal("251.88"),
            "payable": Decimal("251.88"),
            "status": "MISE_A_DISPOSITION",
            "moved": clock.now() - timedelta(days=10),
            "available": None if last is None else clock.now() - timedelta(days=10),
            "due": last,
            "late_from": last,
            **changes,
        }
        written: list[tuple[str, str, bytes]] = [
            ("pivot", "pivot.xml", b"<CPPFacturePivot/>"),
            ("readable", "facture.pdf", pdf(told["number"])),
            *(("piece", name, content) for name, content in pieces),
            *([(view.ROLE, view.NAME, shown(paper))] if paper is not None else []),
        ]
        kept = [self._kept(role, name, content) for role, name, content in written]
        digests = {one.name: one.sha256 for one in kept}
        title = f"{told['number']} — {told['supplier_name']}"
        told_of = {digests[name]: mark for name, mark in (marks or {}).items()}
        facts = {"warnings": list(problems), "warnings_in_all": len(problems) + more, "marks": told_of}
        dossier = Dossier(
            organisation_id=self.organisation.id, flow="invoices", title=title, state=state, parked=parked, facts=facts
        )
        invoice = ReceivedInvoice(
            dossier_id=dossier.id,
            organisation_id=self.organisation.id,
            account_id=self.organisation.id,
            environment="sandbox",
            chorus_id=next(_chorus),
            kind="FACTURE",
            type="FACTURE",
            **told,
        )
        came = InvoiceStep(
            organisation_id=self.organisation.id,
            dossier_id=dossier.id,
            code="MISE_A_DISPOSITION",
            moment=clock.now() - timedelta(days=10),
        )
        with self.platform.database.writing(PLATFORM) as session:
            session.add(dossier)
            session.flush()
            for one in kept:
                one.dossier_id = dossier.id
            session.add_all([invoice, came, *kept])
        return dossier.id

    def file(self, dossier_id: str, role: str, name: str, content: bytes) -> None:
        """Keep a file of an invoice."""
        kept = self._kept(role, name, content)
        kept.dossier_id = dossier_id
        with self.platform.database.writing(PLATFORM) as session:
            session.add(kept)

    def _kept(self, role: str, name: str, content: bytes) -> DossierFile:
        blob = self.platform.objects.put(io.BytesIO(content))
        media = {"pdf": "application/pdf", "xml": "application/xml"}.get(name.rpartition(".")[2], "application/octet-stream")
        owner = self.organisation.id
        return DossierFile(
            organisation_id=owner, role=role, name=name, media_type=media, sha256=blob.sha256, size=blob.size, dossier_id=""
        )

    def step(self, dossier_id: str, code: str, *, days: float = 0, comment: str = "") -> None:
        """Have Chorus Pro say that the invoice went through a status."""
        moment = clock.now() - timedelta(days=days)
        self._add(InvoiceStep, dossier_id, code=code, moment=moment, comment=comment)

    def target(self, dossier_id: str, status: str, state: str = "due", **values: Any) -> None:
        """Have something to tell Chorus Pro."""
        self._add(InvoiceTarget, dossier_id, status=status, state=state, actor=values.pop("actor", "platform"), **values)

    def handover(self, dossier_id: str, state: str = "offered", **values: Any) -> None:
        """Hand an invoice over."""
        values = {"cycle": 1, "channel": "pull", "delivery": "21400999500017_F2026_20000001", **values}
        self._add(Handover, dossier_id, state=state, **values)

    def _add(self, kind: Any, dossier_id: str, **values: Any) -> None:
        with self.platform.database.writing(PLATFORM) as session:
            session.add(kind(organisation_id=self.organisation.id, dossier_id=dossier_id, **values))

    def stand(self, dossier_id: str, state: str, **changes: Any) -> None:
        """Have an invoice elsewhere; changes are to the ``ReceivedInvoice``."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(Dossier, dossier_id).state = state
            invoice = session.get_one(ReceivedInvoice, dossier_id)
            for name, value in changes.items():
                setattr(invoice, name, value)

    def dossier(self, dossier_id: str) -> Dossier:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(Dossier, dossier_id)

    def kept(self, dossier_id: str) -> ReceivedInvoice:
        with self.platform.database.reading(PLATFORM) as session:
            return session.get_one(ReceivedInvoice, dossier_id)

    def files(self, dossier_id: str) -> list[DossierFile]:
        with self.platform.database.reading(PLATFORM) as session:
            return list(session.exec(select(DossierFile).where(DossierFile.dossier_id == dossier_id)))

    def lose(self, kept: DossierFile) -> None:
        """Have the store lose a file: what is kept of it names a document that is nowhere."""
        with self.platform.database.writing(PLATFORM) as session:
            session.get_one(DossierFile, kept.id).sha256 = "0" * 64

    def targets(self, dossier_id: str) -> list[InvoiceTarget]:
        with self.platform.database.reading(PLATFORM) as session:
            own = select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id)
            return list(session.exec(own.order_by(col(InvoiceTarget.id))))


def shown(paper: Invoice) -> bytes:
    """Return an invoice as the page shows it."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / view.NAME
        view.write(paper, target)
        return target.read_bytes()


def flawed() -> tuple[Invoice, list[dict[str, Any]]]:
    """An invoice with something wrong in a line, a rate, a total, a party, and in the whole; as its check would tell it."""
    above = "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction"
    settled = f"{above}/ram:ApplicableHeaderTradeSettlement"
    return sample(), [
        problem("EN16931:BR-25", "La ligne n’a pas de désignation.", f"{above}/ram:IncludedSupplyChainTradeLineItem[2]"),
        problem(
            "EN16931:BR-S-08", "La base de TVA n’est pas la somme des lignes à 20 %.", f"{settled}/ram:ApplicableTradeTax[1]"
        ),
        problem(
            "EN16931:BR-CO-15",
            "Le total TTC n’est pas le total HT augmenté de la TVA.",
            f"{settled}/ram:SpecifiedTradeSettlementHeaderMonetarySummation",
            found="251.88",
            expected="251.80",
        ),
        problem("BR-FR-10", "Le SIREN du vendeur manque.", f"{above}/ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty"),
        problem(
            "BR-FR-05", "La mention sur l’escompte manque.", mend="Le fournisseur doit la porter sur ses prochaines factures."
        ),
    ]


def problem(rule: str, message: str, path: str | None = None, **values: Any) -> dict[str, Any]:
    return Problem(rule, Severity.WARNING, message, path=path, **values).as_json()
