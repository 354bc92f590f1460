"""The budgets of the corpus: verdicts of its manifest, and sums that an independent reading finds again."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from core.problems import Severity
from schemas.budget.model import Section, Sense
from schemas.budget.reader import read
from schemas.budget.rules import examine
from schemas.budget.seal import Form, check_seal
from schemas.xml import DoctypeRefused, Malformed

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "actes"
SEALED = ("BP2022_TRANSPORT.xml", "*-BP-2022-*.xml", "*-CA-2021-*.xml", "*-DM1-2022-*.xml")
NAMESPACE = "{http://www.minefi.gouv.fr/cp/demat/docbudgetaire}"
FIELDS = {
    "MtBudgPrec": "previous",
    "MtRARPrec": "carried_over",
    "MtPropNouv": "proposed",
    "MtPrev": "voted",
    "CredOuv": "opened",
    "MtReal": "achieved",
    "MtRAR3112": "remaining",
}


def entries() -> list[dict[str, str]]:
    listed = CORPUS / "expected.jsonl"
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.is_file() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == "budget"]


@pytest.fixture(params=SEALED)
def sealed(request: pytest.FixtureRequest, shared: Path) -> Path:
    (path,) = (shared / "corpus" / "actes" / "budget").glob(request.param)
    return path


def test_the_budgets_of_the_corpus_are_there(shared: Path) -> None:
    assert len(entries()) == 6, shared


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["file"])
def test_a_budget_gets_the_verdict_and_the_rules_of_its_manifest(entry: dict[str, str], shared: Path) -> None:
    _, report = examine(shared / "corpus" / "actes" / entry["file"])
    assert report.kind == "budget"
    assert report.verdict.value == entry["check"]
    assert sorted({problem.rule for problem in report.errors}) == sorted(entry["rules"])


def test_a_real_seal_holds_as_it_stands_and_minified(sealed: Path, tmp_path: Path) -> None:
    assert check_seal(sealed).form is Form.AS_IS
    minified = tmp_path / "minified.xml"
    minified.write_bytes(re.sub(rb">\s+<", b"><", sealed.read_bytes()))
    assert check_seal(minified).form is Form.INDENTED
    lines = tmp_path / "lines.xml"
    lines.write_bytes(sealed.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert check_seal(lines).form is Form.AS_IS


def test_a_changed_octet_of_a_real_budget_is_found(sealed: Path, tmp_path: Path) -> None:
    content = sealed.read_bytes()
    path = tmp_path / "changed.xml"
    seal = re.search(rb"<Scellement[^>]*>", content)
    assert seal is not None
    first = content.index(b"<DocumentBudgetaire")
    missed = []
    for at in range(first, len(content), max(1, (len(content) - first) // 100)):
        if seal.start() <= at < seal.end():
            continue
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        try:
            if check_seal(path).form is not None:
                missed.append(at)
        except (Malformed, DoctypeRefused):
            continue
    assert missed == []


def test_sums_are_those_of_an_independent_reading(sealed: Path) -> None:
    """By lxml, on the tree, line by line; sections by the first digit of the account and the chapters that begin with 0."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for line in etree.parse(sealed).iter(f"{NAMESPACE}LigneBudget"):
        values = {etree.QName(child).localname: child.get("V") for child in line if child.get("Code") is None}
        account = values.get("Nature") or values["ContNat"]
        functioning = account[0] in "67" or account in {"002", "022", "023"}
        for element, field in FIELDS.items():
            sums["F" if functioning else "I", values["CodRD"], field] += Decimal(values.get(element, "0"))
    (budget,) = read(sealed).budgets
    for section in (Section.FUNCTIONING, Section.INVESTMENT):
        for sense in (Sense.EXPENSE, Sense.RECEIPT):
            found = budget.amounts(section, sense)
            assert {field: getattr(found, field) for field in FIELDS.values()} == {
                field: sums[section.value, sense.value, field] for field in FIELDS.values()
            }
    assert not budget.amounts(Section.UNKNOWN, Sense.UNKNOWN).voted
    assert not budget.flaws


def test_votes_of_the_corpus_balance_and_their_open_credits_are_what_was_voted_and_carried_over(sealed: Path) -> None:
    _, report = examine(sealed)
    assert report.problems == []
    (budget,) = read(sealed).budgets
    for section in (Section.FUNCTIONING, Section.INVESTMENT):
        for sense in (Sense.EXPENSE, Sense.RECEIPT):
            amounts = budget.amounts(section, sense)
            assert amounts.opened in (amounts.total, Decimal(0))


def test_every_problem_says_what_to_do(shared: Path) -> None:
    for path in sorted((shared / "corpus" / "actes" / "budget").glob("*.xml")):
        for problem in examine(path)[1].problems:
            assert problem.mend
            assert problem.expected or problem.severity is Severity.WARNING
