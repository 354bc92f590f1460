"""How long a stage waits after a failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flows.engine.execution import back_off


@pytest.mark.parametrize(
    ("attempt", "most"),
    [(1, 5), (2, 10), (3, 20), (4, 40), (7, 320), (8, 640), (9, 900), (10, 900), (100, 900), (10_000, 900)],
)
def test_the_wait_doubles_up_to_a_quarter_of_an_hour_and_chance_shortens_it_by_a_quarter_at_most(attempt: int, most: int) -> None:
    waits = [back_off(attempt) for _ in range(200)]
    assert max(waits) <= timedelta(seconds=most)
    assert min(waits) > timedelta(seconds=most * 0.75)


def test_those_that_failed_together_do_not_come_back_together() -> None:
    assert len({back_off(5) for _ in range(200)}) > 50
