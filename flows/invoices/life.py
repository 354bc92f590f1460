"""The life of an invoice at Chorus Pro, and what its dossier hears of it.

What Chorus Pro says is kept first, whatever the dossier is at: a worker that has it in hand is not disturbed, and the event is
heard at a later turn, from the steps that are kept and not from what somebody happened to see. Nothing is lost between two looks.

    what the steps say                                     the dossier hears
    rejected, paid, abandoned or deleted                   ended
    with its supplier (suspended, to be recycled)          suspended
    with its recipient again                               completed: a new cycle, its files fetched again
    completed while nobody here knew it was suspended      suspended, then completed
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from connectors.chorus.client import Chorus
from connectors.chorus.statuses import FINAL, Status
from core.database import ScopedSession
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.table import Wait
from flows.engine.work import Advance
from flows.invoices import history
from flows.invoices.flow import COMPLETED, ENDED, INVOICES, SUSPENDED
from flows.invoices.knowledge import invoice_of
from flows.invoices.models import InvoiceStep, ReceivedInvoice

_WAITING = tuple(state for state, row in INVOICES.rows.items() if isinstance(row, Wait))
_SUSPENDED = "suspended"


def observe(platform: Platform, dossier_id: str, chorus: Chorus, *, moved: datetime | None = None) -> ReceivedInvoice:
    """Read an invoice's history at Chorus Pro, keep what is new, and let its dossier hear it; all in one transaction.

    Args:
        platform: where it is kept.
        dossier_id: of the invoice.
        chorus: as its account sees it: see ``knowledge.chorus_of``.
        moved: when its status last changed, as a search told it; None when none did.

    Raises:
        NotFound: there is no such invoice.
        ChorusUnavailable, ChorusRefused and the others of ``connectors.chorus.errors``: nothing is written.
    """
    told = history.ask(chorus, invoice_of(platform, dossier_id))
    with platform.database.writing(PLATFORM) as session:
        _, invoice = history.locked(session, dossier_id)
        history.keep(platform, session, invoice, told, moved)
        hear(session, invoice)
        return invoice


def settle(platform: Platform, organisation_id: str) -> None:
    """Let the dossiers of an account hear what Chorus Pro said while a worker had them in hand, and they wait again."""
    with platform.database.reading(PLATFORM) as session:
        due = session.exec(_unheard(organisation_id)).all()
    for dossier_id in due:
        with platform.database.writing(PLATFORM) as session:
            _, invoice = history.locked(session, dossier_id)
            hear(session, invoice)


def hear(session: ScopedSession, invoice: ReceivedInvoice) -> None:
    """Let a dossier that waits hear what the steps of its invoice ask for; the session holds it (``history.locked``)."""
    while (event := _event(session, invoice)) is not None:
        session.flush()
        cycle = invoice.cycle + (event == COMPLETED)
        outcome = Advance(event, facts={"cycle": cycle}, journal={"status": invoice.status, "cycle": cycle})
        if not transitions.signal(session, INVOICES, invoice.dossier_id, event, outcome):
            return
        invoice.cycle = cycle
        session.add(invoice)
        session.flush()


def _event(session: Session, invoice: ReceivedInvoice) -> str | None:
    """Return what a dossier is to hear next; None when it has heard all, or does not wait."""
    state, facts = session.exec(select(Dossier.state, Dossier.facts).where(Dossier.id == invoice.dossier_id)).one()
    if state not in _WAITING:
        return None
    if invoice.status in FINAL:
        return ENDED
    if state == _SUSPENDED:
        return COMPLETED if invoice.status in history.WITH_RECIPIENT else None
    away = invoice.status in history.WITH_SUPPLIER
    behind = history.completions(session, invoice.dossier_id) > int(facts.get(history.COMPLETIONS, 0))
    return SUSPENDED if away or behind else None


def _unheard(organisation_id: str) -> SelectOfScalar[str]:
    """Return what finds the dossiers that have an event to hear: ``_event`` in SQL."""
    status, state = col(ReceivedInvoice.status), col(Dossier.state)
    away = status.in_(history.WITH_SUPPLIER)
    counted = select(func.count()).where(InvoiceStep.dossier_id == Dossier.id, InvoiceStep.code == Status.COMPLETED.value)
    heard = func.coalesce(col(Dossier.facts)[history.COMPLETIONS].as_integer(), 0)
    return (
        select(ReceivedInvoice.dossier_id)
        .join(Dossier, col(Dossier.id) == col(ReceivedInvoice.dossier_id))
        .where(ReceivedInvoice.account_id == organisation_id, state.in_(_WAITING), ~col(Dossier.overtaken))
        .where(
            or_(
                status.in_(FINAL),
                (state == _SUSPENDED) & status.in_(history.WITH_RECIPIENT),
                (state != _SUSPENDED) & (away | (counted.scalar_subquery() > heard)),
            )
        )
    )
