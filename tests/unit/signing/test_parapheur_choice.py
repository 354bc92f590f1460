"""A decision table gives the circuit that its first true row names: numbers as people write them, false as a value."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.errors import UsageError
from signing.parapheur.choice import EMITTER, Condition, Operator, Row, Table, choose
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import MetadataField


def declared(**kinds: MetadataKind) -> dict[str, MetadataField]:
    return {key: MetadataField(organisation_id="", key=key, name=key, kind=kind.value) for key, kind in kinds.items()}


FIELDS = declared(
    montant=MetadataKind.DECIMAL,
    urgent=MetadataKind.BOOLEAN,
    service=MetadataKind.TEXT,
    jour=MetadataKind.DATE,
    nombre=MetadataKind.INTEGER,
)


def when(field: str, operator: str, value: str = "") -> Condition:
    return Condition(field=field, operator=Operator(operator), value=value)


def holds(condition: Condition, **values: str) -> bool:
    rows = (Row(when=(condition,), circuit="oui"), Row(circuit="non"))
    return choose(rows, FIELDS, values, "Secrétariat").circuit == "oui"


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        (when("montant", "ge", "5000"), "5 000,00", True),
        (when("montant", "ge", "5 000,00"), "4999.99", False),
        (when("montant", "gt", "5000"), "5\u202f000", False),
        (when("montant", "lt", "10 000"), "9\u00a0999,99", True),
        (when("montant", "eq", "12,50"), "12.5", True),
        (when("montant", "in", "1;2,5;3"), "2.50", True),
        (when("montant", "le", "-1"), "-1,0", True),
        (when("montant", "ge", "1e3"), "1000", True),
        (when("montant", "lt", "5000"), "beaucoup", False),
        (when("nombre", "gt", "9"), "10", True),
        (when("jour", "lt", "2026-12-01"), "2026-11-30", True),
        (when("jour", "ge", "2026-12-01"), "2026-11-30", False),
        (when("service", "eq", "VOIRIE"), " voirie ", True),
        (when("service", "ne", "Voirie"), "Écoles", True),
        (when("service", "in", "Voirie; Écoles"), "écoles", True),
        (when("service", "contains", "ÉCO"), "les écoles", True),
        (when("service", "gt", "9"), "10", True),
        (when("service", "eq", "1"), "01", False),
        (when("montant", "gt", "cinq"), "10", False),
        (when("montant", "ne", "cinq"), "10", True),
    ],
)
def test_a_value_compares_as_its_kind_however_it_is_written(condition: Condition, value: str, expected: bool) -> None:
    assert holds(condition, **{condition.field: value}) is expected


def test_false_is_a_value_and_not_an_absence() -> None:
    for written in ("false", "non", "0", "faux"):
        assert holds(when("urgent", "eq", "non"), urgent=written)
        assert holds(when("urgent", "present"), urgent=written)
        assert not holds(when("urgent", "eq", "oui"), urgent=written)


@pytest.mark.parametrize("operator", list(Operator))
def test_what_is_asked_of_a_value_that_is_absent_is_false(operator: Operator) -> None:
    assert not holds(Condition(field="montant", operator=operator, value="1"))


def test_a_metadata_that_nobody_declared_compares_as_a_number_where_it_is_one() -> None:
    assert holds(when("pes.montant", "ge", "5000"), **{"pes.montant": "41230.12"})
    assert not holds(when("pes.montant", "ge", "5000"), **{"pes.montant": "900"})


def test_a_key_may_begin_with_any_letter_and_hold_points() -> None:
    assert holds(when("_x.2-b", "eq", "1"), **{"_x.2-b": "1"})


def test_all_the_conditions_of_a_row_must_hold_and_the_first_row_wins() -> None:
    rows = (
        Row(when=(when("montant", "ge", "5000"), when("service", "eq", "Voirie")), circuit="premier"),
        Row(when=(when("montant", "ge", "5000"),), circuit="deuxième"),
        Row(when=(when("montant", "ge", "1"),), circuit="troisième"),
        Row(circuit="sinon"),
    )
    assert choose(rows, FIELDS, {"montant": "5000", "service": "Voirie"}, "").circuit == "premier"
    assert choose(rows, FIELDS, {"montant": "5000"}, "").circuit == "deuxième"
    assert choose(rows, FIELDS, {"montant": "2"}, "").circuit == "troisième"
    assert choose(rows, FIELDS, {}, "").circuit == "sinon"


def test_one_evaluation_leaves_nothing_to_the_next() -> None:
    rows = (Row(when=(when("montant", "ge", "5000"),), circuit="cher"), Row(circuit="sinon"))
    assert choose(rows, FIELDS, {"montant": "9000"}, "").circuit == "cher"
    assert choose(rows, FIELDS, {}, "").circuit == "sinon"


@pytest.mark.parametrize(
    ("amount", "service", "expected"),
    [
        ("4 999,99", "Voirie", ("simple", ())),
        ("5 000,00", "Voirie", ("visa", ("bureau-voirie",))),
        ("5000", "Écoles", ("visa", ("bureau-ecoles",))),
        ("9 999,99", "Écoles", ("visa", ("bureau-ecoles",))),
        ("10 000", "Voirie", ("double", ("bureau-voirie", "bureau-dgs"))),
        ("10 000", "", ("double", ())),
        ("", "Voirie", ("simple", ())),
    ],
)
def test_two_thresholds_and_a_desk_for_each_service_make_a_table(
    amount: str, service: str, expected: tuple[str, tuple[str, ...]]
) -> None:
    services = {"Voirie": "bureau-voirie", "Écoles": "bureau-ecoles"}

    def of(name: str) -> Condition:
        return when("service", "eq", name)

    high, middle = when("montant", "ge", "10 000"), when("montant", "ge", "5 000")
    rows = (
        *(Row(when=(high, of(name)), circuit="double", variables=(to, "bureau-dgs")) for name, to in services.items()),
        Row(when=(high,), circuit="double"),
        *(Row(when=(middle, of(name)), circuit="visa", variables=(to,)) for name, to in services.items()),
        Row(circuit="simple"),
    )
    given = {key: value for key, value in {"montant": amount, "service": service}.items() if value}
    found = choose(Table(rows=rows).rows, FIELDS, given, "Secrétariat")
    assert (found.circuit, found.variables) == expected


def test_the_sending_desk_decides_by_its_short_name() -> None:
    rows = (Row(when=(when(EMITTER, "in", "DGS;Secrétariat"),), circuit="interne"), Row(circuit="externe"))
    assert choose(rows, FIELDS, {}, "secrétariat").circuit == "interne"
    assert choose(rows, FIELDS, {EMITTER: "DGS"}, "Accueil").circuit == "externe"


def test_a_table_ends_with_a_row_that_always_holds() -> None:
    only = Row(when=(when("montant", "ge", "1"),), circuit="c")
    with pytest.raises(ValidationError, match="pris par défaut"):
        Table(rows=(only,))
    with pytest.raises(UsageError, match="Aucune ligne"):
        choose((only,), FIELDS, {}, "")
