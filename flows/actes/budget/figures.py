"""The tables of a budget: what sections come to, and each section chapter by chapter; amounts are euros."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from babel.numbers import format_decimal

from core.messages import Catalogue, current_locale
from schemas.budget import labels, summary
from schemas.budget.model import Amounts, Budget, Operation, Section, Sense
from schemas.budget.summary import ACCOUNTS, Chapter
from signing.report.content import Line, Table, plain

_t = Catalogue("flows.actes.budget")
_ORDER = tuple(operation for operation in Operation if operation.is_order)
_VOTED = ("previous", "carried_over", "voted", "total")
_PROPOSED = ("previous", "carried_over", "proposed", "voted", "total")
_DONE = ("total", "achieved", "remaining")
_VOTED_HEAD = ("section", "expenses", "receipts", "gap")
_DONE_HEAD = ("section", "done.expenses", "done.receipts", "result", "balance")
APART = "*"
"""What marks lines without a chapter, which stand under what their accounts begin with."""


def overview(budget: Budget) -> Table:
    """Return what each section comes to: voted and carried over in a vote, achieved in accounts."""
    done = budget.decision in ACCOUNTS
    told, head = (_done, _DONE_HEAD) if done else (_voted, _VOTED_HEAD)
    parts = summary.sections(budget)
    lines = [
        Line((labels.section(one.section, budget.nomenclature), *map(amount, told(one.expenses, one.receipts)))) for one in parts
    ]
    whole = told(sum((one.expenses for one in parts), Amounts()), sum((one.receipts for one in parts), Amounts()))
    lines.append(Line((_t("total"), *map(amount, whole)), total=True))
    return Table(_t("overview"), tuple(_t(f"column.{name}") for name in head), 1, tuple(lines))


def _voted(expenses: Amounts, receipts: Amounts) -> tuple[Decimal, ...]:
    return expenses.total, receipts.total, receipts.total - expenses.total


def _done(expenses: Amounts, receipts: Amounts) -> tuple[Decimal, ...]:
    result, remaining = receipts.achieved - expenses.achieved, receipts.remaining - expenses.remaining
    return expenses.achieved, receipts.achieved, result, remaining


def details(budget: Budget) -> Iterator[Table]:
    """Return a table for each section and sense, chapter by chapter; chapters without any amount are left out."""
    columns = _columns(budget)
    chapters = [one for one in summary.chapters(budget) if any(_values(one.amounts, columns))]
    for section in (Section.FUNCTIONING, Section.INVESTMENT):
        for sense in (Sense.EXPENSE, Sense.RECEIPT):
            if told := [one for one in chapters if (one.section, one.sense) == (section, sense)]:
                yield _detail(budget, section, sense, told, columns)


def _detail(budget: Budget, section: Section, sense: Sense, chapters: list[Chapter], columns: tuple[str, ...]) -> Table:
    order = budget.amounts(section, sense, *_ORDER)
    lines = [Line((*_named(one), *_figures(one.amounts, columns))) for one in chapters]
    lines.append(Line(("", _t("total"), *_figures(budget.amounts(section, sense), columns)), total=True))
    if any(_values(order, columns)):
        lines.append(Line(("", _t("order"), *_figures(order, columns))))
    title = _t(f"detail.{sense.name.lower()}", section=labels.section(section, budget.nomenclature))
    head = ("number", "chapter", *(("opened", *columns[1:]) if columns is _DONE else columns))
    return Table(title, tuple(_t(f"column.{name}") for name in head), 2, tuple(lines))


def _columns(budget: Budget) -> tuple[str, ...]:
    if budget.decision in ACCOUNTS:
        return _DONE
    return _VOTED if all(row.amounts.proposed == row.amounts.voted for row in budget.rows) else _PROPOSED


def _named(chapter: Chapter) -> tuple[str, str]:
    if chapter.code:
        return plain(chapter.code), labels.chapter(chapter.code) or _t("chapter.other")
    if chapter.accounts:
        return plain(f"{chapter.accounts}{APART}"), labels.chapter(chapter.accounts) or _t("chapter.other")
    return "", _t("chapter.none")


def _values(amounts: Amounts, columns: tuple[str, ...]) -> tuple[Decimal, ...]:
    return tuple(getattr(amounts, name) for name in columns)


def _figures(amounts: Amounts, columns: tuple[str, ...]) -> Iterator[str]:
    return map(amount, _values(amounts, columns))


def amount(value: Decimal) -> str:
    """Return an amount to the cent, without its unit."""
    return str(format_decimal(value, "#,##0.00", current_locale()))
