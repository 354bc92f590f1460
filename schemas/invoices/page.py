"""An invoice in the words and figures of its page, for the composer: labels in the current language, amounts as people write."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent

from core.messages import current_locale
from schemas.invoices.invoice import Invoice, Line, Vat
from schemas.invoices.parties import Party
from schemas.invoices.wording import messages

# Signs that the composer's fonts have: Latin, Greek and Cyrillic, punctuation, currencies, arrows.
_KNOWN = (
    *((0x20, 0x7E), (0xA0, 0xAC), (0xAE, 0x377), (0x38E, 0x3A1), (0x3A3, 0x4FF), (0x1E00, 0x1EFF), (0x2010, 0x2027)),
    *((0x202F, 0x2040), (0x20A0, 0x20BF), (0x2190, 0x22FF), (0xFB00, 0xFB06)),
)


def page_of(invoice: Invoice) -> dict[str, Any]:
    """Return what the template takes, as JSON values; a sign that the fonts lack is written as its number."""
    kind = "credit" if invoice.credit else "invoice"
    told = {
        "language": current_locale(),
        "title": messages(f"page.title.{kind}", number=invoice.number),
        "seller": _party(invoice.seller, messages("page.seller")),
        "buyer": _party(invoice.buyer, messages("page.buyer")),
        "facts": _facts(invoice),
        "words": {name: messages(f"page.{name}") for name in ("lines", "vat", "totals", "payment", "notes")},
        "head": [messages(f"page.head.{name}") for name in ("id", "name", "quantity", "price", "rate", "amount")],
        "lines": [_line(line, invoice.currency) for line in invoice.lines],
        "vat_head": [messages(f"page.head.{name}") for name in ("rate", "base", "vat")],
        "vat": [_vat(vat, invoice.currency) for vat in invoice.vat],
        "totals": _totals(invoice),
        "due": [messages("page.payable"), _money(invoice.totals.payable, invoice.currency)],
        "payment": _payment(invoice),
        "notes": [note.text for note in invoice.notes],
        "foot": messages("page.foot"),
        "count": messages("page.count", page="\ue000", count="\ue000").split("\ue000"),
    }
    printed: dict[str, Any] = _printable(told)
    return printed


def _party(party: Party, label: str) -> dict[str, Any]:
    address = party.address
    place = " ".join(part for part in (address.postcode, address.city) if part)
    identifiers = (("SIRET", party.siret), (messages("page.vat_number"), party.vat))
    lines = (*address.lines, place, *(f"{name} {value}" for name, value in identifiers if value))
    return {"label": label, "name": party.name, "lines": [line for line in lines if line]}


def _facts(invoice: Invoice) -> list[list[str]]:
    period = invoice.period
    dates = (("issued", invoice.issued), ("due", invoice.due), ("delivered", invoice.delivered))
    told = [
        *((name, _day(day)) for name, day in dates),
        ("period", f"{_day(period.start)} – {_day(period.end)}" if period else ""),
        ("service", invoice.buyer_reference),
        ("commitment", invoice.purchase_order),
        ("contract", invoice.contract),
        ("preceding", ", ".join(one.number for one in invoice.preceding)),
        ("process", invoice.process),
    ]
    return [[messages(f"page.{name}"), value] for name, value in told if value]


def _line(line: Line, currency: str) -> list[str]:
    name = f"{line.name} – {line.description}" if line.description else line.name
    return [
        line.id,
        name,
        _number(line.quantity),
        _money(line.net_price, currency),
        _rate(line.rate),
        _money(line.net_amount, currency),
    ]


def _vat(vat: Vat, currency: str) -> list[str]:
    name = f"{_rate(vat.rate)} – {vat.exemption}" if vat.exemption else _rate(vat.rate)
    return [name, _money(vat.base, currency), _money(vat.amount, currency)]


def _totals(invoice: Invoice) -> list[list[str]]:
    totals = invoice.totals
    of_document = [
        [one.reason or messages("page.charge" if one.charge else "page.allowance"), _money(amount, invoice.currency)]
        for one in invoice.allowances
        if (amount := one.amount if one.charge or one.amount is None else -one.amount) is not None
    ]
    told = (
        ("net", totals.net),
        ("total_vat", totals.vat),
        ("gross", totals.gross),
        ("paid", totals.paid),
        ("rounding", totals.rounding),
    )
    sums = [[messages(f"page.{name}"), _money(value, invoice.currency)] for name, value in told if value is not None]
    return [*of_document, *sums]


def _payment(invoice: Invoice) -> list[list[str]]:
    told = [(name, getattr(payment, name)) for payment in invoice.payments for name in ("text", "iban", "bic", "reference")]
    return [[messages(f"page.payment.{name}"), value] for name, value in [*told, ("terms", invoice.terms)] if value]


def _day(day: date | None) -> str:
    return "" if day is None else format_date(day, "long", locale=current_locale())


def _number(value: Decimal | None) -> str:
    return "" if value is None else format_decimal(value, locale=current_locale(), decimal_quantization=False)


def _rate(value: Decimal | None) -> str:
    return "" if value is None else format_percent(value / 100, locale=current_locale(), decimal_quantization=False)


def _money(value: Decimal | None, currency: str) -> str:
    return "" if value is None else format_currency(value, currency, locale=current_locale(), decimal_quantization=False)


def _printable(told: Any) -> Any:
    if isinstance(told, str):
        return "".join(map(_sign, unicodedata.normalize("NFC", told)))
    if isinstance(told, list):
        return [_printable(each) for each in told]
    return {name: _printable(each) for name, each in told.items()} if isinstance(told, dict) else told


@lru_cache(maxsize=4096)
def _sign(sign: str) -> str:
    return sign if any(first <= ord(sign) <= last for first, last in _KNOWN) else f"[U+{ord(sign):04X}]"
