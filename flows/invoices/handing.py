"""Handing an invoice over to the finance software: offered once for each cycle, provable, acknowledged.

An offer is written down before anything leaves, under a name that is the same whenever it is made again. What the software
answers is kept whatever the dossier is at; the dossier hears it when it waits for it, now or at a later turn (``acknowledging``).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from connectors.chorus.statuses import FINAL
from connectors.finance import webhook
from connectors.finance.answers import LONGEST_REASON, LONGEST_REFERENCE
from connectors.finance.naming import MANIFEST, delivery_name, offers_of
from connectors.finance.settings import WebhookPlace
from core import clock, journal
from core.configuration import configuration_of
from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.engine import transitions
from flows.engine.departed import Departed
from flows.engine.table import stage
from flows.engine.work import Advance, KeptFile, Work
from flows.invoices import delivering
from flows.invoices.history import WITH_SUPPLIER, locked
from flows.invoices.knowledge import invoice_of
from flows.invoices.models import Handover, HandoverState, ReceivedInvoice
from flows.invoices.settings import HANDOVER, Channel, InvoiceHandover

_messages = Catalogue("flows.invoices")
HANDING = "handing"
"""Fact of a dossier: the offer under way, or made; None once its refusal was heard."""
ROLE = "handover"
_TOLD = ("cycle", "offer", "channel", "delivery", "sha256")


def handover_of(platform: Platform, organisation_id: str) -> InvoiceHandover:
    """Return by which way an organisation's finance software is given invoices; it asks for them when nothing is said."""
    with platform.database.reading(PLATFORM) as session:
        try:
            return configuration_of(session, platform.secrets, organisation_id, HANDOVER, InvoiceHandover)
        except NotFound:
            return InvoiceHandover()


def _departed(gone: Departed) -> Advance:
    """Take an invoice as handed over, by the offer that the journal tells.

    Raises:
        Conflict: the journal tells none: no acknowledgement would find it.
    """
    sending = gone.noted(HANDING)
    if sending is None:
        raise Conflict(_messages("handover.departed"), gone.dossier_id)
    told = {name: sending[name] for name in _TOLD}
    files = (_manifest(sending),) if gone.kept(sending["sha256"]) else ()
    apply = partial(_offered, gone, sending)
    return Advance("offered", facts={HANDING: sending}, files=files, journal=told, apply=apply)


def _offered(gone: Departed, sending: dict[str, Any], session: Session) -> None:
    _write_down(session, gone.organisation_id, gone.dossier_id, sending)


@stage("remote.finance", "offered", "suspended", "over", departed=_departed)
def hand(work: Work) -> Advance:
    """Offer the invoice to the finance software by the way that its organisation configured, once (law 4).

    One that was paid or rejected while it waited here, or that its supplier has again, is not offered: nobody is to pay it.
    """
    invoice = invoice_of(work.platform, work.dossier_id)
    if invoice.status in FINAL:
        return Advance("over", journal={"status": invoice.status})
    if invoice.status in WITH_SUPPLIER:
        return Advance("suspended", journal={"status": invoice.status})
    settings = handover_of(work.platform, work.organisation_id)
    sending = work.facts.get(HANDING)
    if sending is None or (sending["cycle"], sending["channel"]) != (invoice.cycle, settings.channel.value):
        sending = _intend(work, invoice, settings)
    handover = _written_down(work, sending)
    if handover.state == HandoverState.OFFERED.value:
        if settings.place is not None:
            delivering.bring(work, settings.place, sending)
        elif settings.webhook is not None and settings.channel is Channel.WEBHOOK:
            _call(work, settings.webhook, sending)
    return Advance("offered", files=(_manifest(sending),), journal={name: sending[name] for name in _TOLD})


def _intend(work: Work, invoice: ReceivedInvoice, settings: InvoiceHandover) -> dict[str, Any]:
    """Write down what will be offered: the manifest is kept, so that a repeat says the same to the octet."""
    with work.platform.database.reading(PLATFORM) as session:
        before = _of_cycle(session, work.dossier_id, invoice.cycle)
    offer = 1 if before is None else before.offer + (before.state == HandoverState.REFUSED.value)
    delivery = delivery_name(invoice.recipient, invoice.number, invoice.chorus_id, invoice.cycle, offer)
    path = work.folder / (delivery + MANIFEST)
    path.write_bytes(delivering.manifest_of(work, invoice, delivery, settings).octets())
    kept = work.keep(ROLE, path, path.name, "application/json")
    sending = {
        "cycle": invoice.cycle,
        "offer": offer,
        "channel": settings.channel.value,
        "delivery": delivery,
        "sha256": kept.sha256,
        "size": kept.size,
        "phase": delivering.INTENDED,
        "at": clock.iso(clock.now()),
    }
    work.note(delivering.INTENDED, handing=sending)
    return sending


def _written_down(work: Work, sending: dict[str, Any]) -> Handover:
    with work.platform.database.writing(PLATFORM) as session:
        return _write_down(session, work.organisation_id, work.dossier_id, sending)


def _write_down(session: Session, organisation_id: str, dossier_id: str, sending: dict[str, Any]) -> Handover:
    """Return the hand-over of an offer, made or opened again where it is not yet."""
    pulled = sending["channel"] == Channel.PULL.value
    told = {name: sending[name] for name in ("offer", "channel", "delivery")} | {"sha256": None if pulled else sending["sha256"]}
    there = _of_cycle(session, dossier_id, sending["cycle"], held=True)
    if there is None:
        there = Handover(organisation_id=organisation_id, dossier_id=dossier_id, cycle=sending["cycle"], **told)
    elif there.offer < sending["offer"]:
        there.sqlmodel_update(told | {"state": HandoverState.OFFERED.value, "offered": clock.now(), "answered": None})
    elif there.state == HandoverState.OFFERED.value:
        there.sqlmodel_update(told)
    session.add(there)
    return there


def _call(work: Work, place: WebhookPlace, sending: dict[str, Any]) -> None:
    """Tell the software; a call whose answer was lost is made again under the same key."""
    path = work.folder / sending["sha256"]
    work.platform.objects.fetch(sending["sha256"], path)
    answer = webhook.tell(
        place, delivering.bounds_of(work.platform, work.organisation_id), sending["delivery"], path.read_bytes()
    )
    if answer is not None:
        acknowledge(
            work.platform,
            PLATFORM,
            work.dossier_id,
            taken=answer.taken,
            reason=answer.reason,
            software_reference=answer.software_reference,
            delivery=sending["delivery"],
        )


def _manifest(sending: dict[str, Any]) -> KeptFile:
    return KeptFile(ROLE, sending["delivery"] + MANIFEST, "application/json", sending["sha256"], sending["size"])


def acknowledge(
    platform: Platform,
    principal: Principal,
    dossier_id: str,
    *,
    taken: bool,
    reason: str = "",
    software_reference: str = "",
    delivery: str = "",
) -> Handover:
    """Keep what the finance software says of an invoice that it was offered; said again, it changes nothing.

    It counts whenever it comes: a dossier that has moved on meanwhile keeps it with its hand-over. What was refused may still be
    taken, what was taken is no longer refused, and the refusal of an offer says nothing of the one that followed it.

    Args:
        platform: where the invoice is.
        principal: who says so; the right ``dossier.deposit`` is asked for.
        dossier_id: of the invoice.
        taken: whether the software took it.
        reason: why it did not, 1000 characters at most; needed then.
        software_reference: what the software knows it by, 100 characters at most.
        delivery: the delivery that it is about, or an earlier offer of it; the last one when empty.

    Raises:
        NotFound: no such invoice, or no such delivery of it.
        Forbidden: the principal may not deposit for its organisation.
        UsageError: a refusal without a reason, or a text that is too long.
        Conflict: it was not handed over yet, or it is refused after it was taken.
    """
    reason, software_reference = reason.strip(), software_reference.strip()
    with platform.database.writing(principal) as session:
        dossier, invoice = locked(session, dossier_id)
        principal.require(Right.DEPOSIT, dossier.organisation_id)
        if (not taken and not reason) or len(reason) > LONGEST_REASON or len(software_reference) > LONGEST_REFERENCE:
            raise UsageError(_messages("handover.reason", reason=LONGEST_REASON, reference=LONGEST_REFERENCE))
        handover = _meant(session, dossier_id, delivery)
        state = HandoverState.TAKEN if taken else HandoverState.REFUSED
        if handover.state == state.value:
            return handover
        if not taken and delivery not in {"", handover.delivery}:
            return handover  # an offer before the last one was refused, which is what the last one answers
        if handover.state == HandoverState.TAKEN.value:
            day = clock.in_paris(handover.answered or handover.offered)
            raise Conflict(_messages("handover.taken_before", day=f"{day:%d/%m/%Y}"), dossier_id)
        handover.state, handover.answered = state.value, clock.now()
        handover.reason = reason or handover.reason
        handover.software_reference = software_reference or handover.software_reference
        session.add(handover)
        session.flush()
        facts = {"handover": handover.id, "cycle": handover.cycle, "offer": handover.offer, "state": state.value}
        journal.write(
            session,
            organisation_id=dossier.organisation_id,
            dossier_id=dossier_id,
            kind="invoices.acknowledged",
            actor=principal.actor,
            facts=facts,
        )
        hear(session, invoice, handover, principal.actor)
        return handover


def hear(session: Session, invoice: ReceivedInvoice, handover: Handover, actor: str = "platform") -> None:
    """Let a dossier that waits for it hear what the software said of its present cycle; the session holds it (``locked``)."""
    from flows.invoices.flow import INVOICES  # the table names the stage of this module

    if handover.cycle != invoice.cycle or handover.state == HandoverState.OFFERED.value:
        return
    told = {"handover": handover.id, "cycle": handover.cycle}
    facts = {HANDING: None} if handover.state == HandoverState.REFUSED.value else {}
    transitions.signal(session, INVOICES, invoice.dossier_id, handover.state, Advance(handover.state, facts, journal=told), actor)


def _meant(session: Session, dossier_id: str, delivery: str) -> Handover:
    of_dossier = select(Handover).where(Handover.dossier_id == dossier_id).with_for_update()
    if delivery:
        found = session.exec(of_dossier.where(col(Handover.delivery).in_(offers_of(delivery)))).first()
        if found is None:
            raise NotFound(_messages("handover.unknown_delivery"))
        return found
    last = session.exec(of_dossier.order_by(col(Handover.cycle).desc()).limit(1)).first()
    if last is None:
        raise Conflict(_messages("handover.not_yet"), dossier_id)
    return last


def _of_cycle(session: Session, dossier_id: str, cycle: int, *, held: bool = False) -> Handover | None:
    wanted = select(Handover).where(Handover.dossier_id == dossier_id, Handover.cycle == cycle)
    return session.exec(wanted.with_for_update() if held else wanted).first()
