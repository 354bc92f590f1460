"""Which way the PES of an organisation go through the parapheur: as its administrator says."""

from __future__ import annotations

from sqlmodel import Session

from core import journal
from core.configuration import Configuration, configure
from core.principal import Principal, Right
from core.secrets import SecretBox
from flows.parapheur.settings import HELIOS_ROUTE, ParapheurRoute
from signing.parapheur import desks, typology
from signing.parapheur.typology import Protocol


def send_pes_through(
    session: Session, box: SecretBox, principal: Principal, organisation_id: str, route: ParapheurRoute | None
) -> None:
    """Send the PES of an organisation through the parapheur; None: as an organisation above says, or not at all.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: the subtype is not one of HELIOS in force there, or the desk may send nothing.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    kept = session.get(Configuration, (organisation_id, HELIOS_ROUTE))
    if route is not None:
        typology.require_protocol(session, organisation_id, route.subtype, Protocol.HELIOS)
        desks.require_sender(session, organisation_id, route.emitter)
        configure(session, box, organisation_id, HELIOS_ROUTE, route)
    elif kept is not None:
        session.delete(kept)
    else:
        return
    kind = "configuration.withdrawn" if route is None else "configuration.changed"
    facts = {"configuration": HELIOS_ROUTE}
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
