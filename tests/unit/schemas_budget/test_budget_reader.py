"""What is read of a budget, and sums that do not depend on how the document is written."""

from __future__ import annotations

import re
import tracemalloc
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from schemas.budget import labels, reader, summary
from schemas.budget.lines import section_of
from schemas.budget.model import Amounts, Annex, BudgetDocument, Operation, Section, Sense
from schemas.budget.reader import read
from schemas.budget.sample import SampleBudget, write_sample
from tests.unit.schemas_budget.samples import SMALL, octets, unsealed


def reading(folder: Path, content: bytes) -> BudgetDocument:
    path = folder / "read.xml"
    path.write_bytes(content)
    return read(path)


def test_the_header_and_the_decision_are_read(tmp_path: Path) -> None:
    document = reading(tmp_path, octets(tmp_path))
    assert document.header is not None
    assert (document.header.name, document.header.siret, document.header.office) == (SMALL.name, SMALL.siret, "099012")
    assert document.header.issued == date(2026, 3, 30)
    assert (document.schema, document.editor, document.is_cfu) == ("113", "TABELLION", False)
    (budget,) = document.budgets
    assert (budget.year, budget.decision, budget.nomenclature, budget.type) == (2026, "01", "M57-M57_A", "P")
    assert (budget.decided, budget.code, budget.project) == (date(2026, 3, 30), "123-00", False)
    assert budget.annexes == (Annex("DATA_PERSONNEL", 1), Annex("DATA_SOMMAIRE", 1))
    assert budget.listed == {"IV-C1": True}
    assert budget.information == {"PopTot": "1204"}


def test_lines_are_summed_by_section_sense_operation_chapter_and_account(tmp_path: Path) -> None:
    (budget,) = reading(tmp_path, octets(tmp_path)).budgets
    assert budget.lines == 8
    transfer = budget.amounts(Section.INVESTMENT, Sense.RECEIPT, Operation.ORDER_BETWEEN)
    assert transfer.voted == Decimal("1500.50")
    assert budget.amounts(Section.INVESTMENT, Sense.RECEIPT).total == Decimal("2500.50")
    chapters = {
        (each.sense, each.code): each.amounts.voted for each in summary.chapters(budget) if each.section is Section.FUNCTIONING
    }
    assert chapters == {
        (Sense.EXPENSE, "011"): Decimal("1000.00"),
        (Sense.EXPENSE, "042"): Decimal("1500.50"),
        (Sense.RECEIPT, "042"): Decimal("1500.50"),
        (Sense.RECEIPT, "70"): Decimal("1000.00"),
    }


def test_the_result_does_not_depend_on_layout_encoding_or_prefix(tmp_path: Path) -> None:
    content = unsealed(tmp_path)
    expected = reading(tmp_path, content).budgets
    text = content.decode("iso-8859-1")
    prefixed = re.sub(r"<(/?)(\w)", r"<\1d:\2", text.replace("xmlns=", "xmlns:d="))
    written = (
        re.sub(r">\s+<", "><", text).encode("iso-8859-1"),
        text.replace("\n", "\r\n").encode("iso-8859-1"),
        text.replace("ISO-8859-1", "UTF-8").encode(),
        text.replace("ISO-8859-1", "UTF-16").encode("utf-16"),
        prefixed.encode("iso-8859-1"),
    )
    for each in written:
        assert reading(tmp_path, each).budgets == expected


def test_totals_that_the_tool_wrote_are_not_summed(tmp_path: Path) -> None:
    content = unsealed(tmp_path)
    line = content[content.index(b"<LigneBudget>") : content.index(b"</LigneBudget>") + len(b"</LigneBudget>")]
    computed = line.replace(b"<LigneBudget>", b'<LigneBudget calculated="true">')
    total = line.replace(b'<OpBudg V="0"/>', b'<OpBudg V="T"/>')
    (before,) = reading(tmp_path, content).budgets
    (after,) = reading(tmp_path, content.replace(b"<Annexes>", computed + total + b"<Annexes>")).budgets
    assert after.rows == before.rows
    assert (after.lines, after.computed) == (before.lines, 2)


def test_several_budgets_are_kept_apart(tmp_path: Path) -> None:
    content = unsealed(tmp_path)
    first = content[content.index(b"<Budget>") : content.index(b"</Budget>") + len(b"</Budget>")]
    second = (
        first.replace(b"BUDGET PRINCIPAL", b"EAU").replace(b'CodTypBud V="P"', b'CodTypBud V="A"').replace(b"1000.00", b"2000.00")
    )
    one, other = reading(tmp_path, content.replace(first, first + second)).budgets
    assert (one.name, one.type) == ("BUDGET PRINCIPAL", "P")
    assert (other.name, other.type) == ("EAU", "A")
    assert one.amounts(Section.FUNCTIONING, Sense.EXPENSE).voted == Decimal("2500.50")
    assert other.amounts(Section.FUNCTIONING, Sense.EXPENSE).voted == Decimal("3500.50")


def test_a_cfu_is_read_and_its_signatures_and_accounting_lines_counted(tmp_path: Path) -> None:
    inner = unsealed(tmp_path, decision="10").partition(b"\n")[2]
    cfu = (
        b'<c:CompteFinancierUnique xmlns:c="http://www.minefi.gouv.fr/cp/demat/doccfu">'
        b'<DocumentComptable xmlns="http://www.minefi.gouv.fr/cp/demat/doccomptable"><LigneComptable/><LigneComptable/></DocumentComptable>'
        + inner
        + b'<c:Signatures><Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/></c:Signatures></c:CompteFinancierUnique>'
    )
    document = reading(tmp_path, b'<?xml version="1.0" encoding="ISO-8859-1"?>' + cfu)
    assert document.is_cfu
    assert document.recognised
    assert (document.accounting_lines, document.signatures) == (2, 1)
    assert document.budgets[0].decision == "10"
    assert labels.decision("10") == "Compte financier unique"


def test_what_an_editor_or_another_namespace_says_is_not_a_budget(tmp_path: Path) -> None:
    content = unsealed(tmp_path).replace(b"<Budget>", b'<x:Budget xmlns:x="urn:x"/><Budget><x:LigneBudget xmlns:x="urn:x"/>')
    assert len(reading(tmp_path, content).budgets) == 1
    assert reading(tmp_path, content).budgets[0].lines == 8


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ({"Nature": "6042"}, Section.FUNCTIONING),
        ({"Nature": "71355"}, Section.FUNCTIONING),
        ({"Nature": "168748"}, Section.INVESTMENT),
        ({"Nature": "3555"}, Section.INVESTMENT),
        ({"Nature": "001"}, Section.INVESTMENT),
        ({"Nature": "002"}, Section.FUNCTIONING),
        ({"Nature": "021"}, Section.INVESTMENT),
        ({"Nature": "023"}, Section.FUNCTIONING),
        ({"ContNat": "040"}, Section.INVESTMENT),
        ({"ContNat": "043"}, Section.FUNCTIONING),
        ({"ContFon": "902"}, Section.INVESTMENT),
        ({"ContFon": "935"}, Section.FUNCTIONING),
        ({"ContFon": "95"}, Section.UNKNOWN),
        ({"Nature": "6042", "Section": "I"}, Section.INVESTMENT),
        ({"Nature": "6042", "Section": "Z"}, Section.FUNCTIONING),
        ({}, Section.UNKNOWN),
        ({"Nature": "099"}, Section.UNKNOWN),
    ],
    ids=str,
)
def test_a_line_is_of_the_section_that_it_says_or_that_its_account_tells(line: dict[str, str], section: Section) -> None:
    assert section_of(line) is section


def test_accounts_without_end_are_merged_and_their_sums_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = octets(tmp_path, SampleBudget(lines=20))
    (whole,) = reading(tmp_path, content).budgets
    monkeypatch.setattr(reader, "MOST_ROWS", 3)
    (merged,) = reading(tmp_path, content).budgets
    assert whole.rows_complete
    assert not merged.rows_complete
    assert len(merged.rows) < len(whole.rows)
    for section in (Section.FUNCTIONING, Section.INVESTMENT):
        for sense in (Sense.EXPENSE, Sense.RECEIPT):
            assert merged.amounts(section, sense) == whole.amounts(section, sense)


def test_memory_does_not_grow_with_the_document(tmp_path: Path) -> None:
    peaks = []
    for count in (80, 800):
        path = tmp_path / f"{count}.xml"
        write_sample(SampleBudget(lines=count, annexes=count), path)
        read(path)  # what is compiled or cached once is not of this document
        tracemalloc.start()
        read(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (tmp_path / "800.xml").stat().st_size > 1_000_000
    assert peaks[1] < peaks[0] + 200_000


def test_the_same_sample_has_the_same_octets(tmp_path: Path) -> None:
    assert octets(tmp_path) == octets(tmp_path)


def test_codes_have_words_and_unknown_ones_show_bare() -> None:
    assert labels.decision("02", "3") == "Décision modificative n°\u00a03"
    assert labels.code("CodTypBud", "A") == "budget annexe"
    assert labels.code("CodTypBud", "Z") == "Z"
    assert labels.code("NatVote", None) == ""
    assert labels.code("annexe", "DATA_EMPRUNT") == "Emprunts"
    assert labels.section(Section.FUNCTIONING, "M57-M57_A") == "Section de fonctionnement"
    assert labels.section(Section.FUNCTIONING, "M4-M43_D") == "Section d’exploitation"
    assert labels.section(Section.UNKNOWN) == "Section inconnue"
    assert labels.field("voted") == "voté"
    assert labels.field("other") == "other"


def test_amounts_add_up_field_by_field() -> None:
    one = Amounts(previous=Decimal(1), carried_over=Decimal(2), voted=Decimal(3))
    assert (one + one).total == Decimal(10)
    assert (one + one).as_json()["previous"] == "2"
