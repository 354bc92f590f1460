"""The term of payment of an invoice, from the statuses it went through: when it began, when it was stopped, when it ends.

Code de la commande publique: the term begins when the invoice is made available (R2192-12); it may be interrupted once, before
the expense is ordered (R2192-27); once the supplier has completed the invoice a new one is open, of thirty days, or of what was
left of the first when that is more (R2192-29). Days are calendar days of Paris; that from which they run is not counted
(règlement 1182/71).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connectors.chorus.statuses import FINAL, RANK, Status
from core.clock import in_paris

_NEW_TERM = 30
_ORDERED = RANK[Status.MANDATED]


@dataclass(frozen=True, slots=True)
class Passed:
    """A status that an invoice came to, and when."""

    code: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class Term:
    """Where the term of payment stands.

    Attributes:
        available: when the invoice was first made available; None when that is not known: no term runs then.
        stopped: when it was interrupted; None while it runs.
        resumed: when the supplier had completed what was interrupted.
        over: whether the invoice was paid or rejected.
        ordered: whether the expense was ordered (MANDATEE, or further), so that nobody here is late any more.
        due: last day of the term; None while it is stopped, once it is over, and when none runs.
        left: days that were left when it was stopped, or since it was; None unless it is stopped.
    """

    available: datetime | None = None
    stopped: datetime | None = None
    resumed: datetime | None = None
    over: bool = False
    ordered: bool = False
    due: date | None = None
    left: int | None = None

    def run(self, today: date) -> int | None:
        """Return how many days of the term have run: those since it was last opened; None when none runs."""
        opened = self.resumed or self.available
        return None if self.due is None or opened is None else max(0, (today - _day(opened)).days)

    def remaining(self, today: date) -> int | None:
        """Return how many days are left, those of a term that is stopped too; negative once it is late; None when none runs."""
        return self.left if self.due is None else (self.due - today).days

    @property
    def late_from(self) -> date | None:
        """The day after which an invoice that nobody has ordered to be paid is late."""
        return None if self.ordered else self.due


def term_of(steps: Iterable[Passed], days: int) -> Term:
    """Return the term of payment.

    Args:
        steps: in the order in which they came; codes that are not known do not count.
        days: of the term, as the organisation says: thirty, or fifty for a public health body.
    """
    available = stopped = resumed = None
    due: date | None = None
    left: int | None = None
    over = ordered = False
    for step in steps:
        over = step.code in FINAL
        rank = _rank(step.code)
        if rank is not None:
            ordered = rank >= _ORDERED
        if step.code == Status.AVAILABLE and available is None:
            available = step.moment
            due = _day(available) + timedelta(days=days)
        elif step.code == Status.SUSPENDED and due is not None and resumed is None and not ordered:
            stopped, left, due = step.moment, (due - _day(step.moment)).days, None
        elif stopped is not None and left is not None and _given_back(step.code):
            resumed, stopped = step.moment, None
            due, left = _day(resumed) + timedelta(days=max(_NEW_TERM, left)), None
    if over:
        due = left = stopped = None
    return Term(available, stopped, resumed, over, ordered, due, left)


def _given_back(code: str) -> bool:
    """Tell whether a status says that the supplier has completed the invoice: COMPLETEE, or what a recipient sets next."""
    rank = _rank(code)
    return rank is not None and rank >= RANK[Status.COMPLETED]


def _rank(code: str) -> int | None:
    return RANK[Status(code)] if code in set(RANK) else None


def _day(moment: datetime) -> date:
    return in_paris(moment).date()
