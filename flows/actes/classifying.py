"""Keeping the classification of each collectivité in force (7-1).

It is asked for when there is none, when the State speaks of another, and once a week; asking twice does no harm. What asks leaves
in the operator's hours and counts in the quota, like any archive.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from connectors.actes.client import deposit
from connectors.actes.settings import ActesOperator
from core import clock
from core.configuration import Configuration
from core.errors import TabellionError, Unavailable
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes import envelopes, knowledge
from flows.actes.models import ActesClassification, ActesEnvelope, EnvelopeState
from flows.actes.settings import COLLECTIVITE, OPERATOR
from flows.engine import schedule
from flows.engine.models import Dossier
from schemas.actes.codes import MessageCode
from schemas.actes.messages import DemandeClassification
from schemas.actes.names import MessageBase, MessageName

_log = structlog.get_logger()
ACTOR, QUEUE = "actes.classify", "remote.actes"
EVERY = timedelta(minutes=5)
"""How often it is looked at; asking itself is far rarer."""

# How long after a request the next one follows: answered; not delivered, or the State speaks of a newer one; not answered.
_FRESH, _STALE, _UNANSWERED = timedelta(days=7), timedelta(minutes=10), timedelta(hours=4)


class NotNow(Unavailable):
    """Nothing leaves at this hour, or the quota is used up: it is asked for once sending is open again."""


def plan(platform: Platform, every: timedelta) -> None:
    """Plan the look at the classifications of every operator's collectivités."""
    with platform.database.reading(PLATFORM) as session:
        owners = session.exec(select(Configuration.organisation_id).where(Configuration.name == OPERATOR)).all()
    for owner in owners:
        schedule.plan(platform.database, ACTOR, QUEUE, every, key=owner)


def look(platform: Platform, owner_id: str) -> None:
    """Ask for every classification that is due; one that cannot be asked for does not stop the others.

    Raises:
        TabellionError: one of them made trouble: the last trouble.
    """
    trouble: TabellionError | None = None
    for organisation_id in due(platform, owner_id):
        try:
            request(platform, organisation_id)
        except NotNow as error:
            _log.info("actes.classification_later", organisation=organisation_id, reason=str(error))
        except TabellionError as error:
            _log.warning("actes.classification_not_asked", organisation=organisation_id, reason=str(error))
            trouble = error
    if trouble is not None:
        raise trouble


def due(platform: Platform, owner_id: str) -> list[str]:
    """Return the collectivités below an operator whose classification is to be asked for now."""
    with platform.database.reading(PLATFORM) as session:
        owner = session.get_one(Organisation, owner_id)
        known = session.exec(
            select(Configuration.organisation_id)
            .where(Configuration.name == COLLECTIVITE, col(Configuration.organisation_id).in_(subtree(session, owner.path)))
            .order_by(Configuration.organisation_id)
        ).all()
        return [organisation_id for organisation_id in known if _is_due(session, organisation_id)]


def _is_due(session: Session, organisation_id: str) -> bool:
    last_asked = session.exec(
        select(ActesEnvelope.created, ActesEnvelope.state)
        .where(ActesEnvelope.organisation_id == organisation_id, col(ActesEnvelope.dossier_id).is_(None))
        .order_by(col(ActesEnvelope.created).desc())
        .limit(1)
    ).first()
    if last_asked is None:
        return True
    asked, state = last_asked
    if state == EnvelopeState.LEAVING.value:  # it never arrived, or nobody knows
        return clock.now() - asked > _STALE
    newest = session.exec(
        select(col(ActesClassification.day))
        .where(ActesClassification.organisation_id == organisation_id)
        .order_by(col(ActesClassification.day).desc())
    ).first()
    last = session.exec(
        select(Dossier)
        .where(Dossier.organisation_id == organisation_id, Dossier.flow == "actes")
        .where(col(Dossier.state).in_(("acknowledged", "refused")))
        .order_by(col(Dossier.since).desc())
        .limit(1)
    ).first()
    in_force = last.facts.get("classification_in_force") if last else None
    if newest is None:
        return clock.now() - asked > _UNANSWERED
    stale = in_force is not None and in_force > newest.isoformat()
    return clock.now() - asked > (_STALE if stale else _FRESH)


def request(platform: Platform, organisation_id: str) -> str:
    """Ask for the classification of an organisation now; return the name of the envelope.

    Raises:
        NotNow: the operator's hours, or the quota, keep it from leaving now.
        TabellionError: it could not be delivered, or nobody knows: it will be asked for again.
    """
    operator = knowledge.operator_of(platform, organisation_id)
    with platform.database.writing(PLATFORM) as session:  # before a number is spent on what cannot leave
        _require_open(session, organisation_id, operator, "", 0)
    sender = knowledge.sender_of(platform, organisation_id)
    at_hand = knowledge.classification_of(platform, organisation_id)
    message = DemandeClassification(at_hand.version if at_hand else None)
    base = MessageBase.of_classification(sender.department, sender.siren, MessageCode.DEMANDE_CLASSIFICATION)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        built = envelopes.build(platform, organisation_id, message, MessageName.build(base), {}, Path(folder))
        blob = platform.objects.put_file(built.path)
        envelope = ActesEnvelope(
            organisation_id=organisation_id,
            name=built.envelope,
            state=EnvelopeState.LEAVING.value,
            sha256=blob.sha256,
            size=blob.size,
            sent=clock.now(),
        )
        with platform.database.writing(PLATFORM) as session:
            _require_open(session, organisation_id, operator, built.envelope, blob.size)
            session.add(envelope)
            session.flush()
            envelope_id = envelope.id
        deposit(operator, built.path, built.path.name)
    with platform.database.writing(PLATFORM) as session:
        sent = session.get_one(ActesEnvelope, envelope_id)
        sent.state = EnvelopeState.SENT.value
        session.add(sent)
    return built.envelope


def _require_open(session: Session, organisation_id: str, operator: ActesOperator, envelope: str, size: int) -> None:
    if (later := envelopes.closed(session, organisation_id, operator, envelope, size)) is not None:
        raise NotNow(later.reason)
