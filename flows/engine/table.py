"""A flow as a readable table: states, stages, outcomes.

From this one table come the actors, the diagram, the filter of the list page, the documentation, and the check that every
state can be reached and left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from core.errors import TabellionError

if TYPE_CHECKING:
    from flows.engine.departed import Departed
    from flows.engine.work import Advance, Later, Work

REFUSED = "refused"
OVERDUE = "overdue"

Perform = Callable[["Work"], "Advance | Later"]
Depart = Callable[["Departed"], "Advance"]


class BrokenFlow(TabellionError):
    """A flow's table contradicts itself: a fault of whoever wrote it, found when it is loaded."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A piece of work on a dossier: one Dramatiq actor.

    Attributes:
        name: last part of the actor's name.
        queue: the resource it uses: ``cpu``, ``signing``, ``remote.<system>``, ``archive``.
        outcomes: the names it may advance by; ``refused`` also stands for a document refused by raising ``Refused``.
        perform: the work itself.
        departed: of a transmission that is acknowledged, what it leads to when a person knows that it is over.
    """

    name: str
    queue: str
    outcomes: frozenset[str]
    perform: Perform
    departed: Depart | None = None


def stage(queue: str, *outcomes: str, departed: Depart | None = None) -> Callable[[Perform], Stage]:
    """Declare a function as a stage.

    Example:
        >>> @stage("cpu", "accepted", "refused")
        ... def check(work): ...
    """

    def declare(perform: Perform) -> Stage:
        return Stage(perform.__name__, queue, frozenset(outcomes), perform, departed)

    return declare


@dataclass(frozen=True, slots=True, init=False)
class On:
    """A state in which a stage is performed at once.

    Attributes:
        leads: the next state by outcome.
    """

    state: str
    stage: Stage
    leads: dict[str, str]

    def __init__(self, state: str, stage: Stage, **leads: str) -> None:
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "stage", stage)
        object.__setattr__(self, "leads", leads)


@dataclass(frozen=True, slots=True, init=False)
class Wait:
    """A state left by an event from outside.

    Attributes:
        waits_for: what is awaited, in words of the documentation.
        within: after this long without an event an operator is told; None for ever.
        leads: the next state by event.
    """

    state: str
    waits_for: str
    within: timedelta | None
    leads: dict[str, str]

    def __init__(self, state: str, *, waits_for: str, within: timedelta | None = None, **leads: str) -> None:
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "waits_for", waits_for)
        object.__setattr__(self, "within", within)
        object.__setattr__(self, "leads", leads)


@dataclass(frozen=True, slots=True)
class End:
    """A state that is never left.

    Attributes:
        good: whether the dossier came to the end it was made for.
    """

    state: str
    good: bool = False

    @property
    def leads(self) -> dict[str, str]:
        """Nowhere."""
        return {}


Row = On | Wait | End


class Flow:
    """A named table; its first row is the state of a deposit.

    Raises:
        BrokenFlow: a state is declared twice, unknown, unreachable or without exit, or an outcome leads nowhere.
    """

    def __init__(self, name: str, *rows: Row) -> None:
        self.name = name
        self.rows = {row.state: row for row in rows}
        if len(self.rows) != len(rows):
            raise BrokenFlow(f"{name}: a state stands in two rows")
        self.start = rows[0].state
        self._check()

    @property
    def states(self) -> tuple[str, ...]:
        """The states, in the order of the table."""
        return tuple(self.rows)

    def stages(self) -> Iterator[Stage]:
        """Yield each stage once."""
        yield from {row.stage.name: row.stage for row in self.rows.values() if isinstance(row, On)}.values()

    def actor(self, stage: Stage) -> str:
        """Return the name of a stage's actor."""
        return f"{self.name}.{stage.name}"

    def _check(self) -> None:
        for row in self.rows.values():
            if isinstance(row, On) and row.stage.outcomes != row.leads.keys():
                stated, known = sorted(row.leads), sorted(row.stage.outcomes)
                raise BrokenFlow(f"{self.name}: {row.state}: {row.stage.name} ends by {known}, the table says {stated}")
            if isinstance(row, Wait) and not row.leads:
                raise BrokenFlow(f"{self.name}: nothing leaves {row.state}")
            if unknown := set(row.leads.values()) - self.rows.keys():
                raise BrokenFlow(f"{self.name}: {row.state} leads to unknown states {sorted(unknown)}")
        if lost := self.rows.keys() - self._reachable():
            raise BrokenFlow(f"{self.name}: nothing leads to {sorted(lost)}")

    def _reachable(self) -> set[str]:
        reached: set[str] = set()
        ahead = [self.start]
        while ahead:
            state = ahead.pop()
            if state not in reached:
                reached.add(state)
                ahead.extend(self.rows[state].leads.values())
        return reached
