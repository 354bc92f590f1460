"""What the sums of an invoice should come to, for the rules of EN 16931 that compare them (6.4.2 and 6.4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal

from schemas.invoices.invoice import Allowance, Invoice, Line, Vat

_CENT, _NOTHING = Decimal("0.01"), Decimal("0.00")
_VAT = re.compile(r"BR-(?P<category>S|Z|E|AE|IC|G|O|AF|AG)-(?P<number>08|09)")
_CATEGORIES = {"IC": "K", "AF": "L", "AG": "M"}
"""Categories (BT-118) that rules name otherwise."""
_RATED = {"S", "L", "M"}
Compared = tuple[Decimal | None, Decimal | None]


def compared(rule: str, invoice: Invoice, rank: int | None = None) -> Compared:
    """Return what stands in the invoice and what the rule computes; None for what cannot be told.

    Args:
        rule: its name.
        invoice: what was read.
        rank: of the breakdown of VAT that is blamed, from 0; None when it is not known: the first that is wrong.
    """
    if (reckoning := _RECKONINGS.get(rule)) is not None:
        return reckoning(invoice)
    breakdowns = invoice.vat if rank is None else invoice.vat[rank : rank + 1]
    if rule == "BR-CO-17":
        return _first_wrong((each.amount, _due(each)) for each in breakdowns)
    if match := _VAT.fullmatch(rule):
        category = _CATEGORIES.get(match["category"], match["category"])
        own = [each for each in breakdowns if each.category == category]
        if match["number"] == "08":
            return _first_wrong((each.base, _base(invoice, each)) for each in own)
        return _first_wrong((each.amount, _due(each) if category in _RATED else _NOTHING) for each in own)
    return None, None


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
    totals = invoice.totals
    # Without a total of VAT in its currency, what it should come to cannot be told from it.
    return totals.gross, None if totals.vat is None and _vat(invoice)[1] else _sum((totals.net, totals.vat))


def _payable(invoice: Invoice) -> Compared:
    totals = invoice.totals
    return totals.payable, _sum((totals.gross, totals.rounding)) - _sum((totals.paid,))


def _first_wrong(pairs: Iterable[Compared]) -> Compared:
    return next(((found, due) for found, due in pairs if due is not None and found != due), (None, None))


def _due(each: Vat) -> Decimal | None:
    return None if each.base is None or each.rate is None else vat_amount(each.base, each.rate)


def _base(invoice: Invoice, each: Vat) -> Decimal:
    """Return what is of a category, and at its rate where categories have several."""

    def same(one: Line | Allowance) -> bool:
        return one.category == each.category and (each.category not in _RATED or one.rate == each.rate)

    lines = _sum(line.net_amount for line in invoice.lines if same(line))
    charges = _sum(one.amount for one in invoice.allowances if one.charge and same(one))
    return lines + charges - _sum(one.amount for one in invoice.allowances if not one.charge and same(one))


_RECKONINGS: dict[str, Callable[[Invoice], Compared]] = {
    "BR-CO-10": _lines,
    "BR-CO-11": lambda invoice: (invoice.totals.allowances, _allowances(invoice, charge=False)),
    "BR-CO-12": lambda invoice: (invoice.totals.charges, _allowances(invoice, charge=True)),
    "BR-CO-13": _net,
    "BR-CO-14": _vat,
    "BR-CO-15": _gross,
    "BR-CO-16": _payable,
}
