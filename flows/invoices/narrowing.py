"""Which received invoices are wanted, in which order, from which place: as conditions of a query, for ``reading`` alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, func, literal, tuple_
from sqlmodel import col, or_

from flows.engine.models import Dossier
from flows.invoices.models import Handover, HandoverState, ReceivedInvoice


class Order(StrEnum):
    """In which order invoices are listed."""

    NEWEST = "newest"
    """As they came, the last one first."""
    DUE = "due"
    """By the last day of the term of payment, the first one first: those that nobody has mandated and whose term runs."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which invoices are wanted; what is left empty does not narrow.

    Attributes:
        organisations: of whom.
        text: a part of the number, of the supplier's name, or of what the others below are equal to.
        number, engagement, contract, mandate, service: as they are written, whole.
        supplier: identifier, or its first digits (a SIREN finds all its establishments).
        statuses: at Chorus Pro.
        states: of the dossier.
        parked: True for those an operator must look at, False for the others.
        handover: where the hand-over of the present cycle stands.
        due_before: nobody has mandated them, and the last day of their term comes before this day: late, when it is today.
        moved_since: status changed at Chorus Pro at this moment or later.
    """

    organisations: tuple[str, ...] = ()
    text: str = ""
    number: str = ""
    supplier: str = ""
    service: str = ""
    engagement: str = ""
    contract: str = ""
    mandate: str = ""
    statuses: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    parked: bool | None = None
    handover: HandoverState | None = None
    due_before: date | None = None
    moved_since: datetime | None = None
    order: Order = Order.NEWEST


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list: the invoice there, and with ``Order.DUE`` the last day of its term."""

    id: str
    due: date | None = None


def of_present_cycle() -> Any:
    """Return by what an invoice is joined with its hand-over."""
    return and_(col(Handover.dossier_id) == col(ReceivedInvoice.dossier_id), col(Handover.cycle) == col(ReceivedInvoice.cycle))


def beyond(order: Order, after: Place | None, before: Place | None) -> list[Any]:
    """Return the conditions under which an invoice comes after a place, or before one, in an order."""
    if order is Order.DUE:
        here = tuple_(col(ReceivedInvoice.late_from), col(ReceivedInvoice.dossier_id))
        if after is not None:
            return [here > tuple_(literal(after.due), literal(after.id))]
        return [here < tuple_(literal(before.due), literal(before.id))] if before is not None else []
    if after is not None:
        return [col(ReceivedInvoice.dossier_id) < after.id]
    return [col(ReceivedInvoice.dossier_id) > before.id] if before is not None else []


def conditions(wanted: Query) -> list[Any]:
    """Return the conditions of what is wanted, on ``ReceivedInvoice`` joined with its dossier and its hand-over."""
    narrowed: list[Any] = [col(Dossier.confidential).is_(False)]
    if wanted.organisations:
        narrowed.append(col(ReceivedInvoice.organisation_id).in_(wanted.organisations))
    narrowed += [
        col(getattr(ReceivedInvoice, column)) == _plain(value)
        for column, value in (
            ("number", wanted.number),
            ("service_code", wanted.service),
            ("engagement", wanted.engagement),
            ("contract", wanted.contract),
            ("mandate", wanted.mandate),
        )
        if value
    ]
    if wanted.supplier:
        narrowed.append(col(ReceivedInvoice.supplier).startswith(_plain(wanted.supplier), autoescape=True))
    if wanted.statuses:
        narrowed.append(col(ReceivedInvoice.status).in_(wanted.statuses))
    if wanted.states:
        narrowed.append(col(Dossier.state).in_(wanted.states))
    if wanted.parked is not None:
        parked = col(Dossier.parked).is_not(None)
        narrowed.append(parked if wanted.parked else ~parked)
    if wanted.handover is not None:
        narrowed.append(col(Handover.state) == wanted.handover.value)
    if wanted.order is Order.DUE:
        narrowed.append(col(ReceivedInvoice.late_from).is_not(None))
    if wanted.due_before is not None:
        narrowed.append(col(ReceivedInvoice.late_from) < wanted.due_before)
    if wanted.moved_since is not None:
        narrowed.append(col(ReceivedInvoice.moved) >= wanted.moved_since)
    if text := _plain(wanted.text):
        narrowed.append(_holds(text))
    return narrowed


def _holds(text: str) -> Any:
    same = (ReceivedInvoice.engagement, ReceivedInvoice.contract, ReceivedInvoice.mandate, ReceivedInvoice.service_code)
    return or_(
        col(ReceivedInvoice.number).icontains(text, autoescape=True),
        col(ReceivedInvoice.supplier_name).icontains(text, autoescape=True),
        col(ReceivedInvoice.supplier).startswith(text.replace(" ", ""), autoescape=True),
        *(func.lower(col(column)) == text.lower() for column in same),
        col(ReceivedInvoice.dossier_id) == text,
    )


def _plain(text: str) -> str:
    """Return a text without what is no character: no invoice holds it, and PostgreSQL takes no NUL."""
    return "".join(filter(str.isprintable, text)).strip()
