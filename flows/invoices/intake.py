"""Receiving an invoice that a search found: a dossier, and beside it what Chorus Pro says of it, once on the platform."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from connectors.chorus.answers import Received
from connectors.chorus.settings import Environment
from connectors.chorus.statuses import FINAL, Status
from core import clock
from core.database import ScopedSession
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.engine.intake import Deposit, receive
from flows.engine.models import Dossier
from flows.invoices import history
from flows.invoices.columns import amount, currency, line
from flows.invoices.flow import INVOICES
from flows.invoices.models import ReceivedInvoice
from flows.invoices.targets import tell_journal

_messages = Catalogue("flows.invoices")
_log = structlog.get_logger()
NOT_YET = frozenset({Status.DEPOSITED, Status.ON_ITS_WAY, Status.TO_RECYCLE, Status.ABANDONED, Status.DELETED})
"""Statuses of an invoice that is not, or no longer, there for its recipient; one that is not known counts as there."""
_CORRECTED = ("structure", "recipient", "service_code", "engagement", "contract")


def store(platform: Platform, account_id: str, environment: Environment, owner_id: str, found: Received) -> bool:
    """Make a dossier of an invoice, unless it has one; True when this call made it.

    Args:
        platform: where it is stored.
        account_id: the organisation through whose account it was found.
        environment: of that account.
        owner_id: the organisation that it is for.
        found: by a search.
    """
    reference = f"chorus:{environment}:{found.id}"
    invoice = _invoice(account_id, environment, owner_id, found)

    def add(session: ScopedSession, dossier: Dossier) -> None:
        invoice.dossier_id = dossier.id
        session.add(invoice)
        session.flush()

    deposit = Deposit(
        owner_id,
        _messages("title", number=invoice.number or found.id, supplier=invoice.supplier_name or invoice.supplier),
        None,
        reference,
        facts={"chorus_id": found.id, "number": invoice.number, "cycle": invoice.cycle},
        apply=add,
    )
    try:
        return receive(platform.database, INVOICES, PLATFORM, deposit).created
    except IntegrityError:
        if not _is_known(platform, environment, found.id):
            raise
        # Another account found it in the same moment, and it belongs to another organisation there.
        _log.info("invoices.known_elsewhere", chorus_id=found.id)
        return False


def correct(platform: Platform, kept: ReceivedInvoice, owner_id: str, found: Received) -> None:
    """Keep what the supplier of an invoice corrected when it had it again: for whom it is, and under which commitment.

    What a search leaves empty says nothing. The dossier stays where it is: that the invoice is for another organisation is
    written down for its next round (``routing.route``). What is over stays as it was.

    Args:
        platform: where it is kept.
        kept: the invoice as it was read.
        owner_id: the organisation that it is for now.
        found: by a search.
    """
    told = _invoice(kept.account_id, Environment(kept.environment), owner_id, found)
    changed = {name: getattr(told, name) for name in _CORRECTED if getattr(told, name) not in {"", None, getattr(kept, name)}}
    if not changed or kept.status in FINAL:
        return
    if "service_code" in changed:
        changed["service_name"] = told.service_name
    with platform.database.writing(PLATFORM) as session:
        dossier, invoice = history.locked(session, kept.dossier_id)
        invoice.sqlmodel_update(changed)
        if "recipient" in changed:
            away = None if owner_id == invoice.organisation_id else {"recipient": told.recipient, "at": clock.iso(clock.now())}
            dossier.facts = {**dossier.facts, history.READDRESSED: away}
        session.add(dossier)
        session.add(invoice)
        tell_journal(session, invoice, "corrected", "platform", {"columns": sorted(changed)})


def _is_known(platform: Platform, environment: Environment, chorus_id: int) -> bool:
    with platform.database.reading(PLATFORM) as session:
        same = select(ReceivedInvoice.dossier_id).where(
            ReceivedInvoice.environment == environment.value, ReceivedInvoice.chorus_id == chorus_id
        )
        return session.exec(same).first() is not None


def _invoice(account_id: str, environment: Environment, owner_id: str, found: Received) -> ReceivedInvoice:
    return ReceivedInvoice(
        dossier_id="",
        organisation_id=owner_id,
        account_id=account_id,
        environment=environment.value,
        chorus_id=found.id,
        kind=found.kind.value,
        type=line(found.type, 60),
        number=line(found.number, 100),
        supplier=line(found.supplier, 80),
        supplier_name=line(found.supplier_name, 200),
        structure=found.structure,
        recipient=line(found.recipient, 80),
        service_code=line(found.service_code, 100),
        service_name=line(found.service_name, 200),
        engagement=line(found.engagement, 100),
        contract=line(found.market, 100),
        issued=found.issued,
        deposited=found.deposited,
        net=amount(found.net),
        gross=amount(found.gross),
        payable=amount(found.payable),
        currency=currency(found.currency),
        status=line(found.status, 60),
        moved=found.moved,
    )
