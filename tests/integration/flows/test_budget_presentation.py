"""Budgets of the corpus as people read them: what is printed is what an independent reading of the file finds."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from flows.actes.budget.page import Presented, page_of
from schemas.budget.gathering import read_apart

SEALED = ("BP2022_TRANSPORT.xml", "*-BP-2022-*.xml", "*-CA-2021-*.xml", "*-DM1-2022-*.xml")
NAMESPACE = "{http://www.minefi.gouv.fr/cp/demat/docbudgetaire}"


@pytest.fixture(params=SEALED)
def sealed(request: pytest.FixtureRequest, shared: Path) -> Path:
    (path,) = (shared / "corpus" / "actes" / "budget").glob(request.param)
    return path


def test_the_tables_of_a_presentation_are_those_of_an_independent_reading(sealed: Path, tmp_path: Path) -> None:
    """Each chapter that the file names, and each total, by lxml on the tree; amounts as they are printed."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for line in etree.parse(sealed).iter(f"{NAMESPACE}LigneBudget"):
        values = {etree.QName(child).localname: child.get("V") for child in line if child.get("Code") is None}
        account = values.get("Nature") or values["ContNat"]
        functioning = account[0] in "67" or account in {"002", "022", "023"}
        place = f"{'F' if functioning else 'I'}{values['CodRD']}"
        amount = Decimal(values.get("MtPrev", "0")) + Decimal(values.get("MtRARPrec", "0"))
        sums[place, ""] += amount
        if chapter := values.get("ContNat") or (account if account.startswith("0") else None):
            sums[place, chapter] += amount
    (tmp_path / "budget.xml").write_bytes(sealed.read_bytes())
    document = read_apart(tmp_path, "budget.xml")
    page = page_of(Presented(document, sealed.name, "0" * 64, "1", "IdActe", datetime(2026, 11, 28, tzinfo=UTC)))
    accounts = document.budgets[0].decision == "09"
    tables = {table.title: table for table in page.sections[0].tables[1:]}
    told = 0
    for title, table in tables.items():
        place = ("I" if "investissement" in title else "F") + ("D" if title.endswith("dépenses") else "R")
        column = 2 if accounts else len(table.head) - 1
        for line in table.lines:
            name = "" if line.total else line.cells[0]
            if line.total or (name and not name.endswith("*")):
                found = Decimal(line.cells[column].replace("\u202f", "").replace(",", "."))
                assert found == sums[place, name], (title, line.cells)
                told += 1
    assert told > 8
