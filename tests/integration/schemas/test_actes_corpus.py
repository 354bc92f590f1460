"""Every message, envelope and archive of the corpus gets the verdict that its manifest asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.problems import Report
from schemas.actes.messages import RetourClassification
from schemas.actes.reader import read
from schemas.actes.rules import Limits, Operator, examine_archive, examine_envelope, examine_message

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "actes"
KINDS = ("actes-message", "actes-envelope", "actes-archive")
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Expected:
    file: str
    kind: str
    check: str
    rules: tuple[str, ...]


def _expected() -> list[Expected]:
    listed = CORPUS / "expected.jsonl"
    entries = [json.loads(line) for line in listed.read_text().splitlines()] if listed.is_file() else []
    return [
        Expected(entry["file"], entry["kind"], entry["check"], tuple(entry["rules"]))
        for entry in entries
        if entry["kind"] in KINDS
    ]


def _examined(expected: Expected, folder: Path) -> Report:
    path = CORPUS / expected.file
    if expected.kind == "actes-archive":
        return examine_archive(path, folder=folder)[1]
    return (examine_message if expected.kind == "actes-message" else examine_envelope)(path)[1]


def test_the_corpus_is_there(shared: Path) -> None:
    assert len(_expected()) > 45, shared


@pytest.mark.parametrize("expected", _expected(), ids=lambda expected: expected.file)
def test_a_file_of_the_corpus_gets_the_verdict_of_its_manifest(expected: Expected, tmp_path: Path) -> None:
    report = _examined(expected, tmp_path)
    assert report.kind == expected.kind
    assert set(expected.rules) <= {problem.rule for problem in report.problems}
    if expected.check != "either":
        assert report.verdict.value == expected.check, report.problems
    for problem in report.problems:
        assert problem.message
        assert problem.mend


@pytest.mark.parametrize("number", range(1, 14))
def test_an_archive_of_the_corpus_breaks_the_rules_of_its_manifest_and_no_other(
    number: int, shared: Path, tmp_path: Path
) -> None:
    breaks = {5: {"R18"}, 6: {"R20"}, 7: {"R19"}, 8: {"R22"}, 9: {"R23"}, 10: {"R12"}, 11: {"R11", "R19"}, 12: {"R08", "R14"}}
    found = read(shared / "corpus/actes/synthetic/messages/040-254002264----7-2_110.xml").message
    assert isinstance(found, RetourClassification)
    name = f"SIC-EACT--254002264--20240316-{number}.tar.gz"
    report = examine_archive(
        shared / "corpus/actes/synthetic/archives" / name,
        folder=tmp_path,
        operator=Operator("SIC", "EACT", "retour@tdt.example.fr"),
        classification=found.classification,
    )[1]
    assert {problem.rule for problem in report.problems} == breaks.get(number, set())


def test_the_classification_of_2019_is_read_whole(shared: Path) -> None:
    found = read(shared / "corpus/actes/pastell/999-1234----7-2_1.xml").message
    assert isinstance(found, RetourClassification)
    classification = found.classification
    assert {nature.code: len(nature.types) for nature in classification.natures} == {1: 18, 2: 9, 3: 36, 4: 47, 5: 3, 6: 2}
    assert classification.find((7, 10)) is not None
    assert classification.find((1, 1, 10)) is not None
    assert [found.path[0] for found in classification.walk() if len(found.path) == 1] == list(range(1, 10))


def test_one_hundred_and_fifty_megabytes_pass_one_more_is_refused_and_memory_stays_flat(tmp_path: Path) -> None:
    """In a process of its own, whose memory at its peak is then what the archive took."""
    story = Path(__file__).with_name("actes_large.py")
    command = [sys.executable, str(story), str(tmp_path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parents[3]).stdout)
    assert {size: run["rules"] for size, run in told.items()} == {"1": [], "150": [], "151": ["R05"]}
    grown = told["151"]["peak"] - told["1"]["peak"]
    assert grown < 8 * MEGABYTE, f"{grown / MEGABYTE:.1f} MB more than for an archive of 1 MB"


def test_the_limit_of_act_and_annexes_is_150_megabytes_unless_the_caller_says_otherwise() -> None:
    assert Limits().documents == 150 * MEGABYTE
