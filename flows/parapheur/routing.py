"""Which way the documents of a flow go through the parapheur: as the administrator of their organisation says."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from core import journal
from core.configuration import Configuration, configure
from core.errors import UsageError
from core.messages import Catalogue
from core.principal import Principal, Right
from core.secrets import SecretBox
from flows.parapheur.settings import HELIOS_ROUTE, ParapheurRoute
from signing.parapheur import desks, foresight, typology
from signing.parapheur.typology import Protocol

_messages = Catalogue("flows.parapheur")


@dataclass(frozen=True, slots=True)
class Way:
    """What goes through the parapheur.

    Attributes:
        name: of its configuration, a ``ParapheurRoute``.
        protocol: that of the types by which it may be signed.
    """

    name: str
    protocol: Protocol


PES = Way(HELIOS_ROUTE, Protocol.HELIOS)


def send_through(
    session: Session, box: SecretBox, principal: Principal, organisation_id: str, way: Way, route: ParapheurRoute | None
) -> None:
    """Send documents of an organisation through the parapheur; None: as an organisation above says, or not at all.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: the subtype is not one of the protocol in force there, or the desk may send nothing; or a PES could take a
            circuit in which nobody signs: it would not leave at its end.
        NotFound: a circuit of the subtype is not there any more.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    kept = session.get(Configuration, (organisation_id, way.name))
    if route is not None:
        through = typology.require_protocol(session, organisation_id, route.subtype, way.protocol)
        if way.protocol is Protocol.HELIOS and (unsigned := foresight.unsigned(session, organisation_id, through)):
            raise UsageError(_messages("route.pes", kind=through.full_name, circuits=", ".join(unsigned)))
        desks.require_sender(session, organisation_id, route.emitter)
        configure(session, box, organisation_id, way.name, route)
    elif kept is not None:
        session.delete(kept)
    else:
        return
    kind = "configuration.withdrawn" if route is None else "configuration.changed"
    facts = {"configuration": way.name}
    journal.write(session, organisation_id=organisation_id, kind=kind, actor=principal.actor, facts=facts)
