"""The one invoice, whatever syntax it came in: the business terms of EN 16931 that this product uses, by their numbers (BT, BG).

Values that are absent or cannot be read are None or empty; what was wrong with them is told by the reader, never here.
Amounts are in the currency of the invoice, in its major unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from schemas.invoices.parties import NOBODY, Party

CREDIT_NOTES = frozenset({"261", "381", "396", "502", "503"})
"""Type codes (BT-3) of what gives back: credit notes (rule BR-FR-CO-05)."""


class Syntax(StrEnum):
    """How an invoice was written."""

    CII = "cii"
    UBL = "ubl"
    PIVOT = "cpp-pivot"
    MIXTE = "cpp-mixte"


@dataclass(frozen=True, slots=True)
class Period:
    """From a day to a day, both included; either may be unknown."""

    start: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Note:
    """A remark (BG-1): its subject (BT-21, UNTDID 4451) and its text (BT-22)."""

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """An allowance, or a charge, on the document (BG-20, BG-21) or on a line (BG-27, BG-28).

    Attributes:
        charge: whether it is added; otherwise it is taken off.
        amount: BT-92, BT-99, BT-136, BT-141: never negative.
        base: what the percentage is of.
        percent: of the base.
        reason: in words; ``reason_code`` as a code.
        category: VAT category, on the document only; ``rate`` its rate in percent.
    """

    charge: bool
    amount: Decimal | None
    base: Decimal | None = None
    percent: Decimal | None = None
    reason: str = ""
    reason_code: str = ""
    category: str = ""
    rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line (BG-25).

    Attributes:
        id: BT-126.
        name: BT-153; ``description`` BT-154.
        note: BT-127.
        reference: BT-155, the seller's; ``buyer_reference`` BT-156.
        order_line: BT-132; ``accounting`` BT-133, the buyer's.
        quantity: BT-129, in ``unit`` (BT-130, UN/ECE Rec. 20).
        net_price: BT-146, of ``price_quantity`` units (BT-149); ``gross_price`` BT-148.
        net_amount: BT-131, without VAT.
        category: BT-151; ``rate`` BT-152, percent.
        period: BG-26.
        allowances: BG-27 and BG-28.
    """

    id: str = ""
    name: str = ""
    description: str = ""
    note: str = ""
    reference: str = ""
    buyer_reference: str = ""
    order_line: str = ""
    accounting: str = ""
    quantity: Decimal | None = None
    unit: str = ""
    net_price: Decimal | None = None
    gross_price: Decimal | None = None
    price_quantity: Decimal | None = None
    net_amount: Decimal | None = None
    category: str = ""
    rate: Decimal | None = None
    period: Period | None = None
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class Vat:
    """What one category at one rate comes to (BG-23).

    Attributes:
        category: BT-118 (S, E, AE, K, G, O, Z); empty in the files of Chorus Pro, which have none.
        rate: BT-119, percent.
        base: BT-116.
        amount: BT-117.
        exemption: BT-120 in words; ``exemption_code`` BT-121.
    """

    category: str
    rate: Decimal | None
    base: Decimal | None
    amount: Decimal | None
    exemption: str = ""
    exemption_code: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals (BG-22).

    Attributes:
        lines: BT-106, sum of the lines.
        allowances: BT-107; ``charges`` BT-108, on the document.
        net: BT-109, without VAT.
        vat: BT-110; ``vat_accounting`` BT-111, in the currency of accounting.
        gross: BT-112, with VAT.
        paid: BT-113.
        rounding: BT-114.
        payable: BT-115.
    """

    lines: Decimal | None = None
    allowances: Decimal | None = None
    charges: Decimal | None = None
    net: Decimal | None = None
    vat: Decimal | None = None
    vat_accounting: Decimal | None = None
    gross: Decimal | None = None
    paid: Decimal | None = None
    rounding: Decimal | None = None
    payable: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """A way to pay (BG-16).

    Attributes:
        code: BT-81 (UNTDID 4461); ``text`` BT-82.
        iban: BT-84, an IBAN or another account number; ``holder`` BT-85; ``bic`` BT-86.
        reference: BT-83, what the payer should quote.
        mandate: BT-89 and ``debited`` BT-91, of a direct debit.
    """

    code: str = ""
    text: str = ""
    iban: str = ""
    holder: str = ""
    bic: str = ""
    reference: str = ""
    mandate: str = ""
    debited: str = ""


@dataclass(frozen=True, slots=True)
class Preceding:
    """An earlier invoice (BG-3): its number (BT-25) and its date (BT-26)."""

    number: str
    issued: date | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A supporting document (BG-24), or a piece (PJ) of a file of Chorus Pro.

    Attributes:
        reference: BT-122.
        description: BT-123: RIB, LISIBLE, BON_COMMANDE… (rule BR-FR-17), or the category that Chorus Pro gives.
        name: file name, as it is written: never a path to write to.
        declared: media type, as it is written.
        role: ``01`` the invoice itself, ``02`` a supporting document, in the files of Chorus Pro; empty elsewhere.
        uri: BT-124, where it is, when it is not in the file; never fetched here.
        piece: its rank among the pieces of the file that was read (``source.Piece``), from 0; None when it has no content.
    """

    reference: str = ""
    description: str = ""
    name: str = ""
    declared: str = ""
    role: str = ""
    uri: str = ""
    piece: int | None = None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or a credit note.

    Attributes:
        syntax: how it was written.
        profile: BT-24, specification identifier; empty in the files of Chorus Pro.
        process: BT-23, invoicing frame (*cadre de facturation*): S1, B2… of the reform, A1… of Chorus Pro.
        number: BT-1.
        type_code: BT-3 (UNTDID 1001): 380 invoice, 381 credit note…
        issued: BT-2; ``due`` BT-9; ``delivered`` BT-72; ``period`` BG-14.
        received: the day Chorus Pro received it; its files only.
        currency: BT-5; ``vat_currency`` BT-6.
        seller, buyer: BG-4, BG-7; ``payee`` BG-10, ``representative`` BG-11, ``deliver_to`` BG-13, when there are any.
        buyer_reference: BT-10, the buyer's *code service*.
        purchase_order: BT-13, *numéro d'engagement*; ``contract`` BT-12, *numéro de marché*.
        project: BT-11; ``sales_order`` BT-14; ``receipt`` BT-15; ``despatch`` BT-16; ``tender`` BT-17; ``accounting`` BT-19.
        terms: BT-20, payment terms in words.
        notes: BG-1.
        lines: BG-25.
        allowances: BG-20 and BG-21.
        vat: BG-23.
        totals: BG-22.
        payments: BG-16.
        preceding: BG-3.
        attachments: BG-24.
        chorus_id: the number that Chorus Pro gave it (``IdCPRO``); its files only.
    """

    syntax: Syntax
    profile: str = ""
    process: str = ""
    number: str = ""
    type_code: str = ""
    issued: date | None = None
    due: date | None = None
    delivered: date | None = None
    period: Period | None = None
    received: date | None = None
    currency: str = ""
    vat_currency: str = ""
    seller: Party = NOBODY
    buyer: Party = NOBODY
    payee: Party | None = None
    representative: Party | None = None
    deliver_to: Party | None = None
    buyer_reference: str = ""
    purchase_order: str = ""
    contract: str = ""
    project: str = ""
    sales_order: str = ""
    receipt: str = ""
    despatch: str = ""
    tender: str = ""
    accounting: str = ""
    terms: str = ""
    notes: tuple[Note, ...] = ()
    lines: tuple[Line, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    vat: tuple[Vat, ...] = ()
    totals: Totals = Totals()
    payments: tuple[Payment, ...] = ()
    preceding: tuple[Preceding, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    chorus_id: str = ""

    @property
    def credit(self) -> bool:
        """Whether it gives back."""
        return self.type_code in CREDIT_NOTES
