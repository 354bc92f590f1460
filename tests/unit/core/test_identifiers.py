"""SIREN and SIRET: none can be built wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, ValidationError

from core.errors import UsageError
from core.identifiers import Siren, Siret, id_of, luhn_holds, new_id
from core.messages import speaking

GOOD = "214009995"  # invented, with a right key
LA_POSTE = "356000000"  # named by the rule itself; the establishments below are invented


def luhn_key(digits: str) -> str:
    return next(key for key in "0123456789" if luhn_holds(digits + key))


def test_the_key_of_a_number_is_the_luhn_one() -> None:
    assert luhn_holds("79927398713")  # the example that textbooks use
    for key in "012456789":
        assert not luhn_holds(f"7992739871{key}")


def test_a_right_siren_is_kept_as_digits() -> None:
    assert Siren(GOOD) == GOOD
    assert isinstance(Siren(GOOD), str)


@pytest.mark.parametrize(
    "written", ["214 009 995", " 214009995 ", "214\u00a0009\u00a0995", "214\u202f009\u202f995", "2 1 4 0 0 9 9 9 5"]
)
def test_spaces_of_any_kind_are_left_out(written: str) -> None:
    assert Siren(written) == GOOD


@pytest.mark.parametrize(
    "wrong", ["", "21400999", "2140099950", "21400999A", "214.009.995", "٢١٤٠٠٩٩٩٥", "²14009995", "-21400999"]
)
def test_what_is_not_nine_digits_is_no_siren(wrong: str) -> None:
    with pytest.raises(UsageError, match="9 chiffres"):
        Siren(wrong)


def test_one_wrong_digit_or_two_swapped_are_found_by_the_key() -> None:
    for wrong in ("314009995", "214009994", "241009995"):
        with pytest.raises(UsageError, match="clé de contrôle"):
            Siren(wrong)


def test_a_siret_is_fourteen_digits_over_which_the_key_holds_and_knows_its_siren() -> None:
    digits = GOOD + "0001"
    siret = Siret(digits + luhn_key(digits))
    assert siret.siren == GOOD
    assert isinstance(siret.siren, Siren)
    with pytest.raises(UsageError, match="14 chiffres"):
        Siret(GOOD)
    with pytest.raises(UsageError, match="SIRET"):
        Siret(digits + str((int(luhn_key(digits)) + 1) % 10))


@pytest.mark.parametrize("by_the_sum", ["35600000000001", "35600000000010", "35600000000015"])
def test_an_establishment_of_la_poste_may_hold_by_the_sum_of_its_digits(by_the_sum: str) -> None:
    assert not luhn_holds(by_the_sum)
    assert Siret(by_the_sum).siren == LA_POSTE


def test_an_establishment_of_la_poste_may_hold_by_luhn_too_and_one_of_them_must() -> None:
    assert Siret("35600000000014").siren == LA_POSTE
    with pytest.raises(UsageError, match="clé de contrôle"):
        Siret("35600000000002")


def test_the_exception_is_for_la_poste_only() -> None:
    number = next(
        number
        for number in (f"{GOOD}{rank:05d}" for rank in range(100))
        if sum(map(int, number)) % 5 == 0 and not luhn_holds(number)
    )
    with pytest.raises(UsageError, match="clé de contrôle"):
        Siret(number)


def test_a_model_says_why_a_number_is_wrong() -> None:
    class Form(BaseModel):
        siren: Siren

    assert isinstance(Form(siren="214 009 995").siren, Siren)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="n’est pas un SIREN"):
        Form(siren="1")  # type: ignore[arg-type]
    with speaking("en"), pytest.raises(ValidationError, match="is no SIREN"):
        Form(siren="1")  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Form(siren="9" * 1000)  # type: ignore[arg-type]


def test_a_long_text_is_not_quoted_whole() -> None:
    with pytest.raises(UsageError) as refused:
        Siren("x" * 10_000)
    assert len(str(refused.value)) < 200


def test_our_own_identifiers_are_26_characters_and_all_differ() -> None:
    made = {new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(identifier) for identifier in made} == {26}


def test_the_identifier_of_a_content_is_the_same_at_every_try_and_sorts_among_those_of_its_moment() -> None:
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    first = id_of(at, b"un gel")
    assert (len(first), id_of(at, b"un gel")) == (len(new_id()), first)
    assert id_of(at, b"un autre") != first
    assert first < id_of(at + timedelta(seconds=1), b"un gel") < new_id()
