"""An act, or what follows it, that left before a backup was restored: what is written down when a person knows that it has.

What lives here: envelopes and messages as they stand then, as far as the journal tells. What does not: the decision
(`flows.engine.departed`). What the ministry answers is awaited as ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from flows.actes.envelopes import FOLLOWING, PACKED, SENDING, archive_role, message_role
from flows.actes.models import ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.engine.departed import Departed
from flows.engine.work import Advance, KeptFile
from schemas.actes.codes import MessageCode

_SENT, _LEFT = "actes.transmit.sent", "actes.answer.more"
_ARCHIVE, _XML = "application/gzip", "application/xml"
_DUE = (MessageState.TO_SEND.value, MessageState.PACKED.value)


def sent(gone: Departed) -> Advance:
    """Take an act as sent, in the envelope that the journal tells; in that which was packed here, where it tells none."""
    own: Mapping[str, Any] = gone.facts[SENDING]
    left = gone.noted(SENDING) or own
    facts = {SENDING: {**left, "phase": PACKED}, "sent_at": clock.iso(gone.left(_SENT))}
    told = {"envelope": left["envelope"], "sha256": left["sha256"]}
    apply = partial(_act_left, gone.dossier_id, own["envelope"], left)
    return Advance("sent", facts=facts, files=_files(gone, left, None), journal=told, apply=apply)


def answered(gone: Departed) -> Advance:
    """Take all that was to follow an act as sent: no answer leaves a second time."""
    left = [entry for entry in gone.told if entry.facts.get(FOLLOWING)]
    envelopes = {one["envelope"]: one for one in (entry.facts[FOLLOWING] for entry in left)}
    own = gone.facts.get(FOLLOWING)
    if own:
        envelopes.setdefault(own["envelope"], own)
    files = tuple(kept for one in envelopes.values() for kept in _files(gone, one, one["message"]))
    told = {"envelopes": sorted(envelopes)} if envelopes else {}
    apply = partial(_answers_left, gone.dossier_id, tuple(envelopes.values()))
    return Advance("done", facts={FOLLOWING: None}, files=files, journal=told, apply=apply)


def _files(gone: Departed, left: Mapping[str, Any], of: str | None) -> tuple[KeptFile, ...]:
    """Return the archive that left, and the message in it, where the dossier has others or none."""
    archive = gone.forgotten(archive_role(of), left["archive"], _ARCHIVE)
    own = gone.file(message_role(of))
    name = own.name if own else f"{left['envelope']}-message.xml"
    return (*archive, *gone.forgotten(message_role(of), name, _XML)) if archive else ()


def _act_left(dossier_id: str, packed: str, left: Mapping[str, Any], session: Session) -> None:
    envelope = session.exec(select(ActesEnvelope).where(ActesEnvelope.name == packed)).one()
    envelope.name, envelope.sha256, envelope.size = left["envelope"], left["sha256"], left["size"]
    _is_sent(session, envelope)
    own = (ActesMessage.dossier_id == dossier_id, ActesMessage.code == MessageCode.ACTE.value)
    message = session.exec(select(ActesMessage).where(*own)).one()
    message.state = MessageState.SENT.value
    session.add(message)
    session.flush()


def _answers_left(dossier_id: str, envelopes: tuple[Mapping[str, Any], ...], session: Session) -> None:
    own = (ActesMessage.dossier_id == dossier_id, col(ActesMessage.outgoing).is_(True), col(ActesMessage.state).in_(_DUE))
    due = {message.id: message for message in session.exec(select(ActesMessage).where(*own))}
    for message in due.values():
        message.state = MessageState.SENT.value
        session.add(message)
    for left in envelopes:
        if left["message"] in due:
            _is_sent(session, _envelope(session, due[left["message"]], left))
    session.flush()


def _envelope(session: Session, message: ActesMessage, left: Mapping[str, Any]) -> ActesEnvelope:
    """Return the envelope of that name; one that the backup does not know is written down, so that an anomaly finds it."""
    known = session.exec(select(ActesEnvelope).where(ActesEnvelope.name == left["envelope"])).first()
    return known or ActesEnvelope(
        organisation_id=message.organisation_id,
        dossier_id=message.dossier_id,
        message_id=message.id,
        name=left["envelope"],
        sha256=left["sha256"],
        size=left["size"],
        state=EnvelopeState.SENT.value,
    )


def _is_sent(session: Session, envelope: ActesEnvelope) -> None:
    envelope.state, envelope.sent = EnvelopeState.SENT.value, envelope.sent or clock.now()
    session.add(envelope)
