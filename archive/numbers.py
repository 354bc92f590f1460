"""Numbers of pièces as runs: how a manifest names the mandats of a flow in few words, each of which is found all the same.

A run that several numbers make stands in a manifest under a reference of its own form, ``IdPce 1200-1260``; whoever indexes the
manifest reads each number back from it. What does not live here: what else a manifest says (`archive.kinds.pes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MOST = 500
"""How many runs are named: a flow, whose pièces are numbered on, has one or two of them."""
_REFERENCE = re.compile(r"IdPce ([0-9]{1,8})-([0-9]{1,8})")


@dataclass(frozen=True, slots=True, order=True)
class Run:
    """Numbers that follow one another.

    Attributes:
        last: not before the first; the same for one number alone.
    """

    first: int
    last: int

    @property
    def reference(self) -> str:
        """How a manifest refers to them."""
        return str(self.first) if self.first == self.last else f"IdPce {self.first}-{self.last}"


def runs_of(numbers: Iterable[int]) -> list[Run]:
    """Return numbers as runs, lowest first."""
    found: list[Run] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1].last + 1:
            found[-1] = Run(found[-1].first, number)
        else:
            found.append(Run(number, number))
    return found


def bounded(runs: Sequence[Run]) -> list[Run]:
    """Return the first runs, and behind them, where there are more, one from the beginning to the end of all the others."""
    rest = runs[MOST:]
    return [*runs[:MOST], *([Run(rest[0].first, rest[-1].last)] if rest else [])]


def numbers_in(references: Iterable[str]) -> Iterator[str]:
    """Yield each number of the runs among the references of a manifest; what is no run names nothing here."""
    for reference in references:
        run = _REFERENCE.fullmatch(reference)
        if run is not None:
            yield from map(str, range(int(run[1]), int(run[2]) + 1))
