"""Cursors are opaque, and only ours are taken."""

from __future__ import annotations

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


@pytest.mark.parametrize("cursor", ["x", "é", "AAAA", "MjAyNg", "%%%", "Zm9vIGJhcg", "A" * 5000])
def test_a_cursor_made_elsewhere_is_refused(cursor: str) -> None:
    with pytest.raises(UsageError):
        cursors.read(cursor)
