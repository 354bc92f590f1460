"""What the sums of an invoice should come to, for the rules of EN 16931 that compare them (6.4.2, BR-CO-10 to BR-CO-17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal

from schemas.invoices.invoice import Invoice

_CENT = Decimal("0.01")
Compared = tuple[Decimal | None, Decimal | None]


def compared(rule: str, invoice: Invoice) -> Compared:
    """Return what stands in the invoice and what the rule computes; None for what cannot be told."""
    reckoning = _RECKONINGS.get(rule)
    return reckoning(invoice) if reckoning else (None, None)


def vat_amount(base: Decimal, rate: Decimal) -> Decimal:
    """Return the VAT on a base at a rate in percent, rounded to the cent (BR-CO-17)."""
    return (base * rate / 100).quantize(_CENT, ROUND_HALF_UP)


def _sum(values: Iterable[Decimal | None]) -> Decimal:
    return sum((value for value in values if value is not None), Decimal(0))


def _allowances(invoice: Invoice, *, charge: bool) -> Decimal:
    return _sum(one.amount for one in invoice.allowances if one.charge is charge)


def _lines(invoice: Invoice) -> Compared:
    return invoice.totals.lines, _sum(line.net_amount for line in invoice.lines)


def _net(invoice: Invoice) -> Compared:
    totals = invoice.totals
    return totals.net, _sum((totals.lines, totals.charges)) - _sum((totals.allowances,))


def _vat(invoice: Invoice) -> Compared:
    return invoice.totals.vat, _sum(each.amount for each in invoice.vat)


def _gross(invoice: Invoice) -> Compared:
    return invoice.totals.gross, _sum((invoice.totals.net, invoice.totals.vat))


def _payable(invoice: Invoice) -> Compared:
    totals = invoice.totals
    return totals.payable, _sum((totals.gross, totals.rounding)) - _sum((totals.paid,))


def _breakdown(invoice: Invoice) -> Compared:
    for each in invoice.vat:
        if each.base is not None and each.rate is not None and each.amount != vat_amount(each.base, each.rate):
            return each.amount, vat_amount(each.base, each.rate)
    return None, None


_RECKONINGS: dict[str, Callable[[Invoice], Compared]] = {
    "BR-CO-10": _lines,
    "BR-CO-11": lambda invoice: (invoice.totals.allowances, _allowances(invoice, charge=False)),
    "BR-CO-12": lambda invoice: (invoice.totals.charges, _allowances(invoice, charge=True)),
    "BR-CO-13": _net,
    "BR-CO-14": _vat,
    "BR-CO-15": _gross,
    "BR-CO-16": _payable,
    "BR-CO-17": _breakdown,
    "BR-S-09": _breakdown,
}
