"""A budget gathered by chapter: the same document, small whatever its size, which totals and presentations are made of.

What people are shown is read apart, in the sandbox: a budget comes from outside, and a large one takes seconds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core import sandbox
from core.errors import UnreadableInput
from schemas.budget.model import Amounts, Budget, BudgetDocument, Operation, Row, Section, Sense
from schemas.budget.rules import examine
from schemas.budget.summary import chapter_of

DOCUMENT = TypeAdapter(BudgetDocument)
"""A document as JSON, and back."""

_MOST, _MOST_OF_ONE, _MOST_ANNEXES = 10_000, 400, 100
_MEMORY, _SECONDS = 256 << 20, 300.0


def read_apart(folder: Path, name: str) -> BudgetDocument:
    """Return a budget gathered by chapter, read in the sandbox.

    Args:
        folder: a temporary one, of the file alone.
        name: of the file in it.

    Raises:
        Declined: it cannot be read as a budget; the message says why.
        SandboxError: it took too much time or memory.
        Unavailable: too many wait for their turn.
    """
    answer = sandbox.call("schemas.budget.gathering:gather", name, folder=folder, memory=_MEMORY, seconds=_SECONDS)
    try:
        return DOCUMENT.validate_python(answer)
    except ValidationError as error:
        raise sandbox.Died from error


def gather(name: str) -> Any:
    """Answer with a budget gathered by chapter; the sandbox's side of ``read_apart``.

    Raises:
        UnreadableInput: it is no budget that can be read.
    """
    document, report = examine(Path(name))
    if document is None:
        raise UnreadableInput(report.problems[0].message)
    return DOCUMENT.dump_python(gathered(document), mode="json")


def gathered(document: BudgetDocument) -> BudgetDocument:
    """Return a document whose rows are chapters, and without its general information and its table of contents.

    Of a document with more than 10 000 rows, or of a budget with more than 400, the last ones are merged whatever their chapter.
    """
    budgets, room = [], _MOST
    for budget in document.budgets:
        budgets.append(_gathered(budget, min(room, _MOST_OF_ONE)))
        room -= len(budgets[-1].rows)
    return replace(document, budgets=tuple(budgets))


def _gathered(budget: Budget, room: int) -> Budget:
    rows: dict[tuple[Section, Sense, Operation, str | None, str | None], Row] = {}
    merged = False
    for row in budget.rows:
        chapter, accounts = chapter_of(row)
        key = (row.section, row.sense, row.operation, chapter, accounts)
        if key not in rows and len(rows) >= room:
            key, merged = (*key[:3], None, None), True
        before = rows.get(key)
        amounts = (before.amounts if before else Amounts()) + row.amounts
        rows[key] = Row(*key, lines=(before.lines if before else 0) + row.lines, amounts=amounts)
    complete = budget.rows_complete and not merged
    annexes = budget.annexes[:_MOST_ANNEXES]
    return replace(budget, rows=tuple(rows.values()), rows_complete=complete, annexes=annexes, listed={}, information={})
