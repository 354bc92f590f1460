"""Which version of a key was written first, when the store tells times in whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from core.locked_bucket import Version, first_version

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def version(name: str, written: datetime, *, is_marker: bool = False) -> Version:
    return Version("key", name, is_marker, written, on_top=False)


def test_within_a_second_the_one_listed_last_was_written_first() -> None:
    listed = [version("later", AT + timedelta(seconds=1)), version("second", AT), version("first", AT)]
    assert first_version(listed) == listed[-1]


def test_a_marker_is_no_version() -> None:
    listed = [version("marker", AT, is_marker=True)]
    assert first_version([version("own", AT + timedelta(seconds=1)), *listed]) == version("own", AT + timedelta(seconds=1))
    assert first_version(listed) is None
