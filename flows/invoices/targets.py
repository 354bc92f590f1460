"""What Chorus Pro is to be told of an invoice: written down once, found, closed; each with its entry in the journal.

What is decided is in ``deciding``, when and how it is told in ``telling``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from connectors.chorus.statuses import RANK, Status, word
from core import clock, journal
from core.identifiers import new_id
from core.messages import Catalogue
from flows.engine import schedule
from flows.invoices.models import InvoiceStep, InvoiceTarget, ReceivedInvoice, TargetState

_messages = Catalogue("flows.invoices")
ACTOR = "invoices.tell"
"""The scheduled run that tells what is written down here; its key is the owner of the account."""
OPEN = (TargetState.DUE.value, TargetState.TELLING.value)
"""States of a status that Chorus Pro is still to be told."""
REJECTED_HERE = "rejected_here"
"""Fact of a dossier: its rejection, where Chorus Pro is told nothing through this platform: ``reason``, ``code``, ``at``."""
JOURNAL = {TargetState.TOLD: "told", TargetState.DROPPED: "dropped", TargetState.REFUSED: "denied"}
"""What the journal calls the end of a status; ``refused`` is what a finance software does."""
_LONGEST_TROUBLE = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A status that Chorus Pro is to be told.

    Attributes:
        status: one of ``connectors.chorus.statuses.SENDABLE``.
        reason: in words, for the supplier, 255 characters at most; compulsory to reject or suspend.
        reason_code: one of ``REFUSAL_REASONS`` or ``SUSPENSION_REASONS``, when somebody chose one.
        mandate: number of the *mandat*, with MANDATEE only.
    """

    status: str
    reason: str = ""
    reason_code: str = ""
    mandate: str = ""

    @classmethod
    def of(cls, target: InvoiceTarget) -> Asked:
        """Return what was asked."""
        return cls(target.status, target.reason, target.reason_code, target.mandate)


def targets_of(session: Session, dossier_id: str, *states: str) -> list[InvoiceTarget]:
    """Return what Chorus Pro is or was to be told of an invoice, in order; in these states only, when any is named."""
    wanted = select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id).order_by(col(InvoiceTarget.id))
    return list(session.exec(wanted.where(col(InvoiceTarget.state).in_(states)) if states else wanted))


def write_down(session: Session, invoice: ReceivedInvoice, actor: str, asked: Sequence[Asked]) -> None:
    """Write down what Chorus Pro is to be told of an invoice, in this order, soon; the session holds it (``history.locked``)."""
    identifiers = sorted(new_id() for _ in asked)  # those of one millisecond have no order of their own
    for identifier, one in zip(identifiers, asked, strict=True):
        session.add(
            InvoiceTarget(
                id=identifier,
                organisation_id=invoice.organisation_id,
                dossier_id=invoice.dossier_id,
                status=one.status,
                reason=one.reason,
                reason_code=one.reason_code,
                mandate=one.mandate,
                actor=actor,
            )
        )
        session.flush()
        facts = {"target": identifier, "status": one.status, "code": one.reason_code, "mandate": one.mandate}
        tell_journal(session, invoice, "asked", actor, facts)
    schedule.hasten(session, ACTOR, invoice.account_id)


def certify(session: Session, invoice: ReceivedInvoice) -> None:
    """Write down that Chorus Pro is to be told that the service was done, as follows from a visa, unless it knows or will."""
    waiting = {one.status for one in targets_of(session, invoice.dossier_id, *OPEN)}
    if not is_certified(invoice.status) and Status.SERVICE_DONE.value not in waiting:
        write_down(session, invoice, "platform", [Asked(Status.SERVICE_DONE.value)])


def is_certified(status: str) -> bool:
    """Tell whether an invoice of a status has come as far as the visa would take it, or further."""
    return rank_of(status) >= RANK[Status.SERVICE_DONE]


def rank_of(status: str) -> int:
    """Return how far a status is on the way to the payment; below zero for one beside the way, or that is not known."""
    return RANK.get(Status(status), -1) if status in set(Status) else -1


def has_arrived(session: Session, target: InvoiceTarget, invoice: ReceivedInvoice) -> bool:
    """Tell whether Chorus Pro has a status that somebody set out to tell it, whether or not its answer came."""
    if target.state != TargetState.TELLING.value or target.telling is None:
        return False
    since = select(InvoiceStep.id).where(InvoiceStep.dossier_id == target.dossier_id, InvoiceStep.code == target.status)
    return (
        invoice.status == target.status or session.exec(since.where(col(InvoiceStep.seen) >= target.telling)).first() is not None
    )


def conclude(session: Session, invoice: ReceivedInvoice) -> None:
    """Close what was still to be told of an invoice whose life is over: it was taken, or can be told no more."""
    for target in targets_of(session, invoice.dossier_id, *OPEN):
        if has_arrived(session, target, invoice):
            close(session, target.id, TargetState.TOLD)
        else:
            close(session, target.id, TargetState.DROPPED, _messages("tell.over", status=word(invoice.status)))


def close(session: Session, target_id: str, state: TargetState, trouble: str | None = None, **facts: Any) -> bool:
    """Close what was to be told, in the session's transaction, with its journal entry; False when another has closed it.

    Args:
        session: open to write.
        target_id: it.
        state: TOLD, DROPPED or REFUSED.
        trouble: why it was not told, in words.
        facts: of the journal entry: codes.
    """
    target = session.exec(select(InvoiceTarget).where(InvoiceTarget.id == target_id).with_for_update()).one()
    if target.state not in OPEN:
        return False
    target.state, target.trouble = state.value, trouble[:_LONGEST_TROUBLE] if trouble else None
    if state is TargetState.TOLD:
        target.told = clock.now()
    session.add(target)
    session.flush()
    told = {"target": target.id, "status": target.status, "code": target.reason_code, **facts}
    tell_journal(session, target, JOURNAL[state], "platform", told)
    return True


def tell_journal(session: Session, of: ReceivedInvoice | InvoiceTarget, kind: str, actor: str, facts: Mapping[str, Any]) -> None:
    """Write an entry of the journal about an invoice; empty facts are left out."""
    journal.write(
        session,
        organisation_id=of.organisation_id,
        dossier_id=of.dossier_id,
        kind=f"invoices.{kind}",
        actor=actor,
        facts={key: value for key, value in facts.items() if value},
    )
