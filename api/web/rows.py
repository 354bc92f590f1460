"""Ordered rows in a form: the button that was pressed, and what it does to their order; without any script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Row = TypeVar("Row")
SAVE = "save"


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a form whose rows can be moved.

    Attributes:
        act: ``save``, ``add``, ``up``, ``down``, ``delete``, or what the form understands besides.
        rank: of the row that it belongs to, from 0.
    """

    act: str
    rank: int = 0


def button(told: str) -> Button:
    """Return the button whose value is ``act`` or ``act.rank``; whatever else is there saves."""
    act, _, rank = told.partition(".")
    number = int(rank) if rank.isascii() and rank.isdigit() and len(rank) < 6 else 0
    return Button(act or SAVE, number)


def moved(rows: Sequence[Row], pressed: Button) -> tuple[Row, ...]:
    """Return the rows once one was moved up or down, or deleted; as they are for any other button."""
    found, rank = list(rows), pressed.rank
    if rank >= len(found):
        return tuple(found)
    if pressed.act == "delete":
        del found[rank]
    elif pressed.act in {"up", "down"}:
        other = rank + (1 if pressed.act == "down" else -1)
        if 0 <= other < len(found):
            found[rank], found[other] = found[other], found[rank]
    return tuple(found)
