"""Which way a correction goes: what one person may decide, and what takes two."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from archive.correction.terms import Terms, loosens

DAY, LATER = date(2030, 1, 1), date(2040, 1, 1)
DOOMED = Terms("APP-COMPTA-10ANS v1", "Destroy", DAY, "AR048 v1", DAY)
SAVED = replace(DOOMED, final_action="Keep")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (DOOMED, replace(DOOMED, open_from=LATER)),
        (DOOMED, replace(DOOMED, open_from=None)),
        (DOOMED, replace(DOOMED, access="AR054 v1")),
        (DOOMED, replace(DOOMED, keep_until=LATER)),
        (DOOMED, replace(DOOMED, keep_until=None)),
        (DOOMED, replace(SAVED, keep_until=date(2020, 1, 1))),  # kept for ever, whatever the end of its retention
    ],
)
def test_closing_a_record_or_keeping_it_longer_loosens_nothing(before: Terms, after: Terms) -> None:
    assert not loosens(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (replace(DOOMED, open_from=LATER), DOOMED),
        (replace(DOOMED, open_from=None), DOOMED),
        (replace(DOOMED, keep_until=LATER), DOOMED),
        (replace(DOOMED, keep_until=None), DOOMED),
        (replace(SAVED, keep_until=LATER), SAVED),
        (SAVED, DOOMED),
        (SAVED, replace(DOOMED, keep_until=LATER)),
        (DOOMED, replace(DOOMED, keep_until=LATER, open_from=date(2020, 1, 1))),  # one way, and the other
    ],
)
def test_opening_it_keeping_it_for_less_long_or_destroying_it_does(before: Terms, after: Terms) -> None:
    assert loosens(before, after)


def test_what_a_record_says_is_read_as_it_was_written() -> None:
    for terms in (DOOMED, replace(SAVED, keep_until=None, open_from=None)):
        assert Terms.read(terms.as_json()) == terms
