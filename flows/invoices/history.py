"""The statuses that Chorus Pro tells of an invoice, kept once each, and what follows from them for its term of payment.

Nothing here moves a dossier: ``life`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from connectors.chorus.answers import History, Step
from connectors.chorus.client import Chorus
from connectors.chorus.statuses import RANK, Status
from core import clock, journal
from core.configuration import configuration_of
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from flows.engine.models import Dossier
from flows.invoices.models import InvoiceStep, ReceivedInvoice
from flows.invoices.settings import RECEPTION, InvoiceReception
from flows.invoices.term import Passed, term_of

WITH_SUPPLIER = frozenset({Status.SUSPENDED, Status.TO_RECYCLE, Status.DEPOSITED, Status.ON_ITS_WAY})
"""Statuses in which the invoice is not for its recipient to act on: its supplier has it, or it is on its way from there."""

WITH_RECIPIENT = frozenset(status for status, rank in RANK.items() if rank >= RANK[Status.AVAILABLE])
"""Statuses that say that its recipient has the invoice, for the first time or again; of one that is not known nobody can tell."""

COMPLETIONS = "completions"
"""Fact of a dossier: how many completions by the supplier its files hold."""

READDRESSED = "readdressed"
"""Fact of a dossier: the recipient to whom its supplier has readdressed the invoice, where that is not its organisation."""

_messages = Catalogue("flows.invoices")
_LONGEST_CODE, _LONGEST_COMMENT = 60, 2000
_USUAL_TERM = 30


def locked(session: Session, dossier_id: str) -> tuple[Dossier, ReceivedInvoice]:
    """Return a dossier and its invoice, held until the transaction ends: two who learn of a status do so one after the other.

    Raises:
        NotFound: there is no such invoice.
    """
    dossier = session.exec(select(Dossier).where(Dossier.id == dossier_id).with_for_update()).first()
    invoice = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).first()
    if dossier is None or invoice is None:
        raise NotFound(_messages("invoice.unknown"))
    return dossier, invoice


@dataclass(frozen=True, slots=True)
class Told:
    """A history, and when it was asked for."""

    history: History
    asked: datetime


def ask(chorus: Chorus, invoice: ReceivedInvoice) -> Told:
    """Ask Chorus Pro for the life of an invoice.

    Raises:
        ChorusUnavailable, ChorusRefused and the others of ``connectors.chorus.errors``.
    """
    asked = clock.now()
    return Told(chorus.history(invoice.chorus_id), asked)


def keep(platform: Platform, session: Session, invoice: ReceivedInvoice, told: Told, moved: datetime | None = None) -> None:
    """Keep what a history says of an invoice, unless somebody learnt more while it was on its way.

    Args:
        platform: where the term is configured.
        session: writes; holds the dossier (``locked``).
        invoice: is brought up to date.
        told: by Chorus Pro.
        moved: when the status last changed, as a search told it: more exactly than the history does; None when none did.
    """
    known = steps_of(session, invoice.dossier_id)
    if known and len(told.history.steps) < len(known) and known[-1].seen >= told.asked:
        return
    news = []
    for step in _news(known, told.history.steps):
        kept = _kept(invoice, step, known[-1].moment if known else None)
        if all((one.code, one.moment) != (kept.code, kept.moment) for one in known):
            session.add(kept)
            session.flush()
            known.append(kept)
            news.append(kept.code)
    invoice.moved = moved or (known[-1].moment if known else invoice.moved)
    if told.history.status:
        invoice.status = told.history.status[:_LONGEST_CODE]
    _reckon(platform, session, invoice, known)
    session.add(invoice)
    session.flush()
    if news:
        journal.write(
            session,
            organisation_id=invoice.organisation_id,
            dossier_id=invoice.dossier_id,
            kind="invoices.status",
            actor="platform",
            facts={"status": invoice.status, "steps": news},
        )


def steps_of(session: Session, dossier_id: str) -> list[InvoiceStep]:
    """Return the statuses of an invoice that are kept, oldest first."""
    rows = select(InvoiceStep).where(InvoiceStep.dossier_id == dossier_id).order_by(col(InvoiceStep.id))
    return list(session.exec(rows))


def completions(session: Session, dossier_id: str) -> int:
    """Return how many times its supplier completed an invoice, as far as is known."""
    counted = select(func.count()).where(InvoiceStep.dossier_id == dossier_id, InvoiceStep.code == Status.COMPLETED.value)
    return session.exec(counted).one()


def _news(known: Sequence[InvoiceStep], told: Sequence[Step]) -> list[Step]:
    """Return the steps that are not known: those after the known ones, as moments may be told to the minute or to the day."""
    if [one.code for one in known] == [one.code[:_LONGEST_CODE] for one in told[: len(known)]]:
        return list(told[len(known) :])
    seen = {(one.code, one.moment) for one in known}
    return [one for one in told if (one.code, one.moment) not in seen]


def _kept(invoice: ReceivedInvoice, step: Step, before: datetime | None) -> InvoiceStep:
    """Return a step to keep; one that tells no moment came no earlier than the one before it."""
    return InvoiceStep(
        organisation_id=invoice.organisation_id,
        dossier_id=invoice.dossier_id,
        code=step.code[:_LONGEST_CODE],
        comment=step.comment.replace("\0", "")[:_LONGEST_COMMENT],
        moment=step.moment or before or invoice.deposited or clock.now(),
    )


def _reckon(platform: Platform, session: Session, invoice: ReceivedInvoice, steps: Sequence[InvoiceStep]) -> None:
    """Set what follows from the steps for the term of payment."""
    term = term_of([Passed(step.code, step.moment) for step in steps], _term_days(platform, session, invoice.organisation_id))
    invoice.available, invoice.due, invoice.late_from = term.available, term.due, term.late_from


def _term_days(platform: Platform, session: Session, organisation_id: str) -> int:
    try:
        return configuration_of(session, platform.secrets, organisation_id, RECEPTION, InvoiceReception).term_days
    except NotFound:
        return _USUAL_TERM  # the reception was taken away since: the invoice still has its term
