"""Problems of an invoice's check stand beside what they concern: what the rules find, and every way of naming a place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api.web.invoices.beside import placed
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.rules import examine_invoice
from schemas.invoices.sample import sample

CII = "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction"
SETTLED = f"{CII}/ram:ApplicableHeaderTradeSettlement"


def where(problem: dict[str, Any]) -> str:
    """Say in one word where a problem is placed, in an invoice of three lines and two rates."""
    found = placed([problem], 3, 2)
    told = [f"line {rank}" for rank in found.lines] + [f"rate {rank}" for rank in found.rates]
    told += [f"total {name}" for name in found.totals] + list(found.parts) + ["whole" for _ in found.whole]
    assert len(told) == 1
    return told[0]


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("EN16931:BR-25", f"{CII}/ram:IncludedSupplyChainTradeLineItem[3]/ram:SpecifiedTradeProduct", "line 2"),
        ("XSD", f"{CII}/ram:IncludedSupplyChainTradeLineItem/ram:AssociatedDocumentLineDocument", "line 0"),
        ("EN16931:BR-S-05", f"{CII}/ram:IncludedSupplyChainTradeLineItem[2]/a/ram:ApplicableTradeTax", "line 1"),
        ("EN16931:BR-25", f"{CII}/ram:IncludedSupplyChainTradeLineItem[4]", "whole"),
        ("EN16931:BR-25", "/Invoice/cac:InvoiceLine[2]/cac:Item", "line 1"),
        ("XSD", "/ubl:CreditNote/cac:CreditNoteLine[1]", "line 0"),
        ("VALUE", "/CPPFacturePivot/CPPFactures/CPPFacturePivotUnitaire/DonneesFacture/Lignes/Ligne[2]/MontantHT", "line 1"),
        ("EN16931:BR-S-08", f"{SETTLED}/ram:ApplicableTradeTax[2]", "rate 1"),
        ("EN16931:BR-S-08", f"{SETTLED}/ram:ApplicableTradeTax[3]", "vat"),
        ("BR-FR-16", "/Invoice/cac:TaxTotal/cac:TaxSubtotal[2]/cac:TaxCategory/cbc:Percent", "rate 1"),
        ("EN16931:BR-CO-14", "/Invoice/cac:TaxTotal", "total vat"),
        ("XSD", "/Invoice/cac:TaxTotal", "vat"),
        ("EN16931:BR-CO-15", f"{SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation", "total gross"),
        ("XSD", f"{SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation", "totals"),
        (
            "XSD",
            f"{SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:DuePayableAmount/@currencyID",
            "total payable",
        ),
        ("VALUE", "/CPPFacturePivot/CPPFactures/CPPFacturePivotUnitaire/DonneesFacture/Montants/MontantTTC", "total gross"),
        ("BR-FR-10", f"{CII}/ram:ApplicableHeaderTradeAgreement/ram:SellerTradeParty", "seller"),
        ("BR-FR-12", "/Invoice/cac:AccountingCustomerParty/cac:Party", "buyer"),
        ("VALUE", "/CPPFacturePivot/a/Fournisseur/Identifiant", "seller"),
        ("VALUE", "/CPPFacturePivot/a/Fournisseur/ReferenceBancaire/Compte", "payment"),
        ("EN16931:BR-61", f"{SETTLED}/ram:SpecifiedTradeSettlementPaymentMeans", "payment"),
        ("BR-FR-06", "/Invoice/cbc:Note[2]", "notes"),
        ("PIECE", "bon.pdf", "pieces"),
        ("packaging", "facture.pdf", "pieces"),
        ("MARK", None, "pieces"),
        ("CPP", "NumOrdre 0001", "whole"),
        ("RULES", None, "whole"),
    ],
)
def test_a_place_is_that_of_a_part_of_the_page(rule: str, path: str | None, expected: str) -> None:
    assert where({"rule": rule, "path": path}) == expected


def test_marks_are_told_of_their_file_and_nowhere_else() -> None:
    found = placed([{"rule": "MARK", "path": "devis.exe"}], 1, 1)
    assert (found.parts, found.whole) == ({}, [])


def test_what_the_rules_find_in_a_flawed_invoice_is_placed(tmp_path: Path) -> None:
    good = sample()
    first, second = good.lines
    flawed = replace(
        good,
        lines=(first, replace(second, name="")),
        vat=(good.vat[0], replace(good.vat[1], base=Decimal("999.00"))),
        totals=replace(good.totals, gross=Decimal("300.00")),
    )
    target = tmp_path / "invoice.xml"
    target.write_bytes(cii_of(flawed))
    _, report = examine_invoice(target, issued=False)
    found = placed([one.as_json() for one in report.problems], len(flawed.lines), len(flawed.vat))
    assert {one["rule"] for one in found.lines[1]} >= {"EN16931:BR-25"}
    assert {one["rule"] for one in found.totals["gross"]} == {"EN16931:BR-CO-15"}
    assert found.rates[1]
    assert 0 not in found.lines
    assert found.lines_outside(0, 1) == [1]
