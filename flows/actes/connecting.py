"""Connecting a collectivité: how the State knows it, as its administrator says."""

from __future__ import annotations

from sqlmodel import Session

from core import journal
from core.configuration import configure
from core.principal import Principal, Right
from core.secrets import SecretBox
from flows.actes.settings import COLLECTIVITE, ActesCollectivite


def connect(session: Session, box: SecretBox, principal: Principal, organisation_id: str, wanted: ActesCollectivite) -> None:
    """Keep how the State knows an organisation.

    Raises:
        Forbidden: the principal does not administer it.
    """
    principal.require(Right.ADMINISTER, organisation_id)
    configure(session, box, organisation_id, COLLECTIVITE, wanted)
    facts = {"configuration": COLLECTIVITE}
    journal.write(session, organisation_id=organisation_id, kind="configuration.changed", actor=principal.actor, facts=facts)
