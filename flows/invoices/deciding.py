"""What a person, or software in their place, decides of an invoice: what Chorus Pro is told, and what the dossier does next.

A decision, its journal entry and the event that follows are one transaction. A rejection moves the dossier once Chorus Pro has
said so, since its supplier is told there; at once where the organisation tells Chorus Pro nothing through this platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import select

from connectors.chorus.statuses import (
    FINAL,
    REASONED,
    REFUSAL_REASONS,
    SUSPENSION_REASONS,
    Status,
    check_sendable,
    word,
)
from core import clock
from core.database import ScopedSession
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import transitions
from flows.engine.work import Advance
from flows.invoices import history
from flows.invoices.flow import ENDED, INVOICES
from flows.invoices.knowledge import reception_of
from flows.invoices.models import InvoiceTarget, ReceivedInvoice
from flows.invoices.targets import OPEN, REJECTED_HERE, Asked, rank_of, targets_of, tell_journal, write_down

__all__ = ["Asked", "accept", "again", "ask"]

_messages = Catalogue("flows.invoices")
_CODES: Mapping[str, tuple[str, ...]] = {Status.REJECTED: REFUSAL_REASONS, Status.SUSPENDED: SUSPENSION_REASONS}
_OVER = frozenset({"closing", "archived"})
_MOST = 10


def ask(platform: Platform, principal: Principal, dossier_id: str, targets: Sequence[Asked]) -> None:
    """Write down what Chorus Pro is to be told, in this order; what is to be told already is not written twice.

    Args:
        platform: its parts.
        principal: who decides.
        dossier_id: of the invoice.
        targets: one status, or several that follow each other: SERVICE_FAIT, then MANDATEE.

    Raises:
        NotFound: there is no such invoice, or the principal does not see it.
        Forbidden: they may not decide for its organisation.
        UsageError: a status that nobody sends, or that comes before the one it follows; a reason that is missing, too long, or
            whose code is not of its list.
        Conflict: the invoice is paid or rejected, its rejection or suspension is asked for already, or a worker has it in hand.
        NeedsOperator: the reception of invoices is not configured.
    """
    account = _account_of(platform, principal, dossier_id)
    asked = [_checked(one) for one in targets]
    _check_order(asked)
    tells = reception_of(platform, account).tell
    with platform.database.writing(principal) as session:
        invoice = _held(session, principal, dossier_id)
        if invoice.status in FINAL:
            raise Conflict(_messages("decide.over", number=invoice.number, status=word(invoice.status)))
        decide = _keep if tells else _decide_here
        decide(session, principal, invoice, asked)
        if mandates := [one.mandate for one in asked if one.mandate]:
            invoice.mandate = mandates[-1]
            session.add(invoice)


def accept(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Hand an invoice over to the finance software although somebody objected.

    Raises:
        NotFound, Forbidden: see ``ask``.
        Conflict: nobody objects to it, or its rejection or suspension is asked for.
    """
    _go_on(platform, principal, dossier_id, "accepted")


def again(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Have an invoice to which somebody objected go its way once more: approvers are asked again.

    Raises:
        NotFound, Forbidden, Conflict: see ``accept``.
    """
    _go_on(platform, principal, dossier_id, "again")


def _account_of(platform: Platform, principal: Principal, dossier_id: str) -> str:
    """Return the owner of the account through which an invoice is spoken of, to somebody who may decide of it."""
    with platform.database.reading(principal) as session:
        invoice = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).first()
    if invoice is None:
        raise NotFound(_messages("invoice.unknown"))
    principal.require(Right.DEPOSIT, invoice.organisation_id)
    return invoice.account_id


def _held(session: ScopedSession, principal: Principal, dossier_id: str) -> ReceivedInvoice:
    dossier, invoice = history.locked(session, dossier_id)
    principal.require(Right.DEPOSIT, invoice.organisation_id)
    if dossier.state in _OVER:
        raise Conflict(_messages("decide.closed", number=invoice.number))
    return invoice


def _checked(asked: Asked) -> Asked:
    """Return a status as it will be told: its words in one line, and none that no supplier could read."""
    reason, mandate = " ".join(asked.reason.split()), " ".join(asked.mandate.split())
    check_sendable(asked.status, reason, mandate)
    if not (reason + mandate).isprintable():
        raise UsageError(_messages("decide.unprintable"))
    codes = _CODES.get(asked.status, ())
    if asked.reason_code and asked.reason_code not in codes:
        known = ", ".join(codes) or _messages("decide.code.none")
        raise UsageError(_messages("decide.code", found=asked.reason_code[:40], status=word(asked.status), known=known))
    return Asked(asked.status, reason, asked.reason_code, mandate)


def _check_order(asked: Sequence[Asked]) -> None:
    """Go on only with statuses that follow each other; one that sends the invoice back stands alone."""
    if not 0 < len(asked) <= _MOST:
        raise UsageError(_messages("decide.count", most=_MOST, found=len(asked)))
    if len(asked) > 1 and (back := next((one for one in asked if one.status in REASONED), None)):
        raise UsageError(_messages("decide.alone", status=word(back.status)))
    ranks = [rank_of(one.status) for one in asked]
    if ranks != sorted(set(ranks)):
        raise UsageError(_messages("decide.order", statuses=", ".join(word(one.status) for one in asked)))


def _keep(session: ScopedSession, principal: Principal, invoice: ReceivedInvoice, asked: Sequence[Asked]) -> None:
    waiting = targets_of(session, invoice.dossier_id, *OPEN)
    there = {Asked.of(one) for one in waiting}
    new = [one for one in asked if one not in there]
    if new:
        _refuse_behind(invoice, waiting)
        write_down(session, invoice, principal.actor, new)


def _refuse_behind(invoice: ReceivedInvoice, waiting: Sequence[InvoiceTarget]) -> None:
    """Go on only if the invoice is not about to be sent back."""
    if back := next((one for one in waiting if one.status in REASONED), None):
        raise Conflict(_messages("decide.going_back", number=invoice.number, status=word(back.status)))


def _decide_here(session: ScopedSession, principal: Principal, invoice: ReceivedInvoice, asked: Sequence[Asked]) -> None:
    """Keep a decision that Chorus Pro is not told through this platform: the journal has it, and a rejection ends the dossier."""
    for one in asked:
        if one.status == Status.SUSPENDED:  # the supplier learns of it on the portal only, and so does this platform
            raise Conflict(_messages("decide.not_told", number=invoice.number))
        facts = {"status": one.status, "code": one.reason_code, "mandate": one.mandate}
        tell_journal(session, invoice, "decided", principal.actor, facts)
        if one.status == Status.REJECTED:
            decision = {"reason": one.reason, "code": one.reason_code, "at": clock.iso(clock.now())}
            _signal(session, principal, invoice, ENDED, {REJECTED_HERE: decision})


def _go_on(platform: Platform, principal: Principal, dossier_id: str, event: str) -> None:
    with platform.database.writing(principal) as session:
        invoice = _held(session, principal, dossier_id)
        _refuse_behind(invoice, targets_of(session, dossier_id, *OPEN))
        _signal(session, principal, invoice, event, {})


def _signal(session: ScopedSession, principal: Principal, invoice: ReceivedInvoice, event: str, facts: Mapping[str, Any]) -> None:
    outcome = Advance(event, facts=facts, journal={"status": invoice.status, "cycle": invoice.cycle})
    if not transitions.signal(session, INVOICES, invoice.dossier_id, event, outcome, principal.actor):
        raise Conflict(_messages(f"decide.not_now.{event}", number=invoice.number))
