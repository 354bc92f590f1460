"""A PES of our own without a fault, and the look that the rules take at any octets in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.problems import Problem, Report
from schemas.pes.reader import PesDocument
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SchemaSets

Examine = Callable[[bytes], tuple[PesDocument | None, Report]]


@pytest.fixture(scope="module")
def schemas() -> SchemaSets:
    return SchemaSets(None)


@pytest.fixture
def clean(tmp_path: Path) -> bytes:
    path = tmp_path / "clean.xml"
    write_sample(Sample("PESALR1_ESSAI"), path)
    return path.read_bytes()


@pytest.fixture
def look(tmp_path: Path, schemas: SchemaSets) -> Examine:
    def look_at(content: bytes) -> tuple[PesDocument | None, Report]:
        path = tmp_path / "flow.xml"
        path.write_bytes(content)
        return examine(path, schemas=schemas)

    return look_at


def the_one(report: Report, rule: str) -> Problem:
    """The only problem of a rule."""
    (problem,) = [problem for problem in report.problems if problem.rule == rule]
    return problem
