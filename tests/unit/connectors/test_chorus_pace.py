"""How fast calls leave, by a clock that the test moves."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from connectors.chorus.pace import LONGEST_WAIT, Pace, retry_after
from core.clock import now


class Clock:
    def __init__(self) -> None:
        self.moment = 1000.0

    def __call__(self) -> float:
        return self.moment


def test_a_second_of_calls_leaves_at_once_and_the_others_one_by_one() -> None:
    clock = Clock()
    pace = Pace(4, clock)
    assert [round(pace.turn(), 3) for _ in range(7)] == [0, 0, 0, 0, 0.25, 0.5, 0.75]
    clock.moment += 1.75
    assert [round(pace.turn(), 3) for _ in range(5)] == [0, 0, 0, 0, 0.25]


def test_less_than_one_call_a_second() -> None:
    pace = Pace(0.5, Clock())
    assert [round(pace.turn(), 3) for _ in range(3)] == [0, 2, 4]


def test_no_call_leaves_while_the_other_side_said_to_wait() -> None:
    clock = Clock()
    pace = Pace(10, clock)
    pace.close(5)
    pace.close(2)
    assert pace.turn() == 5
    clock.moment += 5
    assert pace.turn() <= 0.2


def test_a_turn_that_is_too_far_is_not_taken() -> None:
    clock = Clock()
    pace = Pace(10, clock)
    pace.close(LONGEST_WAIT + 1)
    assert [pace.turn() for _ in range(50)] == [LONGEST_WAIT + 1] * 50
    clock.moment += LONGEST_WAIT + 1
    assert pace.turn() == 0


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), (" 0 ", 0), ("999999", 3600), (None, 30), ("bientôt", 30), ("-3", 30), ("", 30)]
)
def test_how_long_to_wait(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds


def test_how_long_to_wait_until_a_date() -> None:
    assert retry_after(format_datetime(now() + timedelta(hours=3), usegmt=False)) == 3600
    assert retry_after(format_datetime(now() - timedelta(hours=3))) == 0
