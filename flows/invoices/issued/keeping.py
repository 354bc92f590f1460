"""Where an issued invoice stands: read and brought up to date under one lock, and what its dossier hears of it.

What Chorus Pro says is kept whatever the dossier is at; the event follows once the dossier waits, at a later turn if need be.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from connectors.chorus.client import Chorus
from connectors.chorus.deposits import Issued
from connectors.chorus.statuses import FINAL, Status
from core import clock, journal
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from core.problems import Problem
from flows.engine.models import Dossier
from flows.invoices import knowledge
from flows.invoices.columns import line
from flows.invoices.evidence import keeping
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.models import InvoiceStep

_messages = Catalogue("flows.invoices")
WITH_US = frozenset({Status.SUSPENDED, Status.TO_RECYCLE})
"""Statuses in which the recipient has given the invoice back to us."""

_SAME_MOMENT = timedelta(minutes=1)
_LONGEST_CODE, _LONGEST_COMMENT, _LONGEST_DEPOSIT = 60, 2000, 60


def chorus_of(platform: Platform, organisation_id: str, dossier_id: str) -> Chorus:
    """Return Chorus Pro as the organisation's own technical account sees it; evidence of every call is kept with the dossier.

    Raises:
        NeedsOperator: application or account are missing, or the invoice is of another environment than the account.
        EnvironmentMixed: one is of the sandbox, the other of production.
    """
    operator = knowledge.operator_of(platform, organisation_id)
    account = knowledge.account_of(platform, organisation_id)
    invoice = invoice_of(platform, dossier_id)
    knowledge.require_environment(account, invoice.environment, invoice.number)
    return Chorus(operator, account, keeping(platform, organisation_id, dossier_id))


def invoice_of(platform: Platform, dossier_id: str) -> IssuedInvoice:
    """Return the invoice of a dossier.

    Raises:
        NotFound: the dossier is of none, or it came to nothing.
    """
    with platform.database.reading(PLATFORM) as session:
        return found_in(session, dossier_id)


def found_in(session: Session, dossier_id: str) -> IssuedInvoice:
    """Return the invoice of a dossier that a session sees.

    Raises:
        NotFound: the dossier is of none, or it came to nothing.
    """
    found = session.exec(select(IssuedInvoice).where(IssuedInvoice.dossier_id == dossier_id)).first()
    if found is None:
        raise NotFound(_messages("invoice.unknown"))
    return found


def locked(session: Session, dossier_id: str) -> tuple[Dossier, IssuedInvoice]:
    """Return a dossier and its invoice, held until the transaction ends.

    Raises:
        NotFound: the dossier is of none, or it came to nothing.
    """
    dossier = session.exec(select(Dossier).where(Dossier.id == dossier_id).with_for_update()).first()
    if dossier is None:
        raise NotFound(_messages("invoice.unknown"))
    return dossier, found_in(session, dossier_id)


def keep(session: Session, invoice: IssuedInvoice, told: Issued) -> None:
    """Keep what Chorus Pro says of an invoice; what is older than what is known already says nothing.

    A status that is new is written down, with the moment that is told of it, or else this one.
    """
    invoice.chorus_id = told.id
    invoice.deposit = told.deposit[:_LONGEST_DEPOSIT] or invoice.deposit
    moved = told.moved or (invoice.moved if told.status == invoice.status else None) or clock.now()
    same = told.status == invoice.status and is_same_moment(moved, invoice.moved)
    if told.status and not same and not _is_older(moved, invoice.moved):
        write_down(session, invoice, told.status, moved, told.comment)
    session.add(invoice)
    session.flush()


def write_down(session: Session, invoice: IssuedInvoice, status: str, moved: datetime, comment: str = "") -> None:
    """Give an invoice a status, and keep the step that it went through."""
    invoice.status, invoice.moved = line(status, _LONGEST_CODE), moved
    invoice.comment = line(comment, _LONGEST_COMMENT)
    session.add(invoice)
    same = select(InvoiceStep.id).where(
        InvoiceStep.dossier_id == invoice.dossier_id, InvoiceStep.code == invoice.status, InvoiceStep.moment == moved
    )
    if session.exec(same).first() is not None:
        return
    step = InvoiceStep(
        organisation_id=invoice.organisation_id,
        dossier_id=invoice.dossier_id,
        code=invoice.status,
        moment=moved,
        comment=invoice.comment,
    )
    session.add(step)
    session.flush()
    journal.write(
        session,
        organisation_id=invoice.organisation_id,
        dossier_id=invoice.dossier_id,
        kind="sales.status",
        actor="platform",
        facts={"status": invoice.status},
    )


def event_of(state: str, status: str) -> str | None:
    """Return what a dossier in a state is to hear of a status; None when it has heard all, or does not wait for the recipient."""
    if state not in {"issued", "suspended"}:
        return None
    if status in FINAL:
        return "ended"
    if state == "suspended":
        return None if status in WITH_US else "resumed"
    return "suspended" if status in WITH_US else None


def come_to_nothing(session: Session, dossier_id: str, problems: Iterable[Problem]) -> None:
    """Write down why an invoice was not issued; its number and its file may come again. The session holds the dossier."""
    dossier, invoice = locked(session, dossier_id)
    dossier.problems, dossier.reference = [one.as_json() for one in problems], None
    session.add(dossier)
    session.delete(invoice)
    session.flush()


def is_same_moment(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether two moments are one, as Chorus Pro tells them: to the second in one place, to the minute in another."""
    return one is not None and other is not None and abs(one - other) < _SAME_MOMENT


def facts_of(invoice: IssuedInvoice) -> dict[str, Any]:
    """Return by what a dossier knows its invoice."""
    return {"number": invoice.number, "deposit": invoice.deposit, "chorus_id": invoice.chorus_id}


def _is_older(moved: datetime, known: datetime | None) -> bool:
    return known is not None and moved < known - _SAME_MOMENT
