"""Reading the files of Chorus Pro: the pivot, by which it gives received invoices, and the *mixte*, by which it takes them.

The order of elements in a pivot is published nowhere, so both are read by names, never by position, in any namespace. A pivot
holds several invoices; each keeps all of its pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lxml import etree

from schemas.invoices.invoice import Attachment, Invoice, Line, Payment, Preceding, Syntax, Totals, Vat
from schemas.invoices.parties import SERVICE, SIREN, SIRET, Identifier, Party
from schemas.invoices.source import Source
from schemas.invoices.source import read as read_source
from schemas.invoices.syntax import Root, root_of
from schemas.invoices.values import Flaw, Values

ORIGINAL = "01"
"""Role of the piece that is the invoice itself; the others are supporting documents."""

_SCHEMES = {"1": SIRET, "2": "VAT", "4": "RIDET", "5": "TAHITI"}
_COUNTER = re.compile(r"[0-9]{1,9}")
_PRODUCED, _FLOW = "DtPrd", "IdFlx"


@dataclass(frozen=True, slots=True)
class Resent:
    """What a pivot says of an invoice besides the invoice.

    Attributes:
        rank: ``NumOrdre`` of the unit, as it is written.
        resent: ``Renvoi``: Oui, Non, Recyclée.
        emission: ``ModeEmission``: how the supplier sent it.
    """

    rank: str
    resent: str
    emission: str


@dataclass(frozen=True, slots=True)
class ChorusFile:
    """A pivot or a *mixte*.

    Attributes:
        root: which of the two.
        flow: ``IdFlx``; ``produced`` ``DtPrd``.
        declared: how many invoices it says it holds; None when it does not say.
        invoices: in the order of the file; ``units`` what is said of each besides.
        source: the tree, and the pieces that ``Attachment.piece`` names by rank.
        flaws: values that could not be read.
    """

    root: Root
    flow: str
    produced: date | None
    declared: int | None
    invoices: tuple[Invoice, ...]
    units: tuple[Resent, ...]
    source: Source
    flaws: tuple[Flaw, ...]


class NotChorus(Exception):
    """The file is no pivot and no *mixte*."""


def read(path: Path, folder: Path) -> ChorusFile:
    """Return the invoices of a file; their pieces, out of base64 and of a ZIP where they stood in one, go to a folder.

    Args:
        path: the file, whose size was bounded.
        folder: empty.

    Raises:
        DoctypeRefused, Excessive, Malformed: it cannot be read as XML.
        NotChorus: it is something else.
    """
    return contents(read_source(path, folder))


def contents(source: Source) -> ChorusFile:
    """Return the invoices of a file that was read.

    Raises:
        NotChorus: it is something else.
    """
    root = root_of(source.tree.getroot().tag)
    if root not in {Root.PIVOT, Root.MIXTE} or root is None:
        raise NotChorus
    return _Reader(source, root).file()


class _AnyNamespace(Values):
    """Values below elements, by paths of names in whatever namespace."""

    def __init__(self) -> None:
        super().__init__({})

    def one(self, element: etree._Element | None, path: str) -> etree._Element | None:
        """Return the first element at a path."""
        return super().one(element, _anywhere(path))

    def every(self, element: etree._Element | None, path: str) -> list[etree._Element]:
        """Return all elements at a path."""
        return super().every(element, _anywhere(path))


def _anywhere(path: str) -> str:
    return "/".join(f"{{*}}{name}" for name in path.split("/"))


class _Reader:
    def __init__(self, source: Source, root: Root) -> None:
        self._source, self._root = source, root
        self._values = _AnyNamespace()
        self._syntax = Syntax.PIVOT if root is Root.PIVOT else Syntax.MIXTE

    def file(self) -> ChorusFile:
        top = self._source.tree.getroot()
        units = self._values.every(top, f"CPPFactures/CPPFacture{'Pivot' if self._root is Root.PIVOT else 'Mixte'}Unitaire")
        holder = self._values.one(top, "CPPFactures")
        counter = "" if holder is None else holder.get("Compteur", "").strip()
        parameters = {
            self._values.text(one, "Code"): one
            for one in self._values.every(top, "Enveloppe/EnveloppeUnitaire/Parametres/ParametreIndiv")
        }
        return ChorusFile(
            root=self._root,
            flow=self._values.text(parameters.get(_FLOW), "Valeurparametre"),
            produced=self._values.day(parameters.get(_PRODUCED), "Valeurparametre"),
            declared=int(counter) if _COUNTER.fullmatch(counter) else None,
            invoices=tuple(map(self._invoice, units)),
            units=tuple(map(self._unit, units)),
            source=self._source,
            flaws=tuple(self._values.flaws),
        )

    def _unit(self, unit: etree._Element) -> Resent:
        rank, values = unit.get("NumOrdre", ""), self._values
        return Resent(rank, values.text(unit, "DonneesFacture/Renvoi"), values.text(unit, "Fournisseur/ModeEmission"))

    def _invoice(self, unit: etree._Element) -> Invoice:
        values, facts = self._values, self._values.one(unit, "DonneesFacture")
        origin = values.text(facts, "IdFactureOrigine")
        service = values.text(unit, "Debiteur/CodeService")
        return Invoice(
            syntax=self._syntax,
            process=values.text(facts, "Cadre"),
            number=values.text(facts, "Id"),
            type_code=values.text(facts, "Type"),
            issued=values.day(facts, "DateEmissionFacture"),
            delivered=values.day(facts, "DateLivraison"),
            received=values.day(facts, "DateReception"),
            currency=values.text(facts, "Devise"),
            seller=self._party(values.one(unit, "Fournisseur"), "RaisonSociale"),
            buyer=self._party(values.one(unit, "Debiteur"), "Nom", service),
            buyer_reference=service,
            purchase_order=values.text(facts, "Engagement/NumeroEngagement"),
            contract=values.text(facts, "Engagement/NumeroMarche"),
            lines=tuple(map(self._line, values.every(facts, "Lignes/Ligne"))),
            vat=tuple(map(self._vat, [*values.every(facts, "TVAs/TVA"), *values.every(facts, "TVAS/TVA")])),
            totals=Totals(
                net=values.amount(facts, "Montants/MontantHT"),
                gross=values.amount(facts, "Montants/MontantTTC"),
                payable=values.amount(facts, "Montants/MontantNetAPayer"),
            ),
            payments=self._payments(unit, facts),
            preceding=(Preceding(origin, None),) if origin else (),
            attachments=tuple(map(self._attachment, values.every(unit, "PJ"))),
            chorus_id=values.text(facts, "IdCPRO"),
        )

    def _party(self, party: etree._Element | None, name: str, service: str = "") -> Party:
        values = self._values
        value, kind = values.text(party, "Identifiant"), values.text(party, "TypeIdentifiant") or "1"
        identifiers = [Identifier(value, _SCHEMES.get(kind, ""))] if value else []
        identifiers += [Identifier(service, SERVICE)] if service else []
        scheme = identifiers[0].scheme if identifiers else ""
        return Party(
            name=values.text(party, name),
            legal_id=Identifier(value[:9], SIREN) if scheme == SIRET else None,
            identifiers=tuple(identifiers),
            vat=value if scheme == "VAT" else "",
        )

    def _payments(self, unit: etree._Element, facts: etree._Element | None) -> tuple[Payment, ...]:
        values = self._values
        code, account = values.text(facts, "ModePaiement/Code"), values.one(unit, "Fournisseur/ReferenceBancaire")
        if not code and account is None:
            return ()
        payment = Payment(
            code=code,
            text=values.text(facts, "ModePaiement/Libelle"),
            iban=values.text(account, "Compte"),
            holder=values.text(account, "RaisonSocialeEncaisseur"),
            bic=values.text(account, "Etablissement"),
        )
        return (payment,)

    def _line(self, line: etree._Element) -> Line:
        values = self._values
        return Line(
            id=line.get("NumOrdre", ""),
            name=values.text(line, "Description") or values.text(line, "ReferenceProduit"),
            reference=values.text(line, "ReferenceProduit"),
            quantity=values.amount(line, "Quantite"),
            net_price=values.amount(line, "PrixUnitaire"),
            net_amount=values.amount(line, "MontantHT"),
            rate=values.amount(line, "TauxTVA"),
        )

    def _vat(self, vat: etree._Element) -> Vat:
        values = self._values
        return Vat("", values.amount(vat, "Taux"), values.amount(vat, "BaseHt"), values.amount(vat, "MontantTVA"))

    def _attachment(self, piece: etree._Element) -> Attachment:
        values, content = self._values, self._values.one(piece, "Contenu")
        return Attachment(
            reference=piece.get("NumOrdre", ""),
            description=values.text(piece, "CategoriePJ"),
            name=values.text(piece, "NomPJ") or values.text(piece, "NomPJOrigine"),
            declared=values.text(piece, "MimeTypePJ"),
            role=values.text(piece, "TypePJ"),
            piece=None if content is None else self._source.rank(content),
        )
