"""What the ministry refuses: an act (1-3), or an envelope (ANO) with whatever it carried.

An anomaly of an envelope refuses its message only where that left in no newer one. A person is told of that of a request for the
classification, and of an acknowledgement that leaves by itself (3-2, 4-2): nobody else would look.
"""

from __future__ import annotations

import re
from datetime import date

from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from core import journal
from core.messages import Catalogue
from core.problems import Problem, Severity
from flows.actes.hearing import Hearing, iso
from flows.actes.matching import WAITING, NotYet, Unmatched, require_heard
from flows.actes.models import ActesEnvelope, ActesMessage, EnvelopeState, MessageState
from flows.actes.wording import message_label
from flows.engine.models import Dossier
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode
from schemas.actes.names import AnomalyName, UnreadableName

_messages = Catalogue("flows.actes")
_ARCHIVE_NAME = re.compile(r"(?:EACT|TACT)--\d{9}--\d{8}-\d+")
_BY_ITSELF = frozenset({MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE.value, MessageCode.AR_LETTRE_OBSERVATIONS.value})
_dossiers = SQLModel.metadata.tables["dossier"]


def refused(hearing: Hearing) -> Dossier:
    """Refuse an act (1-3)."""
    message = hearing.a(said.AnomalieActe)
    dossier, first = hearing.act("", message.received)
    detail = message.detail or _messages("anomaly.mute")
    return _refuse(hearing, dossier, first, message.nature, detail, message.current_classification_date)


def envelope_refused(hearing: Hearing) -> Dossier | None:
    """Refuse what an envelope carried (ANO)."""
    message = hearing.a(said.AnomalieEnveloppe)
    envelope = _envelope(hearing, message)
    if envelope is None:
        raise Unmatched(_messages("anomaly.unknown", name=hearing.part["name"]))
    detail = message.detail or _messages("anomaly.mute")
    if envelope.dossier_id is None or envelope.message_id is None:
        _classification_refused(hearing, envelope, message.nature, detail)
        return None
    dossier = hearing.session.get_one(Dossier, envelope.dossier_id)
    row = hearing.session.get_one(ActesMessage, envelope.message_id)
    newest = _newest(hearing, row) == envelope.id
    if row.code == MessageCode.ACTE.value and newest:
        return _refuse(hearing, dossier, row, message.nature, detail)
    if newest and row.state == MessageState.PACKED.value:
        raise NotYet  # it is leaving
    hearing.keep(dossier, row, message.anomaly_date, {"nature": message.nature, "detail": detail})
    if envelope.state != EnvelopeState.REFUSED.value:  # the anomaly of another envelope may be the same to the letter
        envelope.state = EnvelopeState.REFUSED.value
        hearing.session.add(envelope)
        if newest and row.state != MessageState.TO_SEND.value:  # else it leaves again, or has, in another envelope
            row.state = MessageState.REFUSED.value
            row.facts = {**row.facts, "anomaly": {"nature": message.nature, "detail": detail}}
            hearing.session.add(row)
            if row.code in _BY_ITSELF:  # nobody asked for it, and nobody waits for it
                told = {"act": row.id_acte, "label": message_label(row.code), "nature": message.nature, "detail": detail}
                hearing.notice(_messages("anomaly.automatic", **told))
    return dossier


def _newest(hearing: Hearing, row: ActesMessage) -> str | None:
    """Return the envelope in which a message left last, or is to leave."""
    own = select(ActesEnvelope.id).where(ActesEnvelope.message_id == row.id)
    return hearing.session.exec(own.order_by(col(ActesEnvelope.created).desc(), col(ActesEnvelope.id).desc())).first()


def _classification_refused(hearing: Hearing, envelope: ActesEnvelope, nature: str, detail: str) -> None:
    """Note that a request for the classification (7-1) was refused, and have a person told, once."""
    if envelope.state == EnvelopeState.REFUSED.value:
        return
    envelope.state = EnvelopeState.REFUSED.value
    hearing.session.add(envelope)
    hearing.mail.organisation_id = envelope.organisation_id
    journal.write(
        hearing.session,
        organisation_id=envelope.organisation_id,
        kind="actes.classification_refused",
        actor="platform",
        facts={"envelope": envelope.name, "nature": nature, "mail": hearing.mail.sha256},
    )
    hearing.notice(_messages("anomaly.classification", envelope=envelope.name, nature=nature, detail=detail))


def _envelope(hearing: Hearing, message: said.AnomalieEnveloppe) -> ActesEnvelope | None:
    """Return the envelope that is meant, among those of the organisations that the mailbox serves: names are easily guessed."""
    told = [match[0] for match in _ARCHIVE_NAME.finditer(message.detail or "")]
    ours = col(ActesEnvelope.organisation_id).in_(hearing.served())
    for name in (*_refused_by_name(hearing.part["name"]), *told):
        found = hearing.session.exec(select(ActesEnvelope).where(ActesEnvelope.name == name, ours)).first()
        if found is not None:
            return found
    return None


def _refused_by_name(part: str) -> tuple[str, ...]:
    """Return the envelope that the name of an anomaly's file tells: a hint, which any other name lacks."""
    try:
        named = AnomalyName.parse(part).envelope
    except UnreadableName:
        return ()
    return () if named is None else (named.stem,)


def _refuse(
    hearing: Hearing, dossier: Dossier, first: ActesMessage, nature: str, detail: str, in_force: date | None = None
) -> Dossier:
    if dossier.state == "refused":
        return dossier  # the same anomaly once more
    require_heard(dossier)
    if dossier.state not in WAITING:
        raise Unmatched(_messages("anomaly.late", act=first.id_acte, detail=detail))
    if hearing.keep(dossier, first, None, {"nature": nature, "detail": detail}) is None:
        return dossier
    first.state = MessageState.REFUSED.value
    hearing.session.add(first)
    facts = {"anomaly": {"nature": nature, "detail": detail}, "classification_in_force": iso(in_force)}
    hearing.signal(dossier, "refused", facts, (hearing.file("anomaly"),), frees_reference=True)
    problem = Problem(nature, Severity.ERROR, detail, mend=_messages("anomaly.mend"))
    hearing.session.connection().execute(
        update(_dossiers).where(_dossiers.c.id == dossier.id).values(problems=[problem.as_json()])
    )
    hearing.delivered(first, EnvelopeState.REFUSED)
    return dossier
