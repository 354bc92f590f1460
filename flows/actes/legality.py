"""Until when the préfet may bring an act before the tribunal: counted again at each event, and indicative.

The rules (CGCT L.2131-6, L.3132-1, L.4142-1; CE 13 Jan. 1988; CE 4 Nov. 1996; CE 15 May 2013, n° 357031):

- two months from the receipt of the act by the State, date to date;
- a request for documents (3-1), made within them, interrupts them: two new months from the receipt of the documents or of the
  refusal; silence counts as a refusal;
- so does a letter of observations (4-1), which counts as a request to withdraw the act;
- silence runs from the day on which the letter reached us, when that is later than its own;
- each of the two interrupts once, and only what answers the letter that did ends its silence; a plain letter (2-1) interrupts
  nothing; a referral (5-1) ends the control: the matter is before the tribunal until a person says that it is over, which no
  message of the State does.

A date is never earlier than the law may have it: what comes late is counted from the day on which it came.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

CONTROL = 2
"""Months of the control of legality (CGCT L.2131-6)."""
BUDGETARY = 1
"""Months of the control of budgets, from the receipt of a budget act (CGCT L.1612-1 and following)."""
SILENCE = 2
"""Months of silence that count as a refusal (CRPA L.231-4)."""


class Happening(StrEnum):
    """What moves the clock of an act."""

    RECEIVED = "received"
    DOCUMENTS_ASKED = "documents-asked"
    DOCUMENTS_ANSWERED = "documents-answered"
    OBSERVATIONS = "observations"
    OBSERVATIONS_ANSWERED = "observations-answered"
    REFERRED = "referred"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an act.

    Attributes:
        day: of its legal effect: that of the State's own message, or of a judgment.
        kind: what happened.
        came: the day on which it reached us, where that counts: nobody is silent before a letter has come.
        letter: the letter that it is, or that it answers.
    """

    day: date
    kind: Happening
    came: date | None = None
    letter: str | None = None


class Phase(StrEnum):
    """Where the control stands."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    ENDED = "ended"
    REFERRED = "referred"
    SETTLED = "settled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that the clock counted: the day, what happened, and until when the control then ran.

    Attributes:
        silence: for an interruption, the last day to answer before silence counts as a refusal.
        idle: it interrupted nothing, having come too late or a second time.
    """

    day: date
    kind: Happening
    ends: date | None
    silence: date | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """The control of an act on a given day.

    Attributes:
        ends: the last day of the control if nothing more happens, or of the litigation; None while the act is before the
            tribunal, and once it is cancelled.
        answer_by: while interrupted, the last day to answer before silence counts as a refusal.
        budgetary: the last day of the budgetary control, for a budget act.
        turns: how the date came about, in order.
    """

    phase: Phase
    ends: date | None
    answer_by: date | None
    budgetary: date | None
    turns: tuple[Turn, ...]


_INTERRUPTS = {
    Happening.DOCUMENTS_ASKED: Happening.DOCUMENTS_ANSWERED,
    Happening.OBSERVATIONS: Happening.OBSERVATIONS_ANSWERED,
}
_OVER = {Happening.REFERRED: Phase.REFERRED, Happening.CANCELLED: Phase.CANCELLED}


def clock_of(events: Iterable[Event], today: date, *, budget: bool = False) -> Clock | None:
    """Return the control of an act as it stands; None when the State has not received it.

    Args:
        events: in any order; of one day, in the order of ``Happening``.
        today: the day for which it is told, in Paris.
        budget: the act is a budget, which a second control bears upon.
    """
    rank = list(Happening).index
    ordered = sorted(events, key=lambda event: (event.day, rank(event.kind), event.letter or ""))
    received = next((event.day for event in ordered if event.kind is Happening.RECEIVED), None)
    if received is None:
        return None
    counting = _Counting(received)
    for event in ordered:
        counting.take(event)
    return counting.standing(today, months_later(received, BUDGETARY) if budget else None)


def months_later(day: date, months: int) -> date:
    """Return the same day some months later, or the last of that month: how legal periods run from date to date."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


class _Counting:
    """The clock while its events are told one after the other."""

    def __init__(self, received: date) -> None:
        self._ends = months_later(received, CONTROL)
        self._silences: dict[Happening, date] = {}
        self._interrupting: dict[Happening, str | None] = {}
        self._over: Phase | None = None
        self._turns = [Turn(received, Happening.RECEIVED, self._ends)]

    def take(self, event: Event) -> None:
        if event.kind is Happening.SETTLED and self._over is Phase.REFERRED:
            self._over, self._ends = Phase.SETTLED, event.day
            self._turns.append(Turn(event.day, event.kind, None))
        if event.kind is Happening.REFERRED and self._over is Phase.SETTLED:
            self._over = None  # before the tribunal once more
        if event.kind in {Happening.RECEIVED, Happening.SETTLED} or self._over is not None:
            return
        if event.kind in _OVER:
            self._over = _OVER[event.kind]
            self._turns.append(Turn(event.day, event.kind, None))
        elif event.kind in _INTERRUPTS:
            self._interrupt(event)
        else:
            self._answer(event)

    def _interrupt(self, event: Event) -> None:
        answered = _INTERRUPTS[event.kind]
        if answered in self._interrupting or event.day > self._ends:
            self._turns.append(Turn(event.day, event.kind, self._ends, idle=True))
            return
        self._interrupting[answered] = event.letter
        silence = months_later(max(event.day, event.came or event.day), SILENCE)
        self._silences[answered] = silence
        self._ends = max(months_later(one, CONTROL) for one in self._silences.values())
        self._turns.append(Turn(event.day, event.kind, self._ends, silence))

    def _answer(self, event: Event) -> None:
        if event.kind not in self._silences or event.letter != self._interrupting[event.kind]:
            self._turns.append(Turn(event.day, event.kind, self._ends, idle=True))
            return
        del self._silences[event.kind]
        self._ends = max(months_later(one, CONTROL) for one in (event.day, *self._silences.values()))
        self._turns.append(Turn(event.day, event.kind, self._ends))

    def standing(self, today: date, budgetary: date | None) -> Clock:
        turns = tuple(self._turns)
        if self._over is not None:
            return Clock(self._over, self._ends if self._over is Phase.SETTLED else None, None, budgetary, turns)
        if today > self._ends:
            return Clock(Phase.ENDED, self._ends, None, budgetary, turns)
        answer_by = min((one for one in self._silences.values() if today <= one), default=None)
        return Clock(Phase.RUNNING if answer_by is None else Phase.INTERRUPTED, self._ends, answer_by, budgetary, turns)
