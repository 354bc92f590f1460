"""What a page of a PES says that the DGFiP answered: found by number and year, which is all that an acquit tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from api.web.pes.answers import Answers, Objection
from schemas.pes.parts import Sums
from schemas.pes.seen import Bordereau


def bordereau(domain: str = "depense", kind: str = "01", number: str = "12") -> Bordereau:
    declared = (1, Decimal(1), None, None)
    return Bordereau(1, domain, None, number, "2026", kind, None, *declared, True, False, Sums())


def element(domain: str, accepted: bool | None, number: str | None = "12", *labels: str) -> dict[str, Any]:
    told = [{"code": None, "label": label} for label in labels]
    return {
        "domain": domain, "accepted": accepted, "bordereau": number, "exercice": "2026" if number else None,
        "id_unique": None, "anomalies": told, "pieces": [],
    }  # fmt: skip


def answers(*elements: dict[str, Any]) -> Answers:
    return Answers({"elements": elements})


@pytest.mark.parametrize(
    ("domain", "kind", "elements", "accepted", "said"),
    [
        ("depense", "01", [element("5", True, "0012")], True, []),
        ("recette", "06", [element("7", False, "12", "rôle connu")], False, ["rôle connu"]),
        ("depense", "01", [element("3", False, "12", "signature invalide")], False, ["signature invalide"]),
        ("depense", "02", [element("5", False, "12", "doublon"), element("5", True)], None, ["doublon"]),
        ("depense", "01", [element("0", False, None, "XSD")], False, []),
        ("depense", "01", [element("2", False, None, "signature")], False, []),
    ],
    ids=["number with zeros", "roll", "signature of it", "two of one number", "flow as a whole", "signature of the flow"],
)
def test_a_bordereau_is_answered_as_far_as_the_acquit_says(
    domain: str, kind: str, elements: list[dict[str, Any]], accepted: bool | None, said: list[str]
) -> None:
    found = answers(*elements).of_bordereau(bordereau(domain, kind))
    assert found is not None
    assert (found.accepted, list(found.objections)) == (accepted, [Objection(None, label) for label in said])


def test_a_bordereau_that_the_acquit_does_not_name_is_not_answered() -> None:
    found = answers(element("5", True, "13"), element("6", True), element("99", False, None), element("4", False, None))
    assert found.of_bordereau(bordereau()) is None
    assert found.of_bordereau(None) is None


def test_a_piece_is_found_in_whichever_of_two_bordereaux_of_one_number_it_is() -> None:
    piece = {"number": "7", "anomalies": [{"code": "E", "label": "1971"}], "lines": []}
    found = answers(element("5", True), element("5", False) | {"pieces": [piece]}).of_piece(bordereau(), "07")
    assert found is not None
    assert (found.accepted, found.objections) == (False, (Objection("E", "1971"),))
