"""Reading received invoices for whoever looks at them: searched, page by page; one with its whole life; what presses.

Nothing here knows HTTP, and nothing here writes. Sessions are those of ``flows.engine.reading.opened``: they see what their
principal may read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from core import clock
from core.database import ScopedSession
from core.errors import NotFound
from core.messages import Catalogue
from flows.engine import reading
from flows.engine.models import Dossier
from flows.engine.reading import Seen
from flows.invoices.models import Handover, HandoverState, InvoiceStep, InvoiceTarget, ReceivedInvoice
from flows.invoices.narrowing import Order, Place, Query, beyond, conditions, of_present_cycle

__all__ = ["Order", "Place", "Query"]

_messages = Catalogue("flows.invoices")
SOON = timedelta(days=7)
"""How long before its last day a term of payment presses."""
COUNTED_UP_TO = 1_000
TO_TAKE = ("handed",)
"""States in which what was offered to the finance software is to be taken: it is neither suspended nor over since."""


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice as a list shows it.

    Attributes:
        state: of its dossier; ``since`` when it came to it; ``parked`` why an operator must look at it.
        handover: of the present cycle; None when it was not handed over yet.
    """

    invoice: ReceivedInvoice
    state: str
    since: datetime
    parked: str | None
    handover: Handover | None

    @property
    def place(self) -> Place:
        """Where it stands in any list."""
        return Place(self.invoice.dossier_id, self.invoice.late_from)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    Attributes:
        after: where the next page starts; None on the last one.
        before: where the previous page ends; None on the first one.
    """

    rows: tuple[InvoiceRow, ...]
    after: Place | None
    before: Place | None


@dataclass(frozen=True, slots=True)
class Whole:
    """An invoice with its dossier, and its whole life: steps, targets and hand-overs oldest first."""

    seen: Seen
    invoice: ReceivedInvoice
    steps: tuple[InvoiceStep, ...]
    targets: tuple[InvoiceTarget, ...]
    handovers: tuple[Handover, ...]

    @property
    def handover(self) -> Handover | None:
        """The hand-over of the present cycle."""
        return next((one for one in self.handovers if one.cycle == self.invoice.cycle), None)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many invoices press, each up to ``COUNTED_UP_TO``.

    Attributes:
        late: the term of payment is over, and nobody has mandated them.
        soon: it ends within ``SOON``.
        objected: a person has to decide.
        visa: in the parapheur.
        suspended: the supplier has to complete them.
        offered: the finance software is to take them.
        parked: an operator must look at them.
    """

    late: int
    soon: int
    objected: int
    visa: int
    suspended: int
    offered: int
    parked: int


def search(session: ScopedSession, wanted: Query, after: Place | None, size: int) -> list[InvoiceRow]:
    """Return at most ``size`` invoices that come after a place, in the order that is wanted."""
    return _rows(session, wanted, size, after=after)


def page(session: ScopedSession, wanted: Query, size: int, after: Place | None = None, before: Place | None = None) -> Page:
    """Return a page of the list; ``before`` counts only when ``after`` is not given."""
    backwards = after is None and before is not None
    rows = _rows(session, wanted, size + 1, after=after, before=None if after else before)
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    return Page(
        tuple(rows),
        rows[-1].place if rows and (more or backwards) else None,
        rows[0].place if rows and (more if backwards else after is not None) else None,
    )


def one(session: ScopedSession, dossier_id: str) -> Whole:
    """Return an invoice with its whole life.

    Raises:
        NotFound: there is none of that identifier, or the session does not see it.
    """
    seen = reading.seen(session, dossier_id)
    invoice = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).first()
    if invoice is None:
        raise NotFound(_messages("invoice.unknown"))
    steps = select(InvoiceStep).where(InvoiceStep.dossier_id == dossier_id)
    targets = select(InvoiceTarget).where(InvoiceTarget.dossier_id == dossier_id)
    handovers = select(Handover).where(Handover.dossier_id == dossier_id)
    return Whole(
        seen,
        invoice,
        tuple(session.exec(steps.order_by(col(InvoiceStep.moment), col(InvoiceStep.id)))),
        tuple(session.exec(targets.order_by(col(InvoiceTarget.id)))),
        tuple(session.exec(handovers.order_by(col(Handover.cycle)))),
    )


def how_many(session: ScopedSession, wanted: Query) -> tuple[int, bool]:
    """Return how many invoices a list holds in all, as ``flows.engine.reading.counted`` counts."""
    return reading.counted(session, _chosen(wanted))


def counts(session: ScopedSession, organisations: Sequence[str]) -> Counts:
    """Return how many invoices of some organisations press; of all that the session sees when none is named."""
    today = clock.in_paris(clock.now()).date()
    all_of = Query(organisations=tuple(organisations))
    late = _counted(session, replace(all_of, due_before=today))
    due = _counted(session, replace(all_of, due_before=today + SOON + timedelta(days=1)))
    return Counts(
        late=late,
        soon=due - late,
        objected=_counted(session, replace(all_of, states=("objected",))),
        visa=_counted(session, replace(all_of, states=("in_parapheur",))),
        suspended=_counted(session, replace(all_of, states=("suspended",))),
        offered=_counted(session, replace(all_of, handover=HandoverState.OFFERED, states=TO_TAKE)),
        parked=_counted(session, replace(all_of, parked=True)),
    )


def services(session: ScopedSession, organisations: Sequence[str]) -> list[tuple[str, str]]:
    """Return the services that invoices were for, code and name, by code; the first hundred."""
    wanted = select(ReceivedInvoice.service_code, func.max(ReceivedInvoice.service_name)).where(
        ReceivedInvoice.service_code != ""
    )
    if organisations:
        wanted = wanted.where(col(ReceivedInvoice.organisation_id).in_(organisations))
    listed = wanted.group_by(ReceivedInvoice.service_code).order_by(ReceivedInvoice.service_code).limit(100)
    return [(code, name) for code, name in session.exec(listed)]


def _rows(
    session: ScopedSession, wanted: Query, size: int, after: Place | None = None, before: Place | None = None
) -> list[InvoiceRow]:
    by_due = wanted.order is Order.DUE
    # Identifiers grow with time, so that the greatest is the newest.
    order: list[Any] = [col(ReceivedInvoice.late_from), col(ReceivedInvoice.dossier_id)] if by_due else []
    order = order or [col(ReceivedInvoice.dossier_id).desc()]
    if before is not None:
        order = [col(ReceivedInvoice.late_from).desc(), col(ReceivedInvoice.dossier_id).desc()] if by_due else []
        order = order or [col(ReceivedInvoice.dossier_id)]
    found = session.exec(
        select(ReceivedInvoice, Dossier.state, Dossier.since, Dossier.parked, Handover)  # type: ignore[call-overload]
        .join(Dossier, col(Dossier.id) == col(ReceivedInvoice.dossier_id))
        .outerjoin(Handover, of_present_cycle())
        .where(*conditions(wanted), *beyond(wanted.order, after, before))
        .order_by(*order)
        .limit(size)
    )
    return [InvoiceRow(*row) for row in found]


def _counted(session: ScopedSession, wanted: Query) -> int:
    # Bounded: nobody reads the difference between a thousand and two.
    return int(session.exec(select(func.count()).select_from(_chosen(wanted).limit(COUNTED_UP_TO).subquery())).one())


def _chosen(wanted: Query) -> SelectOfScalar[str]:
    return (
        select(ReceivedInvoice.dossier_id)
        .join(Dossier, col(Dossier.id) == col(ReceivedInvoice.dossier_id))
        .outerjoin(Handover, of_present_cycle())
        .where(*conditions(wanted))
    )
