"""The life of an invoice, gathered for whoever asks later: who approved it, what was told, what was handed over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from core.journal import JournalEntry
from core.organisations import Organisation
from core.people import Person
from core.tokens import ApiToken
from flows.invoices import asking
from flows.invoices.history import steps_of
from flows.invoices.models import Handover, HandoverState, InvoiceStep, InvoiceTarget, ReceivedInvoice, TargetState
from flows.invoices.targets import targets_of
from signing.docket.content import Happened, Who, content_of

_VISAS = frozenset({"approved", "signed", "signed_on_paper", "sealed", "rejected", "bypassed", "withdrawn"})
APPROVALS = frozenset({"approved", "signed", "signed_on_paper", "sealed"})
_UNANSWERED = {"state": HandoverState.OFFERED.value, "answered": None, "reason": "", "software_reference": ""}
_DECIDED, _ACCEPTED = "invoices.decided", "invoices.accepted"


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was decided of an invoice, and what became of it at Chorus Pro.

    Attributes:
        status: to which Chorus Pro was to take it.
        asked: when it was decided, by ``who``.
        outcome: ``told``, ``dropped``, ``refused``; ``due`` while it is still to be told; ``decided`` where nothing is told.
        closed: when that was known; None while it is not.
        trouble: why it was not told, in words.
    """

    status: str
    asked: datetime
    who: Who
    reason: str
    reason_code: str
    mandate: str
    outcome: str
    closed: datetime | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Life:
    """An invoice and what happened to it up to ``until``; lists are oldest first.

    Attributes:
        organisation: its name.
        visas: events of its folder in the parapheur: approvals, objections, folders taken back.
        accepted: when somebody handed it over despite an objection, and who.
        handovers: as they stood then.
    """

    invoice: ReceivedInvoice
    organisation: str
    until: datetime
    steps: tuple[InvoiceStep, ...]
    visas: tuple[Happened, ...]
    accepted: tuple[tuple[datetime, Who], ...]
    decisions: tuple[Decision, ...]
    handovers: tuple[Handover, ...]


def life_of(session: Session, dossier_id: str, until: datetime | None = None) -> Life:
    """Gather the life of an invoice.

    Args:
        session: to read; it sees the invoice.
        dossier_id: of the invoice, which is there.
        until: leave out what happened later; now when nothing is said.
    """
    until = until or clock.now()
    invoice = session.exec(select(ReceivedInvoice).where(ReceivedInvoice.dossier_id == dossier_id)).one()
    entries = [one for one in _entries(session, dossier_id) if one.at <= until]
    folder = asking.folder_of(session, dossier_id)
    events = content_of(session, folder.id, until=until).events if folder else ()
    return Life(
        invoice,
        session.get_one(Organisation, invoice.organisation_id).name,
        until,
        tuple(step for step in steps_of(session, dossier_id) if step.seen <= until),
        tuple(event for event in events if event.kind in _VISAS),
        tuple((one.at, who_is(session, one.actor)) for one in entries if one.kind == _ACCEPTED),
        tuple(sorted(_decisions(session, dossier_id, entries), key=lambda one: one.asked)),
        tuple(_handovers(session, dossier_id, until)),
    )


def as_json(life: Life) -> dict[str, Any]:
    """Return a life as JSON, for machines that read it in ten years: moments in UTC, amounts as texts."""
    shown = life.invoice.model_dump(mode="json", exclude={"organisation_id", "account_id"})
    return {
        "invoice": shown,
        "statuses": [{"code": one.code, "at": clock.iso(one.moment), "comment": one.comment} for one in life.steps],
        "visas": [{"at": clock.iso(one.at), "event": one.kind, **_person(one.who), "note": one.note} for one in life.visas],
        "accepted": [{"at": clock.iso(at), **_person(who)} for at, who in life.accepted],
        "decisions": [_decision(one) for one in life.decisions],
        "handovers": [one.model_dump(mode="json", exclude={"organisation_id", "dossier_id"}) for one in life.handovers],
    }


def who_is(session: Session, actor: str) -> Who:
    """Return who an actor of the journal is; a name for people and software that are still known."""
    kind, _, identifier = actor.partition(":")
    person = session.get(Person, identifier) if kind == "person" else None
    software = session.get(ApiToken, identifier) if kind == "token" else None
    known = person or software
    return Who(known.name if known else None, kind)


def _entries(session: Session, dossier_id: str) -> list[JournalEntry]:
    wanted = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id)
    return list(session.exec(wanted.order_by(col(JournalEntry.number))))


def _decisions(session: Session, dossier_id: str, entries: list[JournalEntry]) -> Iterator[Decision]:
    """Yield what was decided; when it was closed is what the journal says, so that a later look tells the same."""
    closed = {one.facts["target"]: one for one in entries if "target" in one.facts and one.kind != "invoices.asked"}
    asked = {one.facts["target"] for one in entries if one.kind == "invoices.asked"}
    for target in targets_of(session, dossier_id):
        if target.id in asked:
            yield _of_target(session, target, closed.get(target.id))
    for entry in entries:
        if entry.kind == _DECIDED:
            yield _decided(session, entry)


def _of_target(session: Session, target: InvoiceTarget, closed: JournalEntry | None) -> Decision:
    return Decision(
        target.status,
        target.asked,
        who_is(session, target.actor),
        target.reason,
        target.reason_code,
        target.mandate,
        target.state if closed else TargetState.DUE.value,
        closed.at if closed else None,
        target.trouble or "",
    )


def _decided(session: Session, entry: JournalEntry) -> Decision:
    told: Mapping[str, str] = entry.facts
    return Decision(
        told["status"],
        entry.at,
        who_is(session, entry.actor),
        "",
        told.get("code", ""),
        told.get("mandate", ""),
        "decided",
        entry.at,
        "",
    )


def _handovers(session: Session, dossier_id: str, until: datetime) -> Iterator[Handover]:
    rows = select(Handover).where(Handover.dossier_id == dossier_id, col(Handover.offered) <= until)
    for one in session.exec(rows.order_by(col(Handover.cycle))):
        later = one.answered is not None and one.answered > until
        yield Handover.model_validate(one.model_dump() | _UNANSWERED) if later else one


def _person(who: Who) -> dict[str, str | None]:
    return {"who": who.person, "as": who.actor, "desk": who.desk, "in_place_of": who.absent}


def _decision(one: Decision) -> dict[str, Any]:
    return {
        "status": one.status,
        "asked": clock.iso(one.asked),
        **_person(one.who),
        "reason": one.reason,
        "reason_code": one.reason_code,
        "mandate": one.mandate,
        "outcome": one.outcome,
        "closed": clock.iso(one.closed) if one.closed else None,
        "trouble": one.trouble,
    }
