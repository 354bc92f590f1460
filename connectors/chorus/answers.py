"""What Chorus Pro answers, typed. Codes are kept as they came, known or not; ``raw`` is the object as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from connectors.chorus.reading import Members
from core.clock import in_paris


class Kind(StrEnum):
    """What kind of payment request a received invoice is, by the search that finds it."""

    INVOICE = "FACTURE"
    WORKS_PAYMENT = "FACTURE_TRAVAUX"
    WORKS_MOE = "MOE"
    """Works invoice seen as *maîtrise d'œuvre*."""
    WORKS_MOA = "MOA"
    """Works invoice seen as *maîtrise d'ouvrage*."""


class Format(StrEnum):
    """In what form an invoice is downloaded."""

    PIVOT = "PIVOT"
    PDF = "PDF"


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure: ``id`` of Chorus Pro, ``identifier`` mostly a SIRET, of the type ``kind``."""

    id: int
    identifier: str
    kind: str
    name: str
    status: str

    @classmethod
    def of(cls, found: Members) -> Structure | None:
        """Read one; None when it has no identifier of Chorus Pro."""
        known = found.whole("idStructureCPP", "idStructure")
        if known is None:
            return None
        identifier = found.text("identifiantStructure", "identifiant")
        kind = found.text("typeIdentifiantStructure") or "SIRET"
        return cls(known, identifier, kind, found.text("designationStructure"), found.text("statut", "statutStructure"))


@dataclass(frozen=True, slots=True)
class StructureDetail:
    """What a structure asks of its suppliers, and when the password of its technical account ends."""

    id: int
    name: str
    password_expires: date | None
    service_required: bool | None
    engagement_required: bool | None
    either_required: bool | None
    tells_payment: bool | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, structure: int, found: Members) -> StructureDetail:
        """Read the answer of ``structures/consulter``."""
        general, asked = found.below("informationGenerales"), found.below("parametres")
        hidden = asked.flag("statutMiseEnPaiementNestPasRemonte")
        return cls(
            id=structure,
            name=general.text("designationStructure", "raisonSociale", "nomStructure"),
            password_expires=general.day("dateExpirationMotPasseCompteTech"),
            service_required=asked.flag("codeServiceDoitEtreRenseigne"),
            engagement_required=asked.flag("numeroEJDoitEtreRenseigne"),
            either_required=asked.flag("gestionNumeroEJOuCodeService"),
            tells_payment=None if hidden is None else not hidden,
            raw=found.raw,
        )


@dataclass(frozen=True, slots=True)
class StructureService:
    """A service of a structure; ``FACTURES_PUBLIQUES`` exists in each, for invoices between public bodies."""

    id: int
    code: str
    name: str
    active: bool
    since: date | None
    until: date | None

    @classmethod
    def of(cls, found: Members) -> StructureService | None:
        """Read one; None when it has no identifier."""
        known = found.whole("idService")
        if known is None:
            return None
        active = found.flag("estActif")
        since, until = found.day("dateDbtService", "dateDebutService"), found.day("dateFinService")
        return cls(known, found.text("codeService"), found.text("libelleService"), active is not False, since, until)


@dataclass(frozen=True, slots=True)
class ServiceDetail:
    """What a service of a structure asks of suppliers; it counts besides what its structure asks."""

    code: str
    name: str
    engagement_required: bool | None
    since: date | None
    until: date | None

    @classmethod
    def of(cls, found: Members) -> ServiceDetail:
        """Read the answer of ``structures/consulter/service``."""
        general, asked = found.below("informationsGenerales"), found.below("parametres")
        since, until = asked.day("dateDebutValidite"), asked.day("dateFinValidite")
        return cls(general.text("codeService"), general.text("nomService"), asked.flag("numeroEngagement"), since, until)


@dataclass(frozen=True, slots=True)
class Received:
    """An invoice as a search tells it: amounts in its currency, ``moved`` when its status last changed.

    ``supplier`` and ``recipient`` are identifiers, mostly SIRET; ``engagement`` is what the search calls ``numeroBonCommande``.
    """

    id: int
    kind: Kind
    number: str
    status: str
    type: str
    issued: date | None
    deposited: datetime | None
    moved: datetime | None
    comment: str
    supplier: str
    supplier_kind: str
    supplier_name: str
    structure: int | None
    recipient: str
    recipient_name: str
    service: int | None
    service_code: str
    service_name: str
    engagement: str
    market: str
    net: Decimal | None
    gross: Decimal | None
    payable: Decimal | None
    currency: str
    downloaded: bool | None
    size: int | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, kind: Kind, found: Members) -> Received | None:
        """Read one, by the names of either search; None when it has no identifier of Chorus Pro."""
        known = found.whole("idFacture", "idFactureTravaux")
        if known is None:
            return None
        return cls(
            id=known,
            kind=kind,
            number=found.text("numeroFacture", "numeroFactureTravaux"),
            status=found.text("statut", "statutFactureTravaux"),
            type=found.text("typeFacture", "typeFactureTravaux"),
            issued=found.day("dateFacture", "dateFactureTravaux"),
            deposited=found.moment("dateDepot"),
            moved=found.moment("dateHeureEtatCourant"),
            comment=found.text("commentaireEtatCourant"),
            supplier=found.text("codeFournisseur", "identifiantFournisseur"),
            supplier_kind=found.text("typeIdentifiantFournisseur"),
            supplier_name=found.text("designationFournisseur"),
            structure=found.whole("idDestinataire"),
            recipient=found.text("codeDestinataire", "identifiantDestinataire"),
            recipient_name=found.text("designationDestinataire"),
            service=found.whole("idServiceExecutant"),
            service_code=found.text("codeServiceExecutant"),
            service_name=found.text("nomServiceExecutant"),
            engagement=found.text("numeroBonCommande"),
            market=found.text("numeroMarche"),
            net=found.amount("montantHT"),
            gross=found.amount("montantTTC"),
            payable=found.amount("montantAPayer", "montantApayer"),
            currency=found.text("devise"),
            downloaded=found.flag("factureTelechargeeParDestinataire"),
            size=found.whole("taille"),
            raw=found.raw,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of received invoices: ``number`` of ``pages``, from 1; ``total`` invoices in all of them."""

    kind: Kind
    number: int
    pages: int
    total: int | None
    invoices: tuple[Received, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A status that an invoice went through, and the comment that came with it. Who did it is not read: it is a person."""

    code: str
    moment: datetime | None
    comment: str


@dataclass(frozen=True, slots=True)
class History:
    """The life of an invoice, oldest step first; ``status`` is the current one."""

    id: int
    number: str
    status: str
    mode: str
    last_action: str
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, invoice: int, found: Members) -> History:
        """Read the answer of ``consulter/historique``, newest first there unless its days say otherwise."""
        steps = [
            Step(one.text("histoStatutCode"), one.moment("histoStatutDatePassage"), one.text("histoStatutCommentaire"))
            for one in found.every("historiquesDesStatuts", "histoStatut")
        ]
        days = [in_paris(one.moment).date() for one in steps if one.moment is not None]
        if not days or days[0] >= days[-1]:  # moments may be days or minutes: their order says less than that of the list
            steps.reverse()
        status = found.text("statutCourantCode") or (steps[-1].code if steps else "")
        return cls(
            invoice, found.text("numeroFacture"), status, found.text("modeDepot"), found.text("derniereAction"), tuple(steps)
        )


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that was brought: its SHA-256, its size in octets, and its media type by its first octets."""

    path: Path
    sha256: str
    size: int
    media: str


@dataclass(frozen=True, slots=True)
class Treated:
    """A change of status that Chorus Pro took."""

    id: int
    number: str
    status: str
    moment: datetime | None
