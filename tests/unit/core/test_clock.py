"""Time: UTC inside, the clocks of metropolitan France on screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from core import clock


def test_now_is_aware_and_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006Z"),
        (datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T03:04:05Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05Z"),  # noqa: DTZ001 - as SQLite gives it back
    ],
)
def test_a_moment_is_written_in_utc_and_read_back(moment: datetime, text: str) -> None:
    assert clock.iso(moment) == text
    assert clock.from_iso(text) == clock.as_utc(moment)


@pytest.mark.parametrize(
    ("utc", "hour"),
    [
        (datetime(2026, 3, 29, 0, 59, tzinfo=UTC), 1),  # the last minute of winter time
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), 3),
        (datetime(2026, 10, 25, 0, 59, tzinfo=UTC), 2),
        (datetime(2026, 10, 25, 1, 0, tzinfo=UTC), 2),  # the same hour again
    ],
)
def test_paris_changes_its_clocks(utc: datetime, hour: int) -> None:
    assert clock.in_paris(utc).hour == hour
    assert clock.as_utc(clock.in_paris(utc)) == utc


def test_what_is_no_moment_is_not_read() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        clock.from_iso("yesterday")
