"""Budgets for the tests: the room's own sample, changed at will, and a way of examining octets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.problems import Problem, Report
from schemas.budget.model import BudgetDocument
from schemas.budget.rules import DEFAULT_LIMIT, examine
from schemas.budget.sample import SampleBudget, write_sample

SMALL = SampleBudget(lines=1, annexes=1)


def octets(folder: Path, sample: SampleBudget = SMALL) -> bytes:
    path = folder / "sample.xml"
    write_sample(sample, path)
    return path.read_bytes()


def unsealed(folder: Path, **changes: object) -> bytes:
    return octets(folder, replace(SMALL, sealed=None, **changes))  # type: ignore[arg-type]


def look(folder: Path, content: bytes, *, limit: int = DEFAULT_LIMIT) -> tuple[BudgetDocument | None, Report]:
    path = folder / "budget.xml"
    path.write_bytes(content)
    return examine(path, limit=limit)


def rules(report: Report) -> list[str]:
    return [problem.rule for problem in report.problems]


def the_one(report: Report) -> Problem:
    (problem,) = report.problems
    return problem
