"""What the State leaves without a word once it has an act: a person is told, since nothing else would ever say so.

    what                                                        a person is told after
    a cancellation (6-1) that left                              `TABELLION_ACTS_SILENCE_DAYS`
    an answer or a cancellation whose sending is uncertain      four hours, as for the act itself

The act is set aside where it stands, and hears the State as ever: what it says takes it up again. Whoever resumes it by hand
waits as long once more: time counts from when the act came back to the state in which it waits, after all that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, and_, col, or_, select

from core import clock, journal
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from flows.actes.flow import ACTES, DOUBT_WITHIN
from flows.actes.models import ActesMessage, MessageState
from flows.actes.wording import message_label
from flows.engine.models import Dossier
from flows.engine.moves import DEADLINE
from schemas.actes.codes import MessageCode

_messages = Catalogue("flows.actes")
_WAITS = "acknowledged"
_UNCERTAIN = and_(
    ActesMessage.code != MessageCode.ACTE.value,  # of which the flow itself tells
    ActesMessage.state == MessageState.UNCERTAIN.value,
)
_UNANSWERED = and_(ActesMessage.code == MessageCode.ANNULATION.value, ActesMessage.state == MessageState.SENT.value)


def silence_of(dossier: Dossier, messages: Sequence[ActesMessage], now: datetime, days: int) -> str | None:
    """Return what a person is to be told of an act that waits for the State; None while there is nothing.

    Args:
        dossier: the act.
        messages: of it.
        now: the moment for which it is told.
        days: of silence after which a cancellation is told.
    """
    waited = now - dossier.since
    if dossier.state != _WAITS:
        return None
    for one in messages:
        day = f"{clock.in_paris(one.created):%d/%m/%Y}"
        if one.code == MessageCode.ANNULATION.value and one.state == MessageState.SENT.value and waited >= timedelta(days=days):
            return _messages("silence.cancellation", day=day)
        if one.code != MessageCode.ACTE.value and one.state == MessageState.UNCERTAIN.value and waited >= DOUBT_WITHIN:
            return _messages("silence.uncertain", label=message_label(one.code), day=day)
    return None


def tell(platform: Platform) -> None:
    """Set aside, for a person, each act about which the State has been silent for too long."""
    days, now = platform.settings.acts_silence_days, clock.now()
    with platform.database.reading(PLATFORM) as session:
        silent = session.exec(
            select(Dossier.id)
            .join(ActesMessage, col(ActesMessage.dossier_id) == col(Dossier.id))
            .where(Dossier.flow == ACTES.name, Dossier.state == _WAITS, col(Dossier.parked).is_(None))
            .where(col(ActesMessage.outgoing).is_(True), or_(_UNCERTAIN, _UNANSWERED))
            .where(Dossier.since <= now - DOUBT_WITHIN)  # the shorter of the two
            .distinct()
        ).all()
    for dossier_id in silent:
        with platform.database.writing(PLATFORM) as session:
            _tell(session, dossier_id, now, days)


def _tell(session: Session, dossier_id: str, now: datetime, days: int) -> None:
    dossier = session.get_one(Dossier, dossier_id, with_for_update=True)
    if dossier.parked is not None or (reason := silence_of(dossier, _messages_of(session, dossier_id), now, days)) is None:
        return
    dossier.parked = reason
    session.add(dossier)
    owner, kind = dossier.organisation_id, f"{ACTES.name}.{DEADLINE}.parked"
    journal.write(session, organisation_id=owner, dossier_id=dossier_id, kind=kind, actor="platform", facts={})


def heard(session: Session, dossier: Dossier, days: int) -> None:
    """Take an act up again that was set aside for a silence, once the State has said what it was asked for."""
    session.flush()
    session.refresh(dossier, with_for_update=True)
    if dossier.parked is None or dossier.overtaken or dossier.state != _WAITS:
        return
    dossier.parked = silence_of(dossier, _messages_of(session, dossier.id), clock.now(), days)
    session.add(dossier)


def _messages_of(session: Session, dossier_id: str) -> Sequence[ActesMessage]:
    own = select(ActesMessage).where(ActesMessage.dossier_id == dossier_id)
    return session.exec(own.order_by(col(ActesMessage.created), col(ActesMessage.id))).all()
