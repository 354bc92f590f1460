"""Sending again what nobody knows to have arrived: an act's own envelope, or a message that follows it.

The ministry cannot be asked: a person has found out that it never had it. What stands in the way is asked under the dossier's
lock, as for anything that follows an act (`flows.actes.following`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import select

from core import clock
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.actes.envelopes import SENDING
from flows.actes.flow import ACTES
from flows.actes.following import ANSWERS, FOLLOWED, answer_to, cancellation_of, held, messages_of, wake
from flows.actes.models import ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance
from schemas.actes.codes import MessageCode

_messages = Catalogue("flows.actes")
_DOUBTFUL = frozenset({MessageState.UNCERTAIN.value, MessageState.REFUSED.value})


def send_again(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Send the envelope of an act again, by its name, once a person knows that the ministry never had it.

    Raises:
        NotFound: no such act.
        Forbidden: the principal may not operate the organisation.
        Conflict: nothing of it is uncertain, or a restored backup has it as it was.
    """
    with platform.database.writing(principal) as session:
        dossier = held(session, principal, dossier_id, right=Right.OPERATE, states=None)
        _require_current(dossier)
        sending = dossier.facts.get(SENDING) or {}
        outcome = Advance("again", facts={SENDING: {**sending, "again": True}}, journal={"envelope": sending.get("envelope")})
        if not transitions.signal(session, ACTES, dossier_id, "again", outcome, principal.actor):
            raise Conflict(_messages("again.certain"), dossier_id)


def send_message_again(platform: Platform, principal: Principal, message_id: str) -> None:
    """Send a message that follows an act again, in a new envelope, once a person knows that the ministry never had it.

    Raises:
        NotFound, Forbidden: as ``send_again``.
        Conflict: as ``send_again``, where a cancellation counts as uncertain once its silence was told; or the act is closed; or
            another answer to the same letter, or another cancellation, was asked for since (rules R36, R37).
    """
    with platform.database.writing(principal) as session:
        message = session.get(ActesMessage, message_id)
        if message is None:
            raise NotFound(_messages("R37.unknown"))
        dossier = held(session, principal, message.dossier_id, right=Right.OPERATE)
        session.refresh(message, with_for_update=True)
        _require_resendable(dossier, message, messages_of(session, dossier.id))
        message.state = MessageState.TO_SEND.value
        session.add(message)
        for envelope in session.exec(select(ActesEnvelope).where(ActesEnvelope.message_id == message_id)):
            envelope.state = EnvelopeState.REFUSED.value
            session.add(envelope)
        wake(session, dossier.id, principal.actor)


def is_resendable(dossier: Dossier, message: ActesMessage, messages: Sequence[ActesMessage]) -> bool:
    """Tell whether ``send_message_again`` would send a message of an act, whoever asks."""
    try:
        _require_resendable(dossier, message, messages)
    except Conflict:
        return False
    return True


def may_leave_again(dossier: Dossier) -> bool:
    """Tell whether ``send_again`` would send the envelope of an act, whoever asks."""
    return dossier.state == "uncertain" and not dossier.overtaken


def _require_resendable(dossier: Dossier, message: ActesMessage, messages: Sequence[ActesMessage]) -> None:
    _require_current(dossier)
    if dossier.state not in FOLLOWED:
        raise Conflict(_messages("following.state"), dossier.id)
    silent = message.code == MessageCode.ANNULATION.value and message.state == MessageState.SENT.value
    doubtful = message.state in _DOUBTFUL or (silent and dossier.parked is not None)
    if not message.outgoing or message.code == MessageCode.ACTE.value or not doubtful:
        raise Conflict(_messages("again.certain"), dossier.id)
    _require_alone(message, messages)


def _require_current(dossier: Dossier) -> None:
    if dossier.overtaken:
        raise Conflict(_messages("again.overtaken"), dossier.id)


def _require_alone(message: ActesMessage, messages: Sequence[ActesMessage]) -> None:
    """Refuse what a person has asked for anew since: the State would have it twice."""
    others = [one for one in messages if one.id != message.id]
    if message.code == MessageCode.ANNULATION.value:
        rule, newer = "R36.asked", cancellation_of(others)
    else:
        rule, newer = "R37.answered", _answer_beside(message, others)
    if newer is not None:
        raise Conflict(_messages(rule, day=f"{clock.in_paris(newer.created):%d/%m/%Y}"), message.dossier_id)


def _answer_beside(message: ActesMessage, others: list[ActesMessage]) -> ActesMessage | None:
    """Return another answer to the letter that a message answers; none for what acknowledges a letter by itself (3-2, 4-2)."""
    letter = next((one for one in others if one.id == message.answers_id), None)
    if letter is None or MessageCode(message.code) not in ANSWERS.get(MessageCode(letter.code), ()):
        return None
    return answer_to(letter, others)
