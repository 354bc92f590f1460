"""What a rule asks, in the words of its family; what it blames, with the sums of its place."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.invoices.sample import sample
from schemas.schematron.checking import Finding
from tests.unit.schemas_invoices.telling import RAM, SUMS, TRADE, told

OF = f"namespace-uri()='{RAM}'"


def quantity(rank: int) -> str:
    """Return the place of the quantity of a line."""
    line = f"{TRADE}/*:IncludedSupplyChainTradeLineItem[{OF}][{rank}]"
    return f"{line}/*:SpecifiedLineTradeDelivery[{OF}][1]/*:BilledQuantity[{OF}][1]"


ASKED: list[tuple[str, str, str, str | None]] = [
    ("BR-Z-05", "", "Une ligne est de catégorie Z (taux zéro) : son taux de TVA (BT-152) doit être 0.", "0"),
    (
        "BR-AF-05",
        "",
        "catégorie L (IGIC, Canaries) : son taux de TVA (BT-152) doit être supérieur",
        "un taux supérieur à zéro",
    ),
    (
        "BR-AG-07",
        "",
        "Une charge est de catégorie M (IPSI, Ceuta et Melilla) : son taux de TVA (BT-103) doit être donné",
        None,
    ),
    (
        "BR-O-06",
        "",
        "Une remise est de catégorie O (hors champ de la TVA) : elle ne peut pas porter de taux de TVA (BT-96).",
        None,
    ),
    ("BR-O-02", "", "la facture ne peut porter de numéro de TVA ni du vendeur (BT-31)", None),
    ("BR-AE-03", "", "Une remise est de catégorie AE (autoliquidation) : le numéro de TVA du vendeur", None),
    ("BR-IC-04", "", "et de l’acheteur (BT-48) sont attendus", None),
    ("BR-G-02", "", "Une ligne est de catégorie G (exportation hors de l’Union) : le numéro de TVA du vendeur", None),
    ("BR-AG-01", "", "mais la ventilation de TVA (BG-23) ne les compte pas.", None),
    ("BR-G-01", "", "ne les compte pas une et une seule fois", None),
    ("BR-E-08", "", "La base de la catégorie E (exonération) (BT-116) n’est pas la somme", None),
    ("BR-G-09", "", "La TVA (BT-117) de la catégorie G (exportation hors de l’Union) doit être 0.", None),
    ("BR-Z-10", "", "ne peut pas porter de motif d’exonération", None),
    ("BR-G-10", "", "doit dire pourquoi la TVA n’est pas due", None),
    ("BR-DEC-14", "[BR-DEC-14]-… (BT-112) is 2.", "plus de deux décimales", "deux décimales au plus"),
    (
        "BR-CL-01",
        "",
        "pas de la liste que la norme EN 16931 admet",
        "un type de la liste UNTDID 1001, par exemple 380 ou 381",
    ),
    ("FX-SCH-A-000619", "Value of 'ram:Name' is not allowed.", "La valeur de « ram:Name » n’est pas de la liste", None),
    (
        "FX-SCH-A-000038",
        "Element 'ram:ID' must occur exactly 1 times.",
        "« ram:ID » doit figurer à cet endroit exactement 1",
        None,
    ),
    (
        "FX-SCH-A-000039",
        "Attribute '@schemeID' is required in this context.",
        "L’attribut « @schemeID » est obligatoire",
        None,
    ),
    (
        "UBL-CR-005",
        "[UBL-CR-005]-A UBL invoice should not include the UUID",
        "pas sa place dans une facture EN 16931 : UUID.",
        None,
    ),
    ("UBL-DT-08", "[UBL-DT-08]-Scheme name attribute should not be present", "EN 16931 : Scheme name.", None),
    ("CII-SR-122", "[CII-SR-122] - Name should not be present", "pas sa place dans une facture EN 16931 : Name.", None),
    (
        "CII-SR-090",
        "[CII-SR-090] - ID should exist maximum once.",
        "« ID » ne peut pas figurer à cet endroit plus de 1 fois",
        None,
    ),
    ("UBL-SR-12", "[UBL-SR-12]-VAT identifier shall occur maximum once", "« VAT identifier » ne peut pas figurer", None),
    ("CII-SR-010", "[CII-SR-010] - ID must exist exactly once", "« ID » doit figurer à cet endroit exactement 1 fois", None),
    ("UBL-SR-48", "[UBL-SR-48]-Invoice lines shall have one", "ne suit pas la norme EN 16931 à cet endroit : Invoice", None),
    ("", "Element 'ram:Foo' is marked as not used in the given context.", "« ram:Foo » n’a pas sa place à cet endroit", None),
]


@pytest.mark.parametrize(("rule", "text", "message", "expected"), ASKED, ids=[rule or "closed-model" for rule, *_ in ASKED])
def test_what_a_rule_asks_is_said_in_french(rule: str, text: str, message: str, expected: str | None) -> None:
    (problem,) = told(Finding(rule, True, SUMS, text))
    assert message in problem.message.replace("\u00a0", " ")
    assert problem.expected == expected
    assert problem.mend


def test_a_rule_about_an_attribute_quotes_its_value_though_it_points_at_the_element() -> None:
    for finding in (
        Finding("BR-CL-23", True, quantity(1), ""),
        Finding("FX-SCH-A-1", True, quantity(1), "Value of '@unitCode' is not allowed."),
    ):
        (problem,) = told(finding)
        assert (problem.found, problem.path.rpartition("/")[2]) == ("C62", "@unitCode")


def test_what_parties_lack_is_told_once_and_the_same_words_are_not_said_twice() -> None:
    lines = [quantity(rank) for rank in (1, 2)]
    assert len(told(*(Finding("BR-AE-02", True, one, "") for one in lines))) == 1
    assert len(told(*(Finding(f"BR-FR-15_BT-{rank}", True, SUMS, f"BT-151 {rank}") for rank in (1, 2)))) == 1


def test_a_wrong_breakdown_is_told_with_its_own_sums() -> None:
    first, second = sample().vat
    wrong = sample(vat=(replace(first, base=Decimal("99.00")), replace(second, base=Decimal("1.00"), amount=Decimal("7.00"))))
    tax = f"{TRADE}/*:ApplicableHeaderTradeSettlement[namespace-uri()='{RAM}'][1]/*:ApplicableTradeTax[namespace-uri()='{RAM}']"
    sums = [
        [
            (one.found, one.expected)
            for one in told(*(Finding(rule, True, f"{tax}[{rank}]", "") for rank in (1, 2)), invoice=wrong)
        ]
        for rule in ("BR-S-08", "BR-S-09")
    ]
    assert sums == [[("99.00", "100.00"), ("1.00", "125.00")], [("20.00", "19.80"), ("7.00", "0.06")]]
