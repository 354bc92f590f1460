"""What the finance software answers beside the API: files that it leaves in the place of its deliveries; and what came too early.

Both run again and again. An answer is deleted once it is kept; one that cannot be understood is left for a person, and holds up
no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

import structlog
from sqlmodel import col, select

from connectors.finance import answers, naming
from connectors.finance.client import opened
from connectors.finance.places import AnswerFile, Place
from core.configuration import Configuration
from core.errors import TabellionError
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine import schedule
from flows.engine.models import Dossier
from flows.invoices.delivering import bounds_of
from flows.invoices.handing import acknowledge, handover_of, hear
from flows.invoices.history import locked
from flows.invoices.models import Handover, HandoverState, ReceivedInvoice
from flows.invoices.settings import HANDOVER

_log = structlog.get_logger()
ACTOR, QUEUE = "invoices.acknowledge", "remote.finance"
SETTLE_ACTOR, SETTLE_QUEUE, SETTLE_EVERY = "invoices.settle_handovers", "cpu", timedelta(seconds=20)
_AT_ONCE = 500
_ANSWERED = (HandoverState.TAKEN.value, HandoverState.REFUSED.value)


def plan(platform: Platform, every: timedelta) -> None:
    """Plan to look into every place that is configured, and to let dossiers hear what came before they waited for it."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == HANDOVER)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)
    schedule.plan(platform.database, SETTLE_ACTOR, SETTLE_QUEUE, min(every, SETTLE_EVERY))


def collect(platform: Platform, organisation_id: str) -> None:
    """Apply the answers that stand in an organisation's place; files that answer no delivery of its are left alone.

    Raises:
        TabellionError: the place does not answer, or one of the answers made trouble: the last trouble.
    """
    place = handover_of(platform, organisation_id).place
    if place is None:
        return
    trouble: TabellionError | None = None
    with opened(place, bounds_of(platform, organisation_id)) as there:
        found = iter(there.answers())
        while some := list(islice(found, _AT_ONCE)):
            for file, dossier_id in _known(platform, organisation_id, some):
                try:
                    _apply(platform, there, file, dossier_id)
                except TabellionError as error:
                    _log.warning("invoices.answer_troubled", name=file.name, reason=str(error))
                    trouble = error
    if trouble is not None:
        raise trouble


def settle(platform: Platform, _key: str = "") -> None:
    """Let the dossiers that wait for it hear what their software said while a worker had them in hand."""
    wanted = (
        select(Handover.dossier_id)
        .join(Dossier, col(Dossier.id) == col(Handover.dossier_id))
        .join(ReceivedInvoice, col(ReceivedInvoice.dossier_id) == col(Handover.dossier_id))
        .where(Dossier.state == "handed", Handover.cycle == ReceivedInvoice.cycle, col(Handover.state).in_(_ANSWERED))
    )
    with platform.database.reading(PLATFORM) as session:
        due = session.exec(wanted).all()
    for dossier_id in due:
        with platform.database.writing(PLATFORM) as session:
            _, invoice = locked(session, dossier_id)
            of_cycle = select(Handover).where(Handover.dossier_id == dossier_id, Handover.cycle == invoice.cycle)
            handover = session.exec(of_cycle).first()
            if handover is not None:
                hear(session, invoice, handover)


def _known(platform: Platform, owner_id: str, files: Sequence[AnswerFile]) -> Iterator[tuple[AnswerFile, str]]:
    """Yield the files that answer a delivery of an organisation or of one below it, each with the dossier."""
    named = {file: naming.offers_of(found[0]) for file in files if (found := naming.answered(file.name))}
    with platform.database.reading(PLATFORM) as session:
        owner = session.get_one(Organisation, owner_id)
        rows = select(Handover.delivery, Handover.dossier_id).where(
            col(Handover.delivery).in_({name for names in named.values() for name in names}),
            col(Handover.organisation_id).in_(subtree(session, owner.path)),
        )
        known = dict(session.exec(rows).all())
    for file, names in named.items():
        if (dossier_id := next((known[name] for name in names if name in known), None)) is not None:
            yield file, dossier_id


def _apply(platform: Platform, there: Place, file: AnswerFile, dossier_id: str) -> None:
    found = naming.answered(file.name)
    if found is None:
        return
    delivery, kind = found
    answer = answers.of_file(file.name, kind, there.read(file.name))
    acknowledge(
        platform,
        PLATFORM,
        dossier_id,
        taken=answer.taken,
        reason=answer.reason,
        software_reference=answer.software_reference,
        delivery=delivery,
    )
    there.remove(file.name)
