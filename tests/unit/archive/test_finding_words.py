"""The words that records are found by, the ranges that a few tokens cover, and questions as each database writes them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.finding.expression import Every, Some, Term, Without, fts5, tsquery
from archive.finding.ladder import ladder, rungs
from archive.finding.words import MOST, day_tokens, facet, tokens_of, up_to, wanted_of


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Délibération", "deliberations"),
        ("arrêtés municipaux", "ARRETE municipal"),
        ("Marchés publics", "marché public"),
        ("l’école", "ecole"),
        ("cœur de ville", "coeur ville"),
        ("Sous-préfet", "préfet"),
        ("D2026_014.pdf", "d2026-014.PDF"),
        ("délibération n° 2026-118", "2026/118"),
        ("214009995", "214009995"),
    ],
)
def test_what_was_written_is_found_by_what_a_reader_types(written: str, typed: str) -> None:
    tokens, _ = wanted_of(typed)
    assert tokens
    assert set(tokens) <= set(tokens_of([written]))


@pytest.mark.parametrize(("written", "typed"), [("2026-118", "2026-11"), ("n° 118", "2026-118"), ("marché", "marche-2026")])
def test_a_number_typed_whole_is_not_found_by_its_parts(written: str, typed: str) -> None:
    tokens, _ = wanted_of(typed)
    assert not set(tokens) <= set(tokens_of([written]))


def test_the_beginning_of_a_word_is_that_of_the_word_and_not_only_of_its_stem() -> None:
    tokens, beginnings = wanted_of("factura* Délib*")
    assert (tokens, beginnings) == ([], ["factura", "delib"])
    assert any(token.startswith("factura") for token in tokens_of(["facturation"]))


def test_words_that_say_nothing_are_asked_of_nobody() -> None:
    assert wanted_of("de la l’") == ([], [])
    assert wanted_of("le budget de la commune")[0] == wanted_of("budget commune")[0]


def test_no_word_can_pass_for_a_fact() -> None:
    assert not [token for token in tokens_of(["org:01J kind:helios all: #:0:1"]) if ":" in token]
    assert facet("rule", "APP-COMPTA-10ANS v1") == "rule:app-compta-10ans-v1"


def test_what_a_record_may_be_found_by_is_bounded() -> None:
    assert len(tokens_of(f"mot{number}" for number in range(2 * MOST))) <= MOST + 2
    assert max(map(len, tokens_of(["a" * 1000, "1-" * 500 + "1"]))) == 64


@given(st.integers(0, 400_000), st.integers(-2, 300_000), st.integers(-70_000, 70_000))
def test_the_tokens_of_a_range_are_those_of_the_numbers_in_it_and_of_no_other(first: int, width: int, off: int) -> None:
    last = first + width
    number = max(0, (first if off % 2 else last) + off)
    shared = set(rungs("x", first, last)) & set(ladder("x", number))
    assert len(shared) == (1 if first <= number <= last else 0)


@given(st.dates(date(1850, 1, 1), date(2150, 1, 1)), st.integers(-800, 800))
def test_a_day_up_to_another_is_told_from_one_after_it(limit: date, days: int) -> None:
    day = limit + timedelta(days=days)
    assert bool(set(up_to("due", limit)) & set(day_tokens("due", day))) == (day <= limit)
    assert len(up_to("due", limit)) <= 50


def test_a_day_older_than_any_archive_is_past() -> None:
    assert set(up_to("open", date(2026, 1, 1))) & set(day_tokens("open", date(1500, 1, 1)))


def test_questions_are_written_so_that_no_token_is_read_as_an_operator() -> None:
    asked = Without(Every((Term("o'brien"), Term('a"b', beginning=True))), Some((Term("x\\"), Term("NOT"))))
    assert tsquery(asked) == "(('o''brien' & 'a\"b':*) & !('x\\\\' | 'NOT'))"
    assert fts5(asked) == '(("o\'brien" AND "a""b"*) NOT ("x\\" OR "NOT"))'
