"""The day that a check or a verification is told to be for."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from api.cli import documents
from core import clock


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 1, 15), datetime(2026, 1, 15, 22, 59, 59, tzinfo=UTC)),  # winter
        (date(2026, 7, 15), datetime(2026, 7, 15, 21, 59, 59, tzinfo=UTC)),  # summer
    ],
)
def test_what_was_signed_in_the_evening_of_a_day_was_signed_on_it(day: date, end: datetime) -> None:
    assert documents._moment(day) == end
    assert clock.in_paris(end).date() == day


def test_today_is_now() -> None:
    assert documents._moment(clock.in_paris(clock.now()).date()) is None
