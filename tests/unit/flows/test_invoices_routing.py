"""Which way an invoice takes to its approvers, and how far its status has brought it."""

from __future__ import annotations

import pytest

from connectors.chorus.statuses import FINAL, RANK, Status
from flows.invoices.models import ReceivedInvoice
from flows.invoices.routing import chosen_of
from flows.invoices.settings import InvoiceVisa, VisaRoute
from flows.invoices.targets import is_certified, rank_of
from flows.invoices.telling import _passed

WORKS, SCHOOLS, ROADS, REST = (f"{name:X<26}" for name in ("WORKS", "SCHOOLS", "ROADS", "REST"))
DESK = f"{'DESK':X<26}"


def route(subtype: str, service: str = "", engagement: str = "") -> VisaRoute:
    return VisaRoute(service=service, engagement=engagement, subtype=subtype, emitter=DESK)


def invoice(service: str = "", engagement: str = "") -> ReceivedInvoice:
    return ReceivedInvoice(
        dossier_id="D", organisation_id="O", account_id="O", environment="sandbox", chorus_id=1, kind="FACTURE", number="F-1",
        status=Status.AVAILABLE, service_code=service, engagement=engagement,
    )  # fmt: skip


VISA = InvoiceVisa(
    routes=(
        route(ROADS, service="TECH", engagement="VOI-"),
        route(WORKS, service="TECH"),
        route(SCHOOLS, engagement="ECO-"),
    )
)


@pytest.mark.parametrize(
    ("found", "subtype"),
    [
        (invoice("TECH", "VOI-2026-7"), ROADS),
        (invoice("TECH", "BAT-2026-7"), WORKS),
        (invoice("TECH"), WORKS),
        (invoice("SG", "ECO-12"), SCHOOLS),
        (invoice("", "ECO-12"), SCHOOLS),
    ],
)
def test_the_first_route_that_holds_is_taken(found: ReceivedInvoice, subtype: str) -> None:
    chosen = chosen_of(VISA, found)
    assert chosen is not None
    assert chosen.subtype == subtype


@pytest.mark.parametrize("found", [invoice("SG", "VOI-2026-7"), invoice("tech"), invoice()])
def test_no_route_is_taken_when_none_holds(found: ReceivedInvoice) -> None:
    assert chosen_of(VISA, found) is None
    assert chosen_of(InvoiceVisa(), found) is None


def test_a_route_without_condition_holds_for_all() -> None:
    chosen = chosen_of(InvoiceVisa(routes=(*VISA.routes, route(REST))), invoice("SG"))
    assert chosen is not None
    assert chosen.subtype == REST


@pytest.mark.parametrize("status", [Status.SERVICE_DONE, Status.MANDATED, Status.WITH_ACCOUNTANT, Status.ACCOUNTED, Status.PAID])
def test_what_comes_after_the_service_done_needs_no_visa(status: Status) -> None:
    assert is_certified(status)


@pytest.mark.parametrize("status", [Status.AVAILABLE, Status.COMPLETED, Status.TAKEN_UP, Status.SUSPENDED, "TRANSMISE_A_LA_LUNE"])
def test_what_comes_before_it_or_is_not_known_needs_one(status: str) -> None:
    assert not is_certified(status)


@pytest.mark.parametrize("wanted", list(RANK))
@pytest.mark.parametrize("status", list(RANK))
def test_no_status_is_ever_told_to_an_invoice_that_is_there_or_further(wanted: Status, status: Status) -> None:
    assert (_passed(wanted, status) is not None) == (rank_of(status) >= rank_of(wanted) or status is Status.PAID)


@pytest.mark.parametrize("wanted", [Status.REJECTED, Status.SUSPENDED])
def test_what_sends_an_invoice_back_stands_beside_the_way(wanted: Status) -> None:
    assert [status for status in Status if _passed(wanted, status)] == [status for status in Status if status in {wanted, *FINAL}]
