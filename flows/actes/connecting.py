"""Connecting a collectivité: how the State knows it and where its stamp goes, as its administrator says."""

from __future__ import annotations

from pydantic import BaseModel
from sqlmodel import Session

from core import journal
from core.configuration import configure
from core.principal import Principal, Right
from core.secrets import SecretBox
from flows.actes.settings import COLLECTIVITE, STAMP, ActesCollectivite, ActesStamp


def connect(session: Session, box: SecretBox, principal: Principal, organisation_id: str, wanted: ActesCollectivite) -> None:
    """Keep how the State knows an organisation.

    Raises:
        Forbidden: the principal does not administer it.
    """
    _keep(session, box, principal, organisation_id, COLLECTIVITE, wanted)


def place_stamp(session: Session, box: SecretBox, principal: Principal, organisation_id: str, wanted: ActesStamp) -> None:
    """Keep where an organisation puts the stamp on the copies of its acts.

    Raises:
        Forbidden: the principal does not administer it.
    """
    _keep(session, box, principal, organisation_id, STAMP, wanted)


def _keep(session: Session, box: SecretBox, principal: Principal, organisation_id: str, name: str, wanted: BaseModel) -> None:
    principal.require(Right.ADMINISTER, organisation_id)
    configure(session, box, organisation_id, name, wanted)
    facts = {"configuration": name}
    journal.write(session, organisation_id=organisation_id, kind="configuration.changed", actor=principal.actor, facts=facts)
