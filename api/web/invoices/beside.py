"""Which part of an invoice each problem of its check concerns, so that the page says it there: a line, a rate, a total, a party.

A problem names a rule, and mostly a place (XPath) in the file as the supplier wrote it: CII, UBL, or the pivot of Chorus Pro.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Problem = Mapping[str, Any]
"""A problem as it is kept: see ``core.problems.Problem.as_json``."""

_LINE = re.compile(r"/(?:[\w.-]+:)?(?:IncludedSupplyChainTradeLineItem|InvoiceLine|CreditNoteLine|Ligne)(?:\[(\d+)\])?(?=/|$)")
_RATE = re.compile(r"/(?:[\w.-]+:)?(?:ApplicableTradeTax|TaxSubtotal|TVA)(?:\[(\d+)\])?(?=/|$)")
_NAME = re.compile(r"([\w.-]+)(?:\[\d+\])?$")
_TOTALS = {
    "LineTotalAmount": "lines",
    "LineExtensionAmount": "lines",
    "AllowanceTotalAmount": "allowances",
    "ChargeTotalAmount": "charges",
    "TaxBasisTotalAmount": "net",
    "TaxExclusiveAmount": "net",
    "MontantHT": "net",
    "TaxTotalAmount": "vat",
    "TaxAmount": "vat",
    "GrandTotalAmount": "gross",
    "TaxInclusiveAmount": "gross",
    "MontantTTC": "gross",
    "TotalPrepaidAmount": "paid",
    "PrepaidAmount": "paid",
    "RoundingAmount": "rounding",
    "PayableRoundingAmount": "rounding",
    "DuePayableAmount": "payable",
    "PayableAmount": "payable",
    "MontantNetAPayer": "payable",
}
_OF_RULE = {
    **{f"BR-CO-{rank}": name for rank, name in (("10", "lines"), ("11", "allowances"), ("12", "charges"), ("13", "net"))},
    **{f"BR-CO-{rank}": name for rank, name in (("14", "vat"), ("15", "gross"), ("16", "payable"))},
    **{f"BR-{rank}": name for rank, name in (("12", "lines"), ("13", "net"), ("14", "gross"), ("15", "payable"))},
}
"""Totals that a rule of EN 16931 is about, whatever place it names: those that reckon name the whole."""
_PARTS = (
    ("seller", re.compile(r"SellerTradeParty|AccountingSupplierParty|/Fournisseur(?!/ReferenceBancaire)")),
    ("buyer", re.compile(r"BuyerTradeParty|AccountingCustomerParty|/Debiteur")),
    ("payment", re.compile(r"PaymentMeans|PaymentTerms|ModePaiement|ReferenceBancaire|PayeeParty|PayeeTradeParty")),
    ("notes", re.compile(r"IncludedNote|/(?:\w+:)?Note(?:\[\d+\])?$")),
    ("pieces", re.compile(r"Additional(?:Referenced)?Document|/PJ(?:\[\d+\])?(?:/|$)")),
    ("totals", re.compile(r"MonetarySummation|MonetaryTotal|/Montants(?:/|$)")),
    ("vat", re.compile(r"ApplicableTradeTax|/(?:\w+:)?TaxTotal(?:/|\[|$)|/TVA")),
)
_MARK = "MARK"
_OF_PIECES = {"PIECE", "packaging", _MARK}


@dataclass(frozen=True, slots=True)
class Beside:
    """Problems by what they concern.

    Attributes:
        lines: by rank of the line, from 0; ``rates`` by rank of the rate.
        totals: by field of ``Totals``.
        parts: by part of the page: ``seller``, ``buyer``, ``payment``, ``notes``, ``pieces``, ``totals``, ``vat``.
        whole: those of the invoice as a whole.
    """

    lines: dict[int, list[Problem]] = field(default_factory=dict)
    rates: dict[int, list[Problem]] = field(default_factory=dict)
    totals: dict[str, list[Problem]] = field(default_factory=dict)
    parts: dict[str, list[Problem]] = field(default_factory=dict)
    whole: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is any problem."""
        return any((self.lines, self.rates, self.totals, self.parts, self.whole))

    def lines_outside(self, first: int, last: int) -> list[int]:
        """Return the ranks of lines with problems that do not stand between two ranks, the last one excluded."""
        return sorted(rank for rank in self.lines if not first <= rank < last)


def placed(problems: Iterable[Problem], lines: int, rates: int) -> Beside:
    """Return problems by what they concern; marks are not among them: each is told of its own file.

    Args:
        problems: as they are kept.
        lines: how many the invoice has: a place beyond is that of the whole.
        rates: how many rates of VAT it has.
    """
    found = Beside()
    for problem in problems:
        if problem.get("rule") == _MARK and problem.get("path"):
            continue
        _place(found, problem, lines, rates)
    return found


def _place(found: Beside, problem: Problem, lines: int, rates: int) -> None:
    path, rule = str(problem.get("path") or "").partition("/@")[0], str(problem.get("rule") or "").rpartition(":")[2]
    if (line := _rank(_LINE, path)) is not None:
        (found.lines.setdefault(line, []) if line < lines else found.whole).append(problem)
    elif (rate := _rank(_RATE, path)) is not None and rate < rates:
        found.rates.setdefault(rate, []).append(problem)
    elif total := _OF_RULE.get(rule) or _total(path):
        found.totals.setdefault(total, []).append(problem)
    elif part := "pieces" if rule in _OF_PIECES else next((name for name, where in _PARTS if where.search(path)), ""):
        found.parts.setdefault(part, []).append(problem)
    else:
        found.whole.append(problem)


def _rank(where: re.Pattern[str], path: str) -> int | None:
    step = where.search(path)
    return None if step is None else int(step[1] or 1) - 1


def _total(path: str) -> str:
    name = _NAME.search(path)
    return _TOTALS.get(name[1], "") if name else ""
