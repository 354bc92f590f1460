"""What a budget comes to: per section what goes and what comes, whether it balances, and where it does not.

CGCT L.1612-4: the sections are each voted in balance. The rest of *real* balance (sincerity, own resources against the capital
of the debt) needs an accountant and is not judged here. What does not balance is told, and never refuses a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.messages import Catalogue
from schemas.budget import labels
from schemas.budget.model import AMOUNTS, Amounts, Budget, Operation, Row, Section, Sense

VOTES = frozenset({"01", "02", "03"})
"""Natures of decision that vote credits, and must balance."""

ACCOUNTS = frozenset({"09", "10"})
"""Natures that show what was done, and its result."""

_ORDER = (Operation.ORDER, Operation.ORDER_BETWEEN, Operation.ORDER_WITHIN)
messages = Catalogue("schemas.budget")


@dataclass(frozen=True, slots=True)
class SectionSummary:
    """One section: all its expenses and receipts, and those of them that are of order."""

    section: Section
    expenses: Amounts
    receipts: Amounts
    order_expenses: Amounts
    order_receipts: Amounts

    @property
    def balance(self) -> Decimal:
        """Receipts less expenses, voted and carried over: nothing when the section balances, in euros."""
        return self.receipts.total - self.expenses.total

    @property
    def is_balanced(self) -> bool:
        """Receipts are equal to expenses (CGCT L.1612-4)."""
        return self.balance == 0

    @property
    def result(self) -> Decimal:
        """Receipts less expenses achieved, results of former years included: what accounts show, in euros."""
        return self.receipts.achieved - self.expenses.achieved

    def as_json(self) -> dict[str, Any]:
        """Return the section with JSON values only."""
        return {
            "expenses": self.expenses.as_json(),
            "receipts": self.receipts.as_json(),
            "order_expenses": self.order_expenses.as_json(),
            "order_receipts": self.order_receipts.as_json(),
            "total_expenses": str(self.expenses.total),
            "total_receipts": str(self.receipts.total),
            "balance": str(self.balance),
            "balanced": self.is_balanced,
            "result": str(self.result),
        }


@dataclass(frozen=True, slots=True)
class Chapter:
    """The sums of one chapter of a section, in one sense.

    Attributes:
        code: None for lines without one.
        accounts: how the accounts of lines without a chapter begin (``70``); None for the others, and for lines without account.
    """

    section: Section
    sense: Sense
    code: str | None
    accounts: str | None
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Gap:
    """Two totals of a vote that should be equal.

    Attributes:
        kind: ``section`` expenses and receipts of a section; ``between`` order operations from section to section, expenses of
            the section named against receipts of the other one; ``within`` order operations inside a section.
        expenses: euros; ``receipts`` too.
    """

    kind: str
    section: Section
    expenses: Decimal
    receipts: Decimal

    def as_json(self) -> dict[str, str]:
        """Return the gap with JSON values only."""
        named = {"kind": self.kind, "section": self.section.name.lower()}
        return {**named, "expenses": str(self.expenses), "receipts": str(self.receipts)}


def sections(budget: Budget) -> tuple[SectionSummary, ...]:
    """Return functioning, then investment; lines of unknown section are in neither."""
    return tuple(_section(budget, section) for section in (Section.FUNCTIONING, Section.INVESTMENT))


def chapters(budget: Budget) -> tuple[Chapter, ...]:
    """Return the sums of each chapter, by section, sense and code; lines without chapter last, by their accounts."""
    sums: dict[tuple[Section, Sense, str | None, str | None], list[Decimal]] = {}
    for row in budget.rows:
        found = sums.setdefault((row.section, row.sense, *chapter_of(row)), [Decimal(0)] * len(AMOUNTS))
        for rank, name in enumerate(AMOUNTS):
            found[rank] += getattr(row.amounts, name)
    ordered = sorted(sums, key=lambda key: (key[0].value, key[1].value, key[2] is None, key[2] or "", key[3] or "~"))
    return tuple(Chapter(*key, Amounts(*sums[key])) for key in ordered)


def chapter_of(row: Row) -> tuple[str | None, str | None]:
    """Return the chapter of a row, and how its account begins where it has none.

    Accounts that begin with 0 (001, 002, 021, 023 …) exist in budgets only, where each is a chapter by itself.
    """
    if row.chapter or row.account is None:
        return row.chapter, None
    return (row.account, None) if row.account.startswith("0") else (None, row.account[:2])


def gaps(budget: Budget) -> tuple[Gap, ...]:
    """Return what does not balance in a vote; nothing for accounts."""
    return tuple(gap for gap in _compared(budget) if gap.expenses != gap.receipts) if budget.decision in VOTES else ()


def words(budget: Budget) -> tuple[str, ...]:
    """Return the budget in a few sentences of the current language: what was decided, then each section."""
    place = {"name": budget.name or messages("unnamed"), "year": str(budget.year or messages("unknown"))}
    first = messages("words.budget", decision=labels.decision(budget.decision, budget.number), **place)
    return (first, *(_sentence(budget, each) for each in sections(budget)))


def _sentence(budget: Budget, summary: SectionSummary) -> str:
    name = labels.section(summary.section, budget.nomenclature)
    if budget.decision in ACCOUNTS:
        found, key = (summary.expenses.achieved, summary.receipts.achieved, summary.result), "words.result"
    else:
        found = (summary.expenses.total, summary.receipts.total, abs(summary.balance))
        key = "words.balanced" if summary.is_balanced else "words.surplus" if summary.balance > 0 else "words.deficit"
    expenses, receipts, difference = map(labels.euros, found)
    return messages(key, section=name, expenses=expenses, receipts=receipts, difference=difference)


def _section(budget: Budget, section: Section) -> SectionSummary:
    return SectionSummary(
        section=section,
        expenses=budget.amounts(section, Sense.EXPENSE),
        receipts=budget.amounts(section, Sense.RECEIPT),
        order_expenses=budget.amounts(section, Sense.EXPENSE, *_ORDER),
        order_receipts=budget.amounts(section, Sense.RECEIPT, *_ORDER),
    )


def _compared(budget: Budget) -> Iterator[Gap]:
    other = {Section.FUNCTIONING: Section.INVESTMENT, Section.INVESTMENT: Section.FUNCTIONING}
    for section in other:
        expenses, receipts = (budget.amounts(section, sense).total for sense in (Sense.EXPENSE, Sense.RECEIPT))
        yield Gap("section", section, expenses, receipts)
    for section, opposite in other.items():
        expenses = budget.amounts(section, Sense.EXPENSE, Operation.ORDER_BETWEEN).total
        yield Gap("between", section, expenses, budget.amounts(opposite, Sense.RECEIPT, Operation.ORDER_BETWEEN).total)
        expenses = budget.amounts(section, Sense.EXPENSE, Operation.ORDER_WITHIN).total
        yield Gap("within", section, expenses, budget.amounts(section, Sense.RECEIPT, Operation.ORDER_WITHIN).total)
