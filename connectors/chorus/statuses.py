"""Statuses of invoices and of deposits: what is known of them. Others may come, and are kept as they come.

``TRANSITIONS`` is what the original has been seen to allow. Our side asks ``Chorus.possible_statuses`` instead: the table serves
the simulator.
"""

from __future__ import annotations

from enum import StrEnum

from connectors.chorus.errors import StatusUnsendable
from core.messages import Catalogue
from schemas.invoices import life_cycle

_messages = Catalogue("connectors.chorus")

LONGEST_REASON = 255
LONGEST_MANDATE = 50


class Status(StrEnum):
    """Statuses that a recipient meets; the catalogue has words for those of suppliers too."""

    DEPOSITED = "DEPOSEE"
    ON_ITS_WAY = "EN_COURS_ACHEMINEMENT"
    AVAILABLE = "MISE_A_DISPOSITION"
    TAKEN_UP = "PRISE_EN_COMPTE_DESTINATAIRE"
    TO_RECYCLE = "A_RECYCLER"
    SUSPENDED = "SUSPENDUE"
    COMPLETED = "COMPLETEE"
    SERVICE_DONE = "SERVICE_FAIT"
    MANDATED = "MANDATEE"
    WITH_ACCOUNTANT = "MISE_A_DISPOSITION_COMPTABLE"
    ACCOUNTED = "COMPTABILISEE"
    PAID = "MISE_EN_PAIEMENT"
    REJECTED = "REJETEE"
    ABANDONED = "ABANDONNEE"
    DELETED = "SUPPRIMEE"


_BY_RECIPIENT = (
    Status.TAKEN_UP,
    Status.SERVICE_DONE,
    Status.SUSPENDED,
    Status.REJECTED,
    Status.MANDATED,
    Status.WITH_ACCOUNTANT,
    Status.ACCOUNTED,
    Status.PAID,
)
SENDABLE = frozenset(_BY_RECIPIENT)
"""Statuses that a recipient may set. A_RECYCLER has not been among them since September 2026: it is read, never sent."""

FINAL = frozenset({Status.REJECTED, Status.PAID, Status.ABANDONED, Status.DELETED})
REASONED = frozenset({Status.REJECTED, Status.SUSPENDED})
"""Statuses that must come with a reason."""

_PAYMENT = (Status.WITH_ACCOUNTANT, Status.ACCOUNTED, Status.PAID)
TRANSITIONS: dict[Status, tuple[Status, ...]] = {
    Status.DEPOSITED: (),
    Status.ON_ITS_WAY: (),
    Status.AVAILABLE: _BY_RECIPIENT,
    Status.COMPLETED: _BY_RECIPIENT,
    Status.TAKEN_UP: tuple(one for one in _BY_RECIPIENT if one is not Status.TAKEN_UP),
    Status.SUSPENDED: (),
    Status.TO_RECYCLE: (),
    Status.SERVICE_DONE: (Status.MANDATED, Status.SUSPENDED, Status.REJECTED, *_PAYMENT),
    Status.MANDATED: (*_PAYMENT, Status.REJECTED, Status.SUSPENDED),
    Status.WITH_ACCOUNTANT: (Status.ACCOUNTED, Status.PAID),
    Status.ACCOUNTED: (Status.PAID,),
    Status.REJECTED: (),
    Status.PAID: (),
    Status.ABANDONED: (),
    Status.DELETED: (),
}

RANK: dict[Status, int] = {
    Status.DEPOSITED: 0,
    Status.ON_ITS_WAY: 1,
    Status.AVAILABLE: 2,
    Status.COMPLETED: 2,
    Status.TAKEN_UP: 3,
    Status.SERVICE_DONE: 4,
    Status.MANDATED: 5,
    Status.WITH_ACCOUNTANT: 6,
    Status.ACCOUNTED: 7,
    Status.PAID: 8,
}
"""How far an invoice has come, so that it is never taken back; what sends it back or ends it is beside the way."""

REFUSAL_REASONS = life_cycle.PUBLIC_REFUSAL
"""Coded reasons of a refusal by a public body (XP Z12-012, MDT-113), to stand beside the free text."""

SUSPENSION_REASONS = life_cycle.SUSPENSION
"""Coded reasons of a suspension (XP Z12-012, MDT-113)."""


class Outcome(StrEnum):
    """What a deposit came to."""

    UNDER_WAY = "under_way"
    TAKEN = "taken"
    PARTLY = "partly"
    """Some invoices were taken; the report names those that were not."""
    REFUSED = "refused"
    INCIDENT = "incident"
    """A fault of Chorus Pro: the whole deposit must be sent again."""


_OUTCOMES = {
    "IN_INTEGRE": Outcome.TAKEN,
    "IN_INTEGRE_PARTIEL": Outcome.PARTLY,
    "IN_REJETE": Outcome.REFUSED,
    "QP_IRRECEVABLE": Outcome.REFUSED,
    "IN_INCIDENTE": Outcome.INCIDENT,
}


def outcome(state: str) -> Outcome:
    """Return what the state of a deposit means; one that is not known to be final is under way."""
    return _OUTCOMES.get(state, Outcome.UNDER_WAY)


def word(status: str) -> str:
    """Return a status in words for a person; one that is not known is told as it came."""
    key = f"status.{status}"
    return _messages(key) if key in _messages else status


def reason_word(code: str) -> str:
    """Return a coded reason in words for a person; one that is not known is told as it came."""
    return life_cycle.reason_word(code)


def check_sendable(status: str, reason: str, mandate: str) -> None:
    """Refuse a change of status that Chorus Pro never takes.

    Raises:
        StatusUnsendable: the status is not a recipient's to set, its reason is missing or too long, or a mandate number comes
            with another status than MANDATEE.
    """
    if status not in SENDABLE:
        raise StatusUnsendable(_messages("unsendable.status", status=word(status)))
    if status in REASONED and not reason.strip():
        raise StatusUnsendable(_messages("unsendable.reason_missing", status=word(status)))
    if len(reason) > LONGEST_REASON:
        raise StatusUnsendable(_messages("unsendable.reason_long", found=len(reason), most=LONGEST_REASON))
    if mandate and status != Status.MANDATED:
        raise StatusUnsendable(_messages("unsendable.mandate", status=word(status), mandated=word(Status.MANDATED)))
    if len(mandate) > LONGEST_MANDATE:
        raise StatusUnsendable(_messages("unsendable.mandate_long", found=len(mandate), most=LONGEST_MANDATE))
