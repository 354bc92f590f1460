"""The rule R06: what the schema finds, said to a person, and how much of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.problems import Severity, Verdict
from schemas.flood import flood
from schemas.pes import rules
from schemas.pes.compilation import compile_schema
from schemas.pes.reader import read
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SHOWN, SchemaSets
from tests.pes_looks import Examine, clean, look, schemas, the_one

__all__ = ["clean", "look", "schemas"]

OWN = Path(rules.__file__).parent


@pytest.mark.parametrize(
    ("before", "after", "found", "expected"),
    [
        (b'<IdPost V="099012"/>', b'<IdPost V="9901"/>', "9901", "codique"),
        (b'<CodCol V="123"/>', b'<CodCol V="000"/>', "000", "3 chiffres"),
        (b'<TypBord V="01"/>', b'<TypBord V="09"/>', "09", "01, 02, 03, 04"),
        (b'<MtHT V="10.37"/>', b'<MtHT V="10.375"/>', "10.375", "décimales"),
        (b'<MtHT V="10.37"/>', b'<MtHT V="-1"/>', "-1", "supérieur ou égal à 0"),
        (b'<DteBordEm V="2026-03-02"/>', b'<DteBordEm V="02/03/2026"/>', "02/03/2026", "AAAA-MM-JJ"),
        (b'<TVAIntraCom V="0"/>', b'<TVAIntraCom V="non"/>', "non", "0, 1"),
        (b'V="FACTURE F1-1"', b'V="' + b"x" * 71 + b'"', "x" * 71, "70 caractères"),
        (b'<IdBord V="101"/>', b'<IdBord V="0"/>', "0", "supérieur à 0"),
        (b'<IBAN V="FR', b'<IBAN V="fr', None, "IBAN"),
        (b'Id="BRD101"', b'Id="PES101"', "PES101", "unique"),
        (b'Id="BRD101"', b'Id="101"', "101", "commence par une lettre"),
        (b'<PJRef><Support V="01"/>', b"<PJRef>", None, "Support"),
        (b'<Support V="01"/>', b'<Support V="01"/><Support V="01"/>', "Support", "IdUnique"),
        (b'<IdVer V="2"/>', b"<IdVer/>", None, "attribut V"),
        (b'<IdVer V="2"/>', b'<IdVer V="2" W="1"/>', "W", None),
    ],
)
def test_a_breach_of_the_schema_is_told_in_french_with_rule_r06(
    before: bytes, after: bytes, found: str | None, expected: str | None, clean: bytes, look: Examine
) -> None:
    assert before in clean
    _, report = look(clean.replace(before, after, 1))
    problem = the_one(report, "R06")
    assert problem.severity is Severity.ERROR
    assert problem.path
    assert problem.path.startswith("/n:PES_Aller")
    assert (problem.line or 0) > 1
    assert found is None or problem.found == found
    assert expected is None or expected in (problem.expected or "")
    assert problem.mend


def test_all_breaches_are_reported_at_once(clean: bytes, look: Examine) -> None:
    broken = clean.replace(b'<CodBud V="00"/>', b'<CodBud V="0"/>').replace(b'<NatPce V="01"/>', b'<NatPce V="99"/>')
    assert [problem.rule for problem in look(broken)[1].problems] == ["R06", "R06"]


def test_a_flood_of_breaches_is_described_in_part_and_counted(tmp_path: Path, schemas: SchemaSets) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=SHOWN + 50), path)
    path.write_bytes(path.read_bytes().replace(b'<NatPce V="01"/>', b'<NatPce V="99"/>'))
    _, report = examine(path, schemas=schemas)
    assert len(report.problems) == SHOWN + 1
    assert any(problem.message.startswith("50 ") for problem in report.problems)


def test_a_dense_file_with_a_flood_of_breaches_is_given_up_early(clean: bytes, look: Examine) -> None:
    start, end = clean.index(b"<Piece>"), clean.index(b"</Bordereau>")
    _, report = look(clean[:start] + b"<Piece/>" * 100_000 + clean[end:])
    assert len([problem for problem in report.problems if problem.rule == "R06"]) == SHOWN + 1
    assert any("Au moins" in problem.message for problem in report.problems)
    assert "/n:PES_Aller/PES_DepenseAller/Bordereau/Piece[7]" in {problem.path for problem in report.problems}


def test_places_found_in_a_stream_are_those_found_in_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", bordereaux=3, pieces=20, lines=2), path)
    content = path.read_bytes().replace(b'<NatPce V="01"/>', b'<!-- c --><NatPce V="99"/>').replace(b'<CodRes V="0"/>', b"")
    path.write_bytes(
        content.replace(b"<BlocLignePiece>", b"<BlocLignePiece>text").replace(b'<NomPJ V="facture.pdf"/>', b"<NomPJ/>")
    )
    tree = read(path).tree
    schema = compile_schema(OWN / "PES_Aller.xsd", OWN)
    found = flood(schema, tree, lambda: path.open("rb"), 150)
    assert found is not None
    assert not schema.validate(tree)
    expected = [(entry.type_name, entry.message, entry.line, entry.path) for entry in schema.error_log]
    assert len(expected) > 200
    assert [(finding.code, finding.message, finding.line, finding.path) for finding in found[0]] == expected[:150]
    assert flood(schema, tree, lambda: path.open("rb"), len(expected)) is None


def test_a_dense_and_clean_file_is_accepted(tmp_path: Path, schemas: SchemaSets) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("PESALR1_ESSAI", pieces=1_500), path)
    assert examine(path, schemas=schemas)[1].verdict is Verdict.ACCEPTED
