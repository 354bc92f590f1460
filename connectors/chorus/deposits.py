"""What Chorus Pro answers about deposits, typed: a deposit that was taken says nothing of the invoices in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.chorus.reading import Members


@dataclass(frozen=True, slots=True)
class Deposit:
    """A deposit that Chorus Pro took for examination: that says nothing yet of the invoices in it."""

    number: str
    moment: datetime | None
    syntax: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with a deposit or with one invoice of it; fields are empty where Chorus Pro says nothing."""

    code: str
    label: str
    nature: str = ""
    supplier: str = ""
    recipient: str = ""
    number: str = ""


@dataclass(frozen=True, slots=True)
class DepositReport:
    """What became of a deposit, by ``state``: see ``statuses.outcome``."""

    number: str
    state: str
    interface: str
    name: str
    deposited: datetime | None
    moved: datetime | None
    technical: tuple[Flaw, ...]
    invoices: tuple[Flaw, ...]

    @classmethod
    def of(cls, number: str, found: Members) -> DepositReport:
        """Read the answer of ``consulterCRDetaille``."""
        technical = [
            Flaw(one.text("codeErreur"), one.text("libelleErreur"), one.text("natureErreur"))
            for one in found.every("listeErreurTechnique")
        ]
        invoices = [
            Flaw(
                code="",
                label=one.text("libelleErreurDP"),
                supplier=one.text("identifiantFournisseur"),
                recipient=one.text("identifiantDestinataire"),
                number=one.text("numeroDP"),
            )
            for one in found.every("listeErreurDP")
        ]
        return cls(
            number=number,
            state=found.text("etatCourantDepotFlux"),
            interface=found.text("codeInterfaceDepotFlux"),
            name=found.text("nomFichier"),
            deposited=found.moment("dateDepotFlux"),
            moved=found.moment("dateHeureEtatCourantFlux"),
            technical=tuple(technical),
            invoices=tuple(invoices),
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice as its supplier sees it.

    Attributes:
        id: not promised to be the recipient's.
        supplier, recipient: SIRET; empty where Chorus Pro says nothing.
        deposit: number of the deposit that it came of; empty for one that was typed in on the portal, or where nothing is said.
        deposited: when; a day alone is its first moment in Paris.
        moved: since when it has its status; ``comment`` is what was said then: why it was suspended or rejected.
    """

    id: int
    number: str
    status: str
    recipient: str
    supplier: str = ""
    deposit: str = ""
    deposited: datetime | None = None
    moved: datetime | None = None
    comment: str = ""

    @classmethod
    def of(cls, found: Members) -> Issued | None:
        """Read one; None when it has no identifier of Chorus Pro."""
        known = found.whole("identifiantFactureCPP", "idFacture")
        if known is None:
            return None
        return cls(
            id=known,
            number=found.text("numeroFacture"),
            status=found.text("statut"),
            recipient=found.text("codeDestinataire"),
            supplier=found.text("codeFournisseur"),
            deposit=found.text("numeroFluxDepot"),
            deposited=found.moment("dateDepot"),
            moved=found.moment("dateHeureEtatCourant"),
            comment=found.text("commentaireEtatCourant"),
        )
