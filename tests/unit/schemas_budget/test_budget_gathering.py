"""A budget gathered by chapter: small, and of the same sums; lines without a chapter stand under their accounts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from core.sandbox import Declined
from schemas.budget import gathering, labels, summary
from schemas.budget.gathering import DOCUMENT, gathered, read_apart
from schemas.budget.model import Amounts, BudgetDocument, Operation, Row, Section, Sense
from schemas.budget.reader import read
from schemas.budget.sample import SampleBudget
from tests.unit.schemas_budget.samples import octets, unsealed


@pytest.fixture
def document(tmp_path: Path) -> BudgetDocument:
    (tmp_path / "budget.xml").write_bytes(octets(tmp_path, SampleBudget(lines=20, annexes=2)))
    return read(tmp_path / "budget.xml")


def test_what_is_gathered_says_the_same_with_fewer_rows(document: BudgetDocument) -> None:
    (whole,), (small,) = document.budgets, gathered(document).budgets
    assert len(small.rows) < len(whole.rows)
    assert sum(row.lines for row in small.rows) == whole.lines
    for told in (summary.words, summary.chapters, summary.sections, summary.gaps):
        assert told(small) == told(whole)
    assert (small.information, small.listed) == ({}, {})
    assert DOCUMENT.validate_json(DOCUMENT.dump_json(gathered(document))) == gathered(document)


def test_chapters_beyond_the_bound_are_merged_and_nothing_is_lost(
    document: BudgetDocument, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = document.budgets
    monkeypatch.setattr(gathering, "_MOST_OF_ONE", 2)
    (merged,) = gathered(document).budgets
    assert not merged.rows_complete
    assert len(merged.rows) < len({summary.chapter_of(row) for row in whole.rows}) + 4
    assert summary.words(merged) == summary.words(whole)


@pytest.mark.parametrize(
    ("chapter", "account", "told"),
    [("011", "60612", ("011", None)), (None, "002", ("002", None)), (None, "7015", (None, "70")), (None, None, (None, None))],
    ids=["chapter", "result", "account", "nothing"],
)
def test_a_line_without_a_chapter_stands_under_its_account(
    chapter: str | None, account: str | None, told: tuple[str | None, str | None]
) -> None:
    row = Row(Section.FUNCTIONING, Sense.RECEIPT, Operation.REAL, chapter, account, 1, Amounts(voted=Decimal(1)))
    assert summary.chapter_of(row) == told


def test_a_budget_is_read_apart_and_one_that_cannot_be_says_why(tmp_path: Path) -> None:
    sealed, cut, folder = octets(tmp_path), unsealed(tmp_path)[:400], tmp_path / "apart"
    folder.mkdir()
    (folder / "b.xml").write_bytes(sealed)
    assert read_apart(folder, "b.xml") == gathered(read(folder / "b.xml"))
    (folder / "b.xml").write_bytes(cut)
    with pytest.raises(Declined, match="tronqué"):
        read_apart(folder, "b.xml")


def test_chapters_by_nature_have_words_and_others_none() -> None:
    assert labels.chapter("011") == "Charges à caractère général"
    assert labels.chapter("4581001") == "Opérations pour le compte de tiers"
    assert labels.chapter("930") is None
