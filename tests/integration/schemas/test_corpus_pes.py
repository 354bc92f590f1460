"""Every PES of the corpus gets the verdict that its manifest asks for, as far as this room decides it (not S rules)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.problems import Severity
from schemas.pes.rules import examine
from schemas.pes.versions import SchemaSets, import_set

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "pes"


@dataclass(frozen=True)
class Expected:
    file: str
    kind: str | None
    check: str
    rules: tuple[str, ...]


def _expected() -> list[Expected]:
    listed = CORPUS / "expected.jsonl"
    lines = listed.read_text().splitlines() if listed.is_file() else []
    entries = [json.loads(line) for line in lines]
    return [
        Expected(entry["file"], entry["kind"], entry["check"], tuple(entry["rules"]))
        for entry in entries
        if entry["file"].endswith(".xml")
    ]


@pytest.fixture(scope="module", params=["ours alone", "both official versions"])
def schemas(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> SchemaSets:
    if request.param == "ours alone":
        return SchemaSets(None)
    folder = tmp_path_factory.mktemp("schemas")
    assert import_set(shared / "official" / "pes", folder) == ["5.12", "5.17"]
    return SchemaSets(folder)


@pytest.mark.parametrize("expected", _expected(), ids=lambda expected: expected.file)
def test_a_file_of_the_corpus_gets_the_verdict_of_its_manifest(expected: Expected, schemas: SchemaSets) -> None:
    document, report = examine(CORPUS / expected.file, schemas=schemas)
    ours = {rule for rule in expected.rules if not rule.startswith("S")}
    found = {problem.rule for problem in report.problems}
    if expected.kind:
        assert report.kind == expected.kind
    assert ours <= found
    if expected.check == "accepted":
        assert report.verdict.value == "accepted", report.problems
    elif expected.check == "accepted-with-warnings":
        assert report.verdict.value == (expected.check if ours or not expected.rules else "accepted")
    elif expected.check == "rejected":  # for its signature alone, which is another room's
        assert (report.verdict.value == "rejected") == bool(ours), report.problems
    assert (document is None) == bool({"R01", "R02"} & found)


def test_the_corpus_is_there(shared: Path) -> None:
    assert len(_expected()) > 60, shared


def test_every_problem_says_in_french_what_to_do(shared: Path, schemas: SchemaSets) -> None:
    for path in sorted((shared / "corpus" / "pes").glob("*.xml")):
        for problem in examine(path, schemas=schemas)[1].problems:
            assert problem.message
            assert problem.mend
            assert not {"Element '", "facet", "atomic type"} & set(problem.message.split())
            assert problem.severity is not Severity.ERROR or problem.expected or problem.rule == "R06"


def test_accents_of_a_label_survive(shared: Path, schemas: SchemaSets) -> None:
    document, _ = examine(shared / "corpus" / "pes" / "pastell_HELIOS_SIMU_ALR2_LibelleColBud_avec_accent.xml", schemas=schemas)
    assert document is not None
    assert any(character in (document.header.libelle_col_bud or "") for character in "éèêàçÉ")


def test_the_acquits_of_the_corpus_answer_what_their_names_say(shared: Path, schemas: SchemaSets) -> None:
    answers = {}
    for path in sorted((shared / "corpus" / "pes").glob("acquit_*.xml")):
        _, report = examine(path, schemas=schemas)
        answers[path.name.split("_")[1]] = report.facts["acquit"]["answer"]
    assert answers == {"ko": "refused", "ok": "accepted", "partiel": "partial", "v1": "accepted"}
