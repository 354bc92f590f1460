"""What the tests have rules find in an invoice of theirs, and where."""

from __future__ import annotations

from lxml import etree

from core.problems import Severity
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.findings import Told
from schemas.invoices.invoice import Invoice
from schemas.invoices.sample import sample
from schemas.schematron.checking import Finding, Findings

RSM = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
RAM = "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100"
TRADE = f"/*:CrossIndustryInvoice[namespace-uri()='{RSM}'][1]/*:SupplyChainTradeTransaction[namespace-uri()='{RSM}'][1]"
SUMS = (
    f"{TRADE}/*:ApplicableHeaderTradeSettlement[namespace-uri()='{RAM}'][1]"
    f"/*:SpecifiedTradeSettlementHeaderMonetarySummation[namespace-uri()='{RAM}'][1]"
)


def told(*findings: Finding, invoice: Invoice | None = None, fatal: Severity = Severity.ERROR, total: int | None = None) -> list:  # type: ignore[type-arg]
    tree = etree.ElementTree(etree.fromstring(cii_of(invoice or sample())))
    return Told(tree, invoice or sample()).problems(Findings(findings, total or len(findings)), fatal)
