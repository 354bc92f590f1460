"""Rules on mandats, titres and their lines (B06, B09 to B20): flows that break each, and flows just inside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.problems import Severity
from schemas.pes.rules import examine
from schemas.pes.sample import Sample, write_sample
from schemas.pes.versions import SchemaSets
from tests.pes_flows import DEPENSES, HOSPITAL, RECETTES, mandats, recette

SCHEMAS = SchemaSets(None)
REMARKS = {"B03", "B17", "B18", "B20"}
OF_A_ROLL = re.compile(r"<TypBord\s+V\s*=\s*['\"]06")  # whether Hélios refuses one of a number that is known cannot be told


def found(path: Path, content: str) -> list[str]:
    """Return the rules B told of a flow that the schema takes."""
    path.write_text(content, encoding="iso-8859-1")
    problems = [problem for problem in examine(path, schemas=SCHEMAS)[1].problems if problem.rule not in {"S01", "P04"}]
    for problem in problems:
        assert problem.rule.startswith("B"), problem
        assert problem.severity is Severity.WARNING
        remark = problem.rule in REMARKS or (problem.rule == "B02" and OF_A_ROLL.search(content))
        assert problem.scope == ("flow" if remark else "bordereau")
        assert problem.line
        assert problem.path
        assert problem.message
        assert problem.mend
    return sorted(problem.rule for problem in problems)


@pytest.mark.parametrize("name", RECETTES)
def test_a_titre_is_told_what_helios_refuses_it_for(name: str, tmp_path: Path) -> None:
    told, rules = RECETTES[name]
    assert found(tmp_path / "titres.xml", recette(**told)) == rules  # type: ignore[arg-type]


def test_a_period_of_invoicing_is_of_a_hospital(tmp_path: Path) -> None:
    period = ('<ObjPce V="Cantine"/>', '<ObjPce V="Cantine"/><DebFact V="2026-01-01"/><FinFact V="2026-01-31"/>')
    assert found(tmp_path / "flow.xml", recette().replace(*period)) == ["B18"]
    assert found(tmp_path / "flow.xml", recette(fin_jur=HOSPITAL).replace(*period)) == []


@pytest.mark.parametrize("name", DEPENSES)
def test_a_mandat_is_told_what_helios_refuses_it_for(name: str, tmp_path: Path) -> None:
    changes, rules = DEPENSES[name]
    path = tmp_path / "mandats.xml"
    assert found(path, mandats(path, changes)) == rules


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("reduction of another year", ("2025", "2026"), "(2025)"),
        ("of a closed year that is not", ("2026", "< 2026"), "(2026)"),
        ("reduction of no line", (None, "≥ 1"), "≥ 1"),
        ("after collection, by its line", ("1", "0"), "0)"),
        ("notice before its bordereau", ("2026-03-01", "≥ 2026-03-02"), "(2026-03-01)"),
        ("employer elsewhere", ("TypTiers 05", "rien de tel sans FinJur"), "M21 ou M22"),
        ("surcharge of an ordinary titre", ("05", "01, 02"), "(05)"),
        ("investment of an order", ("05", "01, 02, 03, 04"), "(05)"),
        ("after a titre", ("02", "03"), "(02)"),
        ("roll of an ordinary titre", ("3", "01 06 01"), "(3)"),
        ("lives abroad, of a French postcode", ("99001", "99999"), "(99001) autre que 99999"),
        ("insured, of a town", (None, "un autre identifiant, ou aucun"), "M21 ou M22"),
    ],
)
def test_what_was_found_and_expected_is_said(name: str, expected: tuple[str, str], said: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    text = recette(**RECETTES[name][0]) if name in RECETTES else mandats(path, DEPENSES[name][0])  # type: ignore[arg-type]
    path.write_text(text, encoding="iso-8859-1")
    (problem,) = (one for one in examine(path, schemas=SCHEMAS)[1].problems if one.rule.startswith("B"))
    assert (problem.found, problem.expected) == expected
    assert said in problem.message


WRITTEN_OTHERWISE = (
    (r">(\s*)<(?!\?)", r"><!-- MtHT V='1' --><?outil PES_PJ?>\1<"),
    (r'<(Majo|CodRes|TvaIntraCom|TVAIntraCom) V="1"', r'<\1 V=" true "'),
    (r'<(Majo|CodRes|TvaIntraCom|TVAIntraCom) V="0"', r'<\1 V="false "'),
    (r'<(MtHT|MtTVA|MtBordHT|MtBordHt|MtBordTVA) V="', r'<\1 V=" +00'),
    (r'<(IdPce|IdLigne|NbrPce|IdBord|CodPays) V="', r'<\1 V=" +0'),
    (r'<(DteBordEm|DteAsp) V="([^"]*)"', r'<\1 V="\2+01:00"'),
    (r'<(\w+) V="([^"]*)"/>', r"<\1   V = '\2'></\1>"),
)


@pytest.mark.parametrize("name", [*RECETTES, *DEPENSES])
def test_what_is_written_otherwise_is_told_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    told, rules = RECETTES.get(name, ({}, []))
    text = recette(**told)  # type: ignore[arg-type]
    if name in DEPENSES:
        changes, rules = DEPENSES[name]
        text = mandats(path, changes)
    for old, new in WRITTEN_OTHERWISE:
        text = re.sub(old, new, text)
    assert found(path, text) == rules


def test_of_a_rule_the_first_fifty_findings_are_told(tmp_path: Path) -> None:
    path = tmp_path / "flow.xml"
    write_sample(Sample("BEAUCOUP", pieces=60, attachment_size=None), path)
    text = path.read_text(encoding="iso-8859-1").replace('<ModRegl V="03"/>', '<ModRegl V="02"/>')
    assert found(path, text) == ["B07"] * 50
