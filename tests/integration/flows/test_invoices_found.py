"""Received invoices found again, on every database: by what people know of them, by what presses, page by page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from connectors.chorus.statuses import Status
from core import clock
from core.database import ScopedSession
from core.principal import PLATFORM, Principal, Right
from flows.engine import reading as dossiers
from flows.invoices import life, reading, view
from flows.invoices.models import Handover, HandoverState
from flows.invoices.reading import Order, Place, Query
from tests.conftest import on_one_shape
from tests.invoices import InvoicesTown, today


def numbers(session: ScopedSession, wanted: Query, after: Place | None = None, size: int = 50) -> list[str]:
    return [row.invoice.number for row in reading.search(session, wanted, after, size)]


def test_invoices_are_found_again_on_every_database(invoices: InvoicesTown) -> None:
    first, second, third = (
        *invoices.arrive(number="F-100%", engagement="ENG-7", desk=102),
        *invoices.arrive(number="F_200", engagement="ENG-8"),
        *invoices.arrive(number="F-300", moment=clock.now() - timedelta(days=45)),
    )
    invoices.collect()
    invoices.suspend(second)
    invoices.collect()
    for known in (first, second, third):
        life.observe(invoices.platform, invoices.dossier_of(known), invoices.client(invoices.dossier_of(known)))
    reader = Principal("person:x", {invoices.organisation.id: frozenset({Right.READ})})
    with dossiers.opened(invoices.platform.database, reader) as session:
        assert numbers(session, Query()) == ["F-300", "F_200", "F-100%"]
        assert numbers(session, Query(text="f_2")) == numbers(session, Query(engagement="ENG-8")) == ["F_200"]
        assert numbers(session, Query(text="00%")) == numbers(session, Query(text="eng-7")) == ["F-100%"]
        assert numbers(session, Query(text="\x00")) == numbers(session, Query())
        assert numbers(session, Query(statuses=(Status.SUSPENDED,))) == ["F_200"]
        assert numbers(session, Query(states=("archived",))) == numbers(session, Query(handover=HandoverState.OFFERED)) == []
        assert numbers(session, Query(organisations=("0" * 26,))) == []
        moved = invoices.invoice_at(second).moved
        assert "F_200" in numbers(session, Query(moved_since=moved))
        due = Query(order=Order.DUE)
        assert numbers(session, due) == ["F-300", "F-100%"]
        assert numbers(session, replace(due, due_before=today())) == ["F-300"]
        (head,) = reading.search(session, due, None, 1)
        assert numbers(session, due, head.place) == ["F-100%"]
        page = reading.page(session, Query(), 2)
        assert [row.invoice.number for row in page.rows] == ["F-300", "F_200"]
        assert page.before is None
        rest = reading.page(session, Query(), 2, after=page.after)
        assert ([row.invoice.number for row in rest.rows], rest.after) == (["F-100%"], None)
        back = reading.page(session, Query(), 2, before=rest.before)
        assert [row.invoice.number for row in back.rows] == ["F-300", "F_200"]
        counts = reading.counts(session, ())
        assert (counts.late, counts.soon, counts.objected, counts.offered) == (1, 0, 0, 0)
        assert [code for code, _ in reading.services(session, ())] == [invoices.invoice_at(first).service_code]
        assert reading.one(session, invoices.dossier_of(third)).steps
    with invoices.platform.database.writing(PLATFORM) as session:
        owner, there = invoices.organisation.id, invoices.dossier_of(second)
        session.add(Handover(organisation_id=owner, dossier_id=there, cycle=1, channel="pull", delivery="F_200"))
    with dossiers.opened(invoices.platform.database, reader) as session:
        assert numbers(session, Query(handover=HandoverState.OFFERED)) == ["F_200"]
        assert reading.counts(session, ()).offered == 0, "nobody takes what does not wait for it"
    stranger = Principal("person:x", {invoices.organisation.parent_id or "": frozenset({Right.READ})})
    with dossiers.opened(invoices.platform.database, stranger) as session:
        assert numbers(session, Query()) == []


@on_one_shape
def test_what_the_check_writes_is_the_invoice_that_its_page_shows(invoices: InvoicesTown, tmp_path: Path) -> None:
    (known,) = invoices.arrive(number="F-2026-7", desk=102, engagement="ENG-7")
    with invoices.at_work():
        dossier = invoices.wait_for_invoice(known, "handed")
    (kept,) = invoices.files(dossier.id, view.ROLE)
    shown = view.read(invoices.octets(kept, tmp_path))
    assert (shown.invoice.number, shown.invoice.purchase_order) == ("F-2026-7", "ENG-7")
    assert shown.lines == len(shown.invoice.lines) > 0
    assert shown.invoice.totals.gross == invoices.invoice(dossier.id).gross
    assert shown.invoice.attachments == ()
