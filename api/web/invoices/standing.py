"""How an invoice stands, in a clerk's words: groups of states, the term of payment, and what may be decided now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from connectors.chorus.statuses import FINAL, RANK, Status
from flows.invoices.models import InvoiceTarget, ReceivedInvoice, TargetState
from flows.invoices.reading import SOON

GROUPS: dict[str, tuple[str, ...]] = {
    "arrivee": ("received", "stored", "checked"),
    "visa": ("proceeding", "in_parapheur", "visaed", "withdrawing"),
    "objection": ("objected",),
    "logiciel": ("to_hand", "handed"),
    "suspendue": ("suspended",),
    "suivi": ("following",),
    "terminee": ("closing", "archived"),
}
"""What the list is narrowed by; every state of the flow stands in one of them."""
MOVING = frozenset({*GROUPS["arrivee"], *GROUPS["visa"], *GROUPS["logiciel"], "closing"})
"""States that may change while somebody looks on."""
_COLOURS = {"objection": "amber", "suspendue": "amber", "suivi": "green", "terminee": "green"}


def group_of(state: str) -> str:
    """Return the group that a state stands in; empty for a state that is not known."""
    return next((name for name, states in GROUPS.items() if state in states), "")


def colour(state: str, parked: str | None) -> str:
    """Return the colour of a state's tag."""
    return "amber" if parked else _COLOURS.get(group_of(state), "blue")


class Phase(StrEnum):
    """Where the term of payment stands."""

    UNKNOWN = "unknown"
    """It has not begun, or Chorus Pro has not told when."""
    RUNNING = "running"
    SOON = "soon"
    TODAY = "today"
    LATE = "late"
    MANDATED = "mandated"
    """It runs on, and is no longer the clerk's business."""
    STOPPED = "stopped"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Countdown:
    """The term of payment, counted from today.

    Attributes:
        days: left, today not counted; when it is late, over.
        due: its last day; None when there is none.
    """

    phase: Phase
    days: int = 0
    due: date | None = None

    @property
    def colour(self) -> str:
        """The colour of its words."""
        return {Phase.LATE: "red", Phase.SOON: "amber", Phase.TODAY: "amber", Phase.STOPPED: "amber"}.get(self.phase, "blue")


def countdown(invoice: ReceivedInvoice, today: date) -> Countdown:
    """Return where the term of payment of an invoice stands."""
    if invoice.status in FINAL:
        return Countdown(Phase.OVER)
    if invoice.due is None:  # a term is interrupted once: one that was opened anew runs on whatever its status
        return Countdown(Phase.STOPPED if invoice.status == Status.SUSPENDED else Phase.UNKNOWN)
    left = (invoice.due - today).days
    if invoice.late_from is None:
        return Countdown(Phase.MANDATED, left, invoice.due)
    if left < 0:
        return Countdown(Phase.LATE, -left, invoice.due)
    phase = Phase.TODAY if not left else Phase.SOON if left <= SOON.days else Phase.RUNNING
    return Countdown(phase, left, invoice.due)


class Deed(StrEnum):
    """What a clerk may decide of an invoice; also the last part of the address of its page."""

    ACCEPT = "acceptation"
    AGAIN = "reprise"
    TAKE = "prise"
    CERTIFY = "service-fait"
    MANDATE = "mandatement"
    SUSPEND = "suspension"
    REJECT = "rejet"


STATUSES = {
    Deed.CERTIFY: Status.SERVICE_DONE,
    Deed.MANDATE: Status.MANDATED,
    Deed.SUSPEND: Status.SUSPENDED,
    Deed.REJECT: Status.REJECTED,
}
"""What each decision has Chorus Pro told."""
_RANKS = {status.value: rank for status, rank in RANK.items()}  # what Chorus Pro says may be no status that is known
_WAITS = frozenset({TargetState.DUE.value, TargetState.TELLING.value})
_ON = frozenset({"objected", "to_hand", "handed", "following", "in_parapheur", "proceeding", "visaed"})


def deeds(
    state: str, parked: str | None, invoice: ReceivedInvoice, targets: tuple[InvoiceTarget, ...], *, offered: bool
) -> tuple[Deed, ...]:
    """Return what may be decided now, what is most to be expected first.

    A status that is still to be told counts as reached: nobody decides twice, nor behind a rejection that is on its way. An
    invoice that the finance software has not acknowledged for too long is stopped, and may be said to be taken all the same.

    Args:
        state: of the dossier.
        parked: why an operator must look at it.
        invoice: which.
        targets: all of its own.
        offered: whether it was handed over, and nothing was answered.
    """
    taking = (Deed.TAKE,) if offered and state == "handed" else ()
    if parked:
        return taking
    if state not in _ON or invoice.status in FINAL or invoice.status == Status.SUSPENDED:
        return ()
    waiting = {one.status for one in targets if one.state in _WAITS}
    if waiting & {Status.REJECTED, Status.SUSPENDED}:
        return taking
    reached = max((_rank(one) for one in (invoice.status, *waiting)), default=0)
    answers = (Deed.ACCEPT, Deed.AGAIN) if state == "objected" else ()
    steps = tuple(one for one in (Deed.CERTIFY, Deed.MANDATE) if reached < RANK[STATUSES[one]])
    back = (Deed.SUSPEND, Deed.REJECT) if reached <= RANK[Status.MANDATED] else ()
    return (*answers, *taking, *steps, *back)


def _rank(status: str) -> int:
    return _RANKS.get(status, 0)
