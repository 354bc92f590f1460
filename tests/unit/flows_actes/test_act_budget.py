"""The budget of an act as people read it: whether it balances, what came of it, whether it is what was sealed; on paper too."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from shutil import which

import pytest

from core.messages import speaking
from flows.actes.budget.page import Presented, glance_of, page_of
from schemas.budget.gathering import gathered
from schemas.budget.model import BudgetDocument
from schemas.budget.reader import read
from schemas.budget.sample import SampleBudget
from signing.report.content import Page, Table, Tone
from signing.report.pdf import as_pdf
from tests.unit.schemas_budget.samples import octets

NOON = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)
THIN = "\u202f"


def documented(folder: Path, content: bytes) -> BudgetDocument:
    (folder / "budget.xml").write_bytes(content)
    return gathered(read(folder / "budget.xml"))


def document(folder: Path, **changes: object) -> BudgetDocument:
    return documented(folder, octets(folder, SampleBudget(lines=1, annexes=1, **changes)))  # type: ignore[arg-type]


def presented(document: BudgetDocument) -> Page:
    return page_of(Presented(document, "budget.xml", "a" * 64, "2026_12", "040-214009995-20260330-2026_12-BF", NOON))


def said(page: Page) -> str:
    rows = [row for section in page.sections for row in section.rows]
    lines = [line for row in rows for line in (row.label, *row.lines)]
    tables = [table for section in page.sections for table in section.tables]
    cells = [cell for table in tables for cell in (table.title, *table.head, *(c for line in table.lines for c in line.cells))]
    return "\n".join((page.title, page.verdict, page.meaning, *page.reasons, *lines, *cells, *page.notes))


def cells(table: Table) -> list[tuple[str, ...]]:
    return [tuple(cell.replace(THIN, " ") for cell in line.cells) for line in table.lines]


def test_a_vote_in_balance_is_said_to_be_so_with_what_its_sections_come_to(tmp_path: Path) -> None:
    glance = glance_of(document(tmp_path))
    (told,) = glance.budgets
    assert (glance.verdict, glance.tone, glance.more) == ("Budget en équilibre", Tone.GOOD, 0)
    assert told.title == "Budget primitif 2026 – BUDGET PRINCIPAL"
    assert cells(told.overview) == [
        ("Section de fonctionnement", "2 500,50", "2 500,50", "0,00"),
        ("Section d’investissement", "2 500,50", "2 500,50", "0,00"),
        ("Total", "5 001,00", "5 001,00", "0,00"),
    ]
    assert told.balance.tone is Tone.GOOD
    assert glance.seal.lines == (
        "Scellé le 1er avril 2026, inchangé depuis.",
        "Les empreintes sont celles du fichier tel qu’il est.",
    )


def test_the_presentation_shows_each_section_chapter_by_chapter(tmp_path: Path) -> None:
    page = presented(document(tmp_path))
    tables = {table.title: table for section in page.sections for table in section.tables}
    assert cells(tables["Section de fonctionnement, dépenses"]) == [
        ("011", "Charges à caractère général", "1 000,00", "0,00", "1 000,00", "1 000,00"),
        ("042", "Opérations d’ordre de transfert entre sections", "1 500,50", "0,00", "1 500,50", "1 500,50"),
        ("", "Total", "2 500,50", "0,00", "2 500,50", "2 500,50"),
        ("", "dont opérations d’ordre", "1 500,50", "0,00", "1 500,50", "1 500,50"),
    ]
    assert set(tables) >= {f"Section d’investissement, {sense}" for sense in ("dépenses", "recettes")}
    told = said(page)
    for words in ("SGC EXEMPLE 099012", "M57-M57_A", "voté par nature", "2026_12", "DSC_COMMON 31", "Personnel", "a" * 64):
        assert words in told
    assert "*" not in told


def test_what_does_not_balance_is_said_and_never_called_balanced(tmp_path: Path) -> None:
    page = presented(document(tmp_path, unbalanced_by=Decimal("10.25")))
    assert (page.verdict, page.tone) == ("Des sommes ne s’équilibrent pas", Tone.DOUBT)
    (reason,) = page.reasons
    assert "dépassent les recettes" in reason
    assert "10,25\u00a0€" in reason
    assert "en équilibre" not in said(page)


def test_accounts_show_a_result_and_no_balance(tmp_path: Path) -> None:
    page = presented(document(tmp_path, decision="09"))
    assert (page.verdict, page.tone) == ("Résultat\u00a0: 0,00\u00a0€", Tone.PLAIN)
    (budget, _) = page.sections
    assert budget.tables[0].head == (
        "Section", "Dépenses réalisées", "Recettes réalisées", "Résultat", "Solde des restes à réaliser",
    )  # fmt: skip
    assert budget.tables[1].head == ("N°", "Chapitre", "Crédits ouverts", "Réalisé", "Restes à réaliser")
    assert "équilibre" not in said(page).casefold()


def test_a_compte_financier_unique_says_that_its_signatures_are_not_verified_here(tmp_path: Path) -> None:
    whole = replace(document(tmp_path, decision="10"), root="CompteFinancierUnique", signatures=2, accounting_lines=1200)
    told = said(presented(whole))
    assert "Compte financier unique 2026 – BUDGET PRINCIPAL" in told
    assert "Signatures XML dans le fichier\u00a0: 2. Elles ne sont pas vérifiées ici." in told
    assert f"Lignes comptables\u00a0: 1{THIN}200." in told


def test_several_budgets_stand_one_after_the_other(tmp_path: Path) -> None:
    one = document(tmp_path)
    (principal,) = one.budgets
    whole = replace(one, budgets=(principal, replace(principal, name="EAU", type="A", principal_name="BUDGET PRINCIPAL")))
    page = presented(whole)
    assert [section.title for section in page.sections[:2]] == [
        "Budget primitif 2026 – BUDGET PRINCIPAL", "Budget primitif 2026 – EAU",
    ]  # fmt: skip
    assert page.verdict == "Les 2 budgets sont en équilibre"
    assert (glance_of(whole, 1).more, len(glance_of(whole, 1).budgets)) == (1, 1)


def test_a_file_that_was_changed_since_it_was_sealed_is_denounced_before_its_figures(tmp_path: Path) -> None:
    altered = octets(tmp_path, SampleBudget(lines=1)).replace(b'V="1000.00"', b'V="1000.01"')
    page = presented(documented(tmp_path, altered))
    assert (page.verdict, page.tone) == ("Le fichier n’est pas tel que TotEM l’a scellé", Tone.BAD)
    assert "Le budget a été modifié depuis son scellement" in said(page)
    bare = presented(document(tmp_path, sealed=None))
    assert bare.tone is Tone.BAD
    assert "Le budget n’est pas scellé." in said(bare)


def test_lines_without_a_chapter_are_marked_and_explained(tmp_path: Path) -> None:
    content = octets(tmp_path, SampleBudget(lines=1)).replace(b'<ContNat V="70"/>', b"")
    page = presented(documented(tmp_path, content))
    (receipts,) = [one for one in page.sections[0].tables if one.title == "Section de fonctionnement, recettes"]
    assert ("70*", "Produits des services, du domaine et des ventes") in [line.cells[:2] for line in receipts.lines]
    assert page.notes[0].startswith("*")


def test_proposals_that_were_not_voted_as_they_stood_have_a_column_of_their_own(tmp_path: Path) -> None:
    content = octets(tmp_path, SampleBudget(lines=1)).replace(b'<MtPropNouv V="1000.00"/>', b'<MtPropNouv V="900.00"/>')
    heads = {table.head[2:] for table in presented(documented(tmp_path, content)).sections[0].tables[1:]}
    assert heads == {("Budget précédent", "Restes à réaliser", "Propositions", "Vote", "Total")}


@pytest.mark.skipif(which("pdftotext") is None, reason="pdftotext is not installed")
@pytest.mark.parametrize("locale", ["fr", "en"])
def test_the_document_says_every_word_and_the_same_budget_gives_the_same_octets(tmp_path: Path, locale: str) -> None:
    whole = document(tmp_path, name='#read("/etc/passwd") $x$', unbalanced_by=Decimal(1))
    with speaking(locale):
        page = presented(whole)
        octets_ = as_pdf(page, NOON)
        assert octets_ == as_pdf(presented(whole), NOON)
    (tmp_path / "page.pdf").write_bytes(octets_)
    read_ = subprocess.run(["pdftotext", "-raw", str(tmp_path / "page.pdf"), "-"], capture_output=True, text=True, check=True)
    squeezed = re.sub(r"\s+", "", read_.stdout)
    for words in said(page).split("\n"):
        assert re.sub(r"\s+", "", words) in squeezed
