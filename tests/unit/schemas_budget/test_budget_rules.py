"""Rule R27 and its kin: each way in which a budget can be wrong has words of its own, and figures never refuse."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.messages import speaking
from core.problems import Severity, Verdict
from schemas.budget.events import Bounds, Excessive, walk
from schemas.budget.sample import SampleBudget
from schemas.budget.seal import seal
from tests.unit.schemas_budget.samples import SMALL, look, octets, rules, the_one, unsealed

PROLOG = b'<?xml version="1.0" encoding="ISO-8859-1"?>\n'


def test_a_sealed_and_balanced_budget_is_accepted_with_what_it_says(tmp_path: Path) -> None:
    document, report = look(tmp_path, octets(tmp_path))
    assert document is not None
    assert report.kind == "budget"
    assert report.verdict is Verdict.ACCEPTED
    assert report.facts["seal"]["form"] == "as-is"
    assert report.facts["header"]["siret"] == SMALL.siret
    (budget,) = report.facts["budgets"]
    assert budget["decision_label"] == "Budget primitif"
    assert budget["sections"]["functioning"]["total_expenses"] == "2500.50"
    assert budget["sections"]["functioning"]["balanced"] is True
    assert budget["summary"][0] == "Budget primitif, exercice 2026\u00a0: BUDGET PRINCIPAL."


def test_each_fault_of_the_seal_or_of_the_file_has_its_own_words(tmp_path: Path) -> None:
    sealed = octets(tmp_path)
    files = {
        "empty": b"",
        "malformed": sealed.replace(b"</Budget>", b"</Budgets>"),
        "cut": sealed[: len(sealed) // 2],
        "cut in a tag": sealed[: sealed.index(b"LigneBudget") + 4],
        "another document": PROLOG + b"<PES_Aller/>",
        "header": re.sub(rb"<EnTeteDoc.*</EnTeteDocBudgetaire>\s*", b"", unsealed(tmp_path), flags=re.DOTALL),
        "no budget": re.sub(rb"<Budget>.*</Budget>\s*", b"", unsealed(tmp_path), flags=re.DOTALL),
        "not through the tool": unsealed(tmp_path, rematerialised=False),
        "not sealed": unsealed(tmp_path),
        "sealed twice": re.sub(rb"(<Scellement[^>]*>)", rb"\1\1", sealed),
        "altered": sealed.replace(b'V="01"', b'V="03"'),
        "seal damaged": re.sub(rb'md5="....', b'md5="AAAA', sealed),
        "stuffed": re.sub(rb"(<Scellement[^>]*)/>", rb"\1>x</Scellement>", sealed),
    }
    told = {}
    for name, content in files.items():
        _, report = look(tmp_path, content)
        assert report.verdict is Verdict.REJECTED, name
        assert set(rules(report)) == {"R27"}, name
        problem = report.errors[0]
        assert problem.expected, name
        assert problem.mend, name
        told[name] = problem.message
    assert told.pop("cut in a tag") == told["cut"]
    assert len(set(told.values())) == len(told)
    assert "tronqué" in told["cut"]
    assert "tronqué" in told["no budget"]
    assert "modifié depuis son scellement" in told["altered"]


def test_a_sealed_budget_without_a_line_warns_since_the_format_allows_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare.xml"
    bare.write_bytes(re.sub(rb"<LigneBudget>.*</LigneBudget>\s*", b"", unsealed(tmp_path), flags=re.DOTALL))
    seal(bare, tmp_path / "sealed.xml", at=datetime(2026, 4, 1, tzinfo=UTC))
    _, report = look(tmp_path, (tmp_path / "sealed.xml").read_bytes())
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert the_one(report).rule == "R27"


def test_the_line_of_a_cut_or_broken_file_is_told(tmp_path: Path) -> None:
    content = octets(tmp_path)
    broken = content.replace(b"</BlocBudget>", b"</Bloc>")
    problem = the_one(look(tmp_path, broken)[1])
    assert problem.line == broken[: broken.index(b"</Bloc>")].count(b"\n") + 1


def test_a_header_alone_with_the_seal_of_the_whole_is_truncated_and_altered(tmp_path: Path) -> None:
    _, report = look(tmp_path, re.sub(rb"<Budget>.*</Budget>\s*", b"", octets(tmp_path), flags=re.DOTALL))
    assert [problem.message[:20] for problem in report.errors] == ["Le document est tron", "Le budget a été modi"]


def test_a_doctype_is_refused_as_xml(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
    for doctype in (b"<!DOCTYPE DocumentBudgetaire>", bomb, b'<!DOCTYPE a SYSTEM "file:///etc/passwd">'):
        document, report = look(tmp_path, octets(tmp_path).replace(b"<DocumentBudgetaire", doctype + b"<DocumentBudgetaire", 1))
        assert document is None
        assert rules(report) == ["XML"]
        assert "DOCTYPE" in the_one(report).message


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (b"<a>" * 100_000, "emboîte plus de 100"),
        (b"<a>" + b"x" * (17 << 20), "Un texte"),
        (b'<a b="' + b"x" * (3 << 20) + b'"/>', "Une balise"),
        (b"<!--" + b"x" * (3 << 20) + b"-->", "Une balise ou un commentaire"),
        (b"<a " + b" ".join(b'b%d=""' % rank for rank in range(300_000)) + b"/>", "Une balise"),
        (b"<a>" + b" " * (17 << 20), "Un texte"),
        (b"<Budget/>" * 201, "plus de 200 budgets"),
    ],
    ids=["deep", "text", "attribute", "comment", "attributes", "blanks", "budgets"],
)
def test_what_is_out_of_proportion_is_refused_in_words(tmp_path: Path, hostile: bytes, words: str) -> None:
    _, report = look(tmp_path, octets(tmp_path).replace(b"<Budget>", hostile + b"<Budget>"))
    assert rules(report) == ["XML"]
    assert words in the_one(report).message


@pytest.mark.parametrize("flood", [b"<a/>", b"<!-- -->", b"<?a?>"], ids=["elements", "comments", "instructions"])
def test_a_flood_of_events_is_stopped(tmp_path: Path, flood: bytes) -> None:
    path = tmp_path / "flood.xml"
    path.write_bytes(b"<a>" + flood * 1_000 + b"</a>")
    walk(path, [], Bounds(events=1_001))
    with pytest.raises(Excessive, match="events above 1000"):
        walk(path, [], Bounds(events=1_000))


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    content = octets(tmp_path)
    document, report = look(tmp_path, content, limit=len(content) - 1)
    assert document is None
    assert rules(report) == ["R05"]
    assert look(tmp_path, content, limit=len(content))[1].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("encoding", ["EBCDIC-NOWHERE", "EUC-JP", ""])
def test_an_encoding_that_is_not_known_is_malformed(tmp_path: Path, encoding: str) -> None:
    _, report = look(tmp_path, octets(tmp_path).replace(b"ISO-8859-1", encoding.encode()))
    assert rules(report) == ["R27"]


def test_a_right_seal_without_the_versions_of_the_tool_only_warns(tmp_path: Path) -> None:
    bare = unsealed(tmp_path, rematerialised=False)
    document, _ = look(tmp_path, bare)
    assert document is not None
    prints = document.seal.indented
    tag = f'<Scellement md5="{prints.md5}" sha1="{prints.sha1}" date="2026-04-01T10:00:00"/>\n   <EnTeteDocBudgetaire>'
    _, report = look(tmp_path, bare.replace(b"<EnTeteDocBudgetaire>", tag.encode()))
    assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
    assert "version de TotEM" in the_one(report).message


def test_a_date_of_sealing_that_is_none_is_told(tmp_path: Path) -> None:
    for date in (b"", b"2026-13-45", b"hier"):
        _, report = look(tmp_path, re.sub(rb'(<Scellement.*date=")[^"]*', rb"\g<1>" + date, octets(tmp_path)))
        assert report.verdict is Verdict.ACCEPTED_WITH_WARNINGS
        assert the_one(report).rule == "R27"


@pytest.mark.parametrize(
    ("added", "words"),
    [(Decimal("10.25"), "dépassent les recettes"), (Decimal("-10.25"), "dépassent les dépenses")],
    ids=["deficit", "surplus"],
)
def test_a_section_that_does_not_balance_warns_and_never_refuses(tmp_path: Path, added: Decimal, words: str) -> None:
    _, report = look(tmp_path, octets(tmp_path, SampleBudget(lines=2, unbalanced_by=added)))
    problem = the_one(report)
    assert problem.rule == "L.1612-4"
    assert problem.severity is Severity.WARNING
    assert words in problem.message
    assert problem.found == "10,25\u00a0€"
    assert problem.message.startswith("Section de fonctionnement")


def test_accounts_show_a_result_and_need_not_balance(tmp_path: Path) -> None:
    _, report = look(tmp_path, octets(tmp_path, SampleBudget(lines=2, decision="09", unbalanced_by=Decimal(10))))
    assert report.verdict is Verdict.ACCEPTED
    assert report.facts["budgets"][0]["sections"]["functioning"]["result"] == "-10.00"
    assert "soit un résultat de -10,00\u00a0€" in report.facts["budgets"][0]["summary"][1]


def test_order_operations_that_do_not_answer_each_other_warn(tmp_path: Path) -> None:
    content = unsealed(tmp_path).decode("iso-8859-1")
    lines = content.split("<LigneBudget>")
    # Both lines are of investment, which still balances: the transfer alone differs from functioning.
    lines = [line.replace("1500.50", "1400.50") if 'V="13913"' in line or 'V="28188"' in line else line for line in lines]
    _, report = look(tmp_path, "<LigneBudget>".join(lines).encode("iso-8859-1"))
    warnings = [problem for problem in report.problems if problem.severity is Severity.WARNING]
    assert [problem.rule for problem in warnings] == ["BUDGET", "BUDGET"]
    assert all("entre sections" in problem.message for problem in warnings)


def test_order_operations_inside_a_section_that_do_not_answer_each_other_warn(tmp_path: Path) -> None:
    _, report = look(tmp_path, unsealed(tmp_path).replace(b'<TypOpBudg V="2"/>', b'<TypOpBudg V="1"/>', 1))
    warnings = [problem.message for problem in report.problems if problem.severity is Severity.WARNING]
    assert len(warnings) == 2
    assert any(message.startswith("Section de fonctionnement\u00a0: les opérations d’ordre internes") for message in warnings)


def test_lines_that_cannot_be_placed_or_read_are_counted_and_told(tmp_path: Path) -> None:
    content = unsealed(tmp_path)
    content = content.replace(b'<Nature V="2031"/>', b'<Nature V="XYZ"/>').replace(b'<ContNat V="20"/>', b"")
    content = content.replace(b'<MtBudgPrec V="1000.00"/>', b'<MtBudgPrec V="mille"/>')
    content = (
        content.replace(b'<CodRD V="R"/>', b'<CodRD V="X"/>', 1).replace(b'V="01"', b'V="77"').replace(b'V="2026"', b'V="MMXXVI"')
    )
    _, report = look(tmp_path, content)
    told = {problem.path.rpartition("/")[2]: problem for problem in report.problems if problem.rule == "BUDGET" and problem.path}
    assert set(told) == {"Nature", "CodRD", "MtBudgPrec", "NatDec", "Exer"}
    assert told["Nature"].found == "XYZ"
    assert ": 4." in told["MtBudgPrec"].message
    assert told["MtBudgPrec"].line == content[: content.index(b"<LigneBudget>")].count(b"\n") + 1
    assert all(problem.severity is Severity.WARNING for problem in told.values())


def test_no_message_quotes_a_file_at_length(tmp_path: Path) -> None:
    long = b"9" * 100_000
    _, report = look(
        tmp_path, octets(tmp_path).replace(b'V="01"', b'V="' + long + b'"').replace(b'V="1000.00"', b'V="' + long + b'"')
    )
    assert max(len(problem.message) for problem in report.problems) < 600


def test_english_is_spoken_too(tmp_path: Path) -> None:
    with speaking("en"):
        _, report = look(tmp_path, unsealed(tmp_path))
        assert the_one(report).message == "The budget is not sealed."
