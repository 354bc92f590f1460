"""A sample invoice: paper and books, sold by somebody who does not exist to an authority that does not exist either.

The demonstration, the tests and the benchmarks use it. It satisfies the rules of EN 16931 and of the French reform; what a test
changes of it is left as it is, sums included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from schemas.invoices.addressing import ADDRESSES
from schemas.invoices.cii_writing import PROFILE
from schemas.invoices.figures import vat_amount
from schemas.invoices.invoice import Invoice, Line, Note, Payment, Syntax, Totals, Vat
from schemas.invoices.parties import SIREN, SIRET, Address, Identifier, Party

_FULL, _REDUCED = Decimal("20.00"), Decimal("5.50")
ARTICLES = (
    ("Ramettes de papier A4", Decimal(20), Decimal("5.00"), _FULL),
    ("Livres pour l’école", Decimal(10), Decimal("12.50"), _REDUCED),
)
"""What is sold: name, quantity, price without VAT, rate of VAT."""

SELLER = Party(
    name="Papeterie du Lavoir",
    legal_id=Identifier("990000127", SIREN),
    identifiers=(Identifier("99000012700011", SIRET),),
    vat="FR73990000127",
    address=Address(("3 rue du Lavoir",), "99100", "Valmorin", country="FR"),
    electronic=Identifier("990000127_99000012700011", ADDRESSES),
)
BUYER = Party(
    name="Commune de Saint-Exemple-lès-Bains",
    legal_id=Identifier("219900016", SIREN),
    identifiers=(Identifier("21990001600011", SIRET),),
    address=Address(("1 place de la Mairie",), "99012", "Saint-Exemple-lès-Bains", country="FR"),
    electronic=Identifier("219900016_21990001600011", ADDRESSES),
)
_NOTES = (
    Note("PMT", "Indemnité forfaitaire pour frais de recouvrement : 40 €."),
    Note("PMD", "Pénalités de retard au taux légal applicable aux acheteurs publics."),
    Note("AAB", "Pas d’escompte pour paiement anticipé."),
)


def sample(articles: Sequence[tuple[str, Decimal, Decimal, Decimal]] = ARTICLES, **changes: Any) -> Invoice:
    """Return the sample.

    Args:
        articles: what is sold, as ``ARTICLES``.
        **changes: fields of ``Invoice`` to be otherwise.
    """
    lines = tuple(_line(rank, *article) for rank, article in enumerate(articles, 1))
    vat = tuple(_vat(rate, lines) for rate in dict.fromkeys(line.rate for line in lines) if rate is not None)
    net = sum((line.net_amount or Decimal(0) for line in lines), Decimal(0))
    tax = sum((each.amount or Decimal(0) for each in vat), Decimal(0))
    invoice = Invoice(
        syntax=Syntax.CII,
        profile=PROFILE,
        process="S1",
        number="F2026-0187",
        type_code="380",
        issued=date(2026, 10, 5),
        due=date(2026, 11, 4),
        delivered=date(2026, 10, 1),
        currency="EUR",
        seller=SELLER,
        buyer=BUYER,
        buyer_reference="FINANCES",
        purchase_order="ENG2026-0457",
        contract="M2026-012",
        notes=_NOTES,
        lines=lines,
        vat=vat,
        totals=Totals(lines=net, net=net, vat=tax, gross=net + tax, payable=net + tax),
        payments=(Payment(code="30", iban="FR7630006000011234567890189"),),
    )
    return replace(invoice, **changes)


def _line(rank: int, name: str, quantity: Decimal, price: Decimal, rate: Decimal) -> Line:
    return Line(
        id=str(rank),
        name=name,
        quantity=quantity,
        unit="C62",
        net_price=price,
        net_amount=(quantity * price).quantize(Decimal("0.01")),
        category="S",
        rate=rate,
    )


def _vat(rate: Decimal, lines: Sequence[Line]) -> Vat:
    base = sum((line.net_amount or Decimal(0) for line in lines if line.rate == rate), Decimal(0))
    return Vat("S", rate, base, vat_amount(base, rate))
