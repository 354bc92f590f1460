"""Whose turn it is among the statements: told by the name and the hour, and for everybody in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from archive.places import statements
from archive.places.places import Place
from core.locked_objects import Lock, Version

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


class Listed:
    """A store of two hundred statements, whose locks all end soon but for a few."""

    def all_versions(self, *, prefix: str) -> list[Version]:
        assert prefix == "statements/"
        names = [Version(f"statements/hold/{rank}.json", "v", False, NOW, True) for rank in range(200)]
        return [*names, Version("statements/hold/0.json", "m", True, NOW, False)]

    def lock_of(self, key: str, _version: str) -> Lock:
        until = NOW + timedelta(days=184 if key.endswith("/7.json") else 182)
        return Lock(None if key.endswith("/8.json") else until, "COMPLIANCE", False)


@pytest.mark.parametrize(("days", "turns"), [(1, 3), (10, 30), (366, 720), (3650, 720)])
def test_everything_that_is_due_has_one_turn_in_a_part_of_the_horizon(days: int, turns: int) -> None:
    place = Place("principal", Listed(), 365)  # type: ignore[arg-type]
    horizon = timedelta(days=366)
    assert statements._turns(timedelta(days=days)) == turns
    if days != 366:
        return
    seen = [
        (version.key, until)
        for hour in range(turns)
        for version, until in statements.due(place, NOW + timedelta(hours=hour), horizon)
    ]
    keys = [key for key, _ in seen]
    assert len(keys) == len(set(keys))
    assert set(keys) >= {f"statements/hold/{rank}.json" for rank in range(200)} - {"statements/hold/7.json"}
    assert sum(1 for _ in statements.due(place, NOW, horizon)) < 20
