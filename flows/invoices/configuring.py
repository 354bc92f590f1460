"""How an organisation receives invoices, as its administrator says: account, reception, visa, finance software."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel
from sqlmodel import Session

from core import addresses, journal
from core.configuration import Configuration, configure
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right
from flows.invoices import acknowledging, collecting, telling
from flows.invoices.issued import following
from flows.invoices.settings import InvoiceHandover, InvoiceVisa
from signing.parapheur import desks, typology
from signing.parapheur.typology import Kind, Protocol

_messages = Catalogue("flows.invoices")


def keep(platform: Platform, principal: Principal, organisation_id: str, name: str, wanted: BaseModel | None) -> None:
    """Keep a configuration of an organisation; None: as one above says, or nothing. What runs by schedule runs from now on.

    Args:
        platform: where.
        principal: who says so.
        organisation_id: whose.
        name: one of those of ``settings``.
        wanted: the model of that name.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: a route of ``InvoiceVisa`` leads to a subtype or a desk that is not one of the organisation.
        AddressRefused: the operator does not permit the address of the finance software.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    if isinstance(wanted, InvoiceHandover) and wanted.host is not None:
        addresses.check(wanted.host, platform.settings.permitted_networks)
    with platform.database.writing(PLATFORM) as session:
        kept = session.get(Configuration, (organisation_id, name))
        if wanted is None and kept is None:
            return
        if wanted is None:
            session.delete(kept)
        else:
            _check(session, organisation_id, wanted)
            configure(session, platform.secrets, organisation_id, name, wanted)
        kind = "configuration.withdrawn" if wanted is None else "configuration.changed"
        facts = {"configuration": name}
        journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
    for room in (collecting, telling, acknowledging, following):
        room.plan(platform, timedelta(seconds=platform.settings.poll_seconds))


def kinds(session: Session, organisation_id: str) -> list[Kind]:
    """Return the subtypes of an organisation by which a visa may be given: their documents go nowhere afterwards."""
    return [kind for kind in typology.kinds(session, organisation_id) if kind.signing.protocol is Protocol.NONE]


def _check(session: Session, organisation_id: str, wanted: BaseModel) -> None:
    if not isinstance(wanted, InvoiceVisa):
        return
    known = {kind.id for kind in kinds(session, organisation_id)}
    for rank, route in enumerate(wanted.routes, 1):
        if route.subtype not in known:
            raise UsageError(_messages("configure.subtype", rank=rank))
        desks.require_sender(session, organisation_id, route.emitter)
