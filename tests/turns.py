"""Whose bodies wait for their turn: turns are shared between callers, as they are known (``api.uploads``)."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from api import uploads


def turns_taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that every caller who takes a turn from now on is added to."""
    callers: list[str] = []
    own = uploads._Turns.taken

    def taken(turns: uploads._Turns, caller: str) -> AbstractAsyncContextManager[None]:
        callers.append(caller)
        return own(turns, caller)

    monkeypatch.setattr(uploads._Turns, "taken", taken)
    return callers
