"""What the simulated State makes of archives from the field: the same verdict as those who know the norm."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from connectors.actes.simulated_classification import demonstration
from connectors.actes.simulated_prefecture import Decision, Prefecture
from schemas.actes.messages import RetourClassification
from schemas.actes.reader import read
from schemas.actes.rules import Operator
from schemas.actes.writer import render

DAY = date(2026, 11, 20)


def decided(shared: Path, tmp_path: Path, number: int, *, strict: bool = False) -> Decision:
    corpus = shared / "corpus" / "actes" / "synthetic"
    (path,) = (corpus / "archives").glob(f"*-{number}.tar.gz")
    (returned,) = (corpus / "messages").glob("*7-2_110.xml")
    message = read(returned).message
    assert isinstance(message, RetourClassification)
    operator = Operator("SIC", "EACT")
    state = Prefecture(
        operator, message.classification, collectivites=None, strict=strict, act=lambda _: None, letters=lambda _: []
    )
    return state.decide(path, path.name, tmp_path, DAY)


@pytest.mark.parametrize("strict", [False, True], ids=["usual", "strict"])
@pytest.mark.parametrize(
    ("number", "outcome", "why"),
    [
        (1, "1-2", ""),
        (2, "1-2", ""),
        (3, "ANO", "ODT-VERIF-17"),
        (4, "7-2", ""),
        (5, "ANO", "R18"),
        (6, "1-3", "R20"),
        (7, "ANO", "R19"),
        (8, "1-3", "R22"),
        (9, "1-2", ""),
        (10, "ANO", "R12"),
        (11, "ANO", "R11"),
        (12, "ANO", "R08"),
        (13, "1-2 1-2", ""),
    ],
    ids=str,
)
def test_each_archive_of_the_corpus_is_answered_as_its_manifest_says(
    shared: Path, tmp_path: Path, number: int, outcome: str, why: str, strict: bool
) -> None:
    if number == 9 and strict:  # a PDF that is none: the State does not look, unless it is told to
        outcome, why = "1-3", "R23"
    decision = decided(shared, tmp_path, number, strict=strict)
    assert decision.outcome == outcome
    assert why in (getattr(decision.answers[0].message, "detail", "") or "")


def test_the_classification_of_the_demonstration_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "040-214009995----7-2_1.xml"
    path.write_bytes(render(RetourClassification(demonstration())))
    found = read(path)
    assert found.message == RetourClassification(demonstration())
    assert found.findings == ()
