"""Every sample with an expected answer gets it: the verdict of ``verify``, and the rules on signatures of ``check``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import UnreadableInput
from core.problems import Problem, Severity
from schemas import xml
from schemas.pes.versions import SchemaSets
from signing.pes.bulk import Bulk
from signing.pes.examination import examine
from signing.pes.rules import check_signatures
from signing.pes.verifier import verify
from signing.trust import TrustStore

pytestmark = pytest.mark.usefixtures("reading")

CORPUS = Path(__file__).parents[3] / "../shared/corpus"
KINDS = {"pes-aller", "pes-acquit", "pes-retour"}


def expectations(folder: str) -> list[Any]:
    listing = CORPUS / folder / "expected.jsonl"
    lines = listing.read_text().splitlines() if listing.is_file() else []
    entries = [{"folder": folder, **json.loads(line)} for line in lines]
    return [pytest.param(entry, id=entry["file"]) for entry in entries if entry["kind"] in KINDS]


ENTRIES = [*expectations("pes"), *expectations("signatures")]


def test_there_are_samples(shared: Path) -> None:
    assert shared.is_dir()
    assert len(ENTRIES) > 80


def context(shared: Path, entry: dict[str, Any]) -> tuple[Path, TrustStore | None, datetime | None]:
    folder = shared / "corpus" / entry["folder"]
    trust = TrustStore.from_folder(folder / entry["trust_dir"]) if "trust_dir" in entry else None
    at = datetime.fromisoformat(entry["at"]).replace(tzinfo=UTC) if "at" in entry else None
    return folder / entry["file"], trust, at


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.values[0]["verify"]])
def test_the_verdict_is_the_expected_one(shared: Path, entry: dict[str, Any]) -> None:
    path, trust, at = context(shared, entry)
    assert verify(path, trust=trust, at=at).verdict == entry["verify"], entry["why"]


@pytest.mark.parametrize("entry", [one for one in ENTRIES if any(rule[0] == "S" for rule in one.values[0]["rules"])])
def test_the_rules_on_signatures_are_reported(shared: Path, entry: dict[str, Any]) -> None:
    path, trust, at = context(shared, entry)
    problems = check_signatures(xml.parse(path), bulk=Bulk.of(path), trust=trust, at=at)
    assert {rule for rule in entry["rules"] if rule[0] == "S"} <= {problem.rule for problem in problems}, entry["why"]
    if entry["check"] == "rejected":
        assert errors(problems)


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.values[0]["check"] == "accepted"])
def test_what_is_accepted_breaks_no_rule_on_signatures(shared: Path, entry: dict[str, Any]) -> None:
    path, trust, at = context(shared, entry)
    assert check_signatures(xml.parse(path), bulk=Bulk.of(path), trust=trust, at=at) == []


@pytest.mark.parametrize(
    "name", ["pes/secu_doctype_entite_externe.xml", "pes/malforme_tronque.xml", "signatures/xades/h03_billion_laughs.xml"]
)
def test_what_cannot_be_read_is_said_to_be_unreadable(shared: Path, name: str) -> None:
    with pytest.raises(UnreadableInput):
        verify(shared / "corpus" / name, trust=None)


def test_the_rules_on_the_document_and_on_signatures_come_together(shared: Path) -> None:
    folder = shared / "corpus/pes"
    document, report = examine(
        folder / "pastell_libersign_signe_sha256_xades122.xml",
        schemas=SchemaSets(None),
        trust=TrustStore.from_folder(folder),
        at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    assert document is not None
    assert {"R06", "S02"} <= {problem.rule for problem in report.problems}
    lines = [problem.line or 0 for problem in report.problems]
    assert lines == sorted(lines)


def test_a_document_that_cannot_be_read_is_reported_without_signatures(shared: Path) -> None:
    document, report = examine(shared / "corpus/pes/malforme_tronque.xml", schemas=SchemaSets(None), trust=None)
    assert document is None
    assert {problem.rule for problem in report.problems} == {"R01"}


def test_a_signed_timestamp_is_reported_with_its_authority(shared: Path) -> None:
    folder = shared / "corpus/signatures"
    path = folder / "xades/v14_xades_t_signature_timestamp.xml"
    verdict = verify(path, trust=TrustStore.from_folder(folder / "pki"), at=datetime(2026, 11, 24, tzinfo=UTC))
    signature = verdict.signatures[0].as_json()
    assert signature["level"] == "T"
    assert signature["timestamps"][0]["valid"]
    assert signature["timestamps"][0]["trust"] == "trusted"


def errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]
