"""Cursors are opaque, and only ours are taken."""

from __future__ import annotations

import base64

import pytest

from api import cursors
from core import clock
from core.errors import UsageError
from core.identifiers import new_id
from flows.engine.reading import Place


def test_a_cursor_is_read_back_as_it_was_written() -> None:
    place = Place(clock.now(), new_id())
    assert cursors.read(cursors.written(place)) == place
    assert cursors.read(None) is None
    assert cursors.written(None) is None


# Moments that their zone takes out of the calendar.
OVER, UNDER = (
    base64.urlsafe_b64encode(f"{moment} X".encode()).decode()
    for moment in ("9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00")
)


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "MjAyNg", "%%%", "Zm9vIGJhcg", "A" * 5000, OVER, UNDER])
def test_a_cursor_made_elsewhere_is_refused(cursor: str) -> None:
    with pytest.raises(UsageError):
        cursors.read(cursor)
