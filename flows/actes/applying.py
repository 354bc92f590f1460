"""What a mail of the ministry says, told to the acts that it is about: each message once, however often it is mailed.

    message            what becomes of the act
    1-2                it is acknowledged: the clock of the control of legality starts
    1-3, ANO           it is refused, unless it was acknowledged before: then a person looks, as when 1-2 follows a refusal
    ANO of 7-1         a person is told
    2-1, 5-1           the letter is kept
    any letter         once the act is closed, it is kept with the dossier, outside of the sealed record, and is not acknowledged
    3-1, 4-1           the letter is kept, 3-2 or 4-2 answers at once
    3-5, 4-5           the answer that it acknowledges is closed, and the clock starts again
    6-2                its transmission is cancelled
    7-2, 7-3           the collectivité's classification is replaced, or confirmed

What names no act that is known here goes to a person; what comes before its act is ready to hear it is applied at a later turn.
Names of files are never trusted: only what the messages say. How a message is kept: `hearing.py`; refusals: `refusing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlmodel import col, select

from core import journal
from core.database import ScopedSession
from core.messages import Catalogue
from core.platform import Platform
from flows.actes import silences
from flows.actes.flow import ACTES
from flows.actes.hearing import Hearing, iso
from flows.actes.matching import ANSWERED, WAITING, NotYet, Unmatched, require_heard
from flows.actes.models import LATE, ActesClassification, ActesMail, ActesMessage, MessageState
from flows.actes.parcel import Found, Parcel
from flows.actes.refusing import envelope_refused, refused
from flows.engine import transitions
from flows.engine.models import Dossier
from schemas.actes import messages as said
from schemas.actes.codes import MessageCode

_messages = Catalogue("flows.actes")
_AUTOMATIC = {
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE,
    MessageCode.LETTRE_OBSERVATIONS: MessageCode.AR_LETTRE_OBSERVATIONS,
}
_LEAVES = frozenset({MessageState.TO_SEND.value, MessageState.PACKED.value})


def apply(session: ScopedSession, platform: Platform, mail: ActesMail, parcel: Parcel, found: Found) -> Dossier | None:
    """Apply one message; return the act that it is about, None when it is about none.

    Raises:
        Unmatched: a person must look.
        NotYet: it will be applied at a later turn.
    """
    dossier = _APPLIED[found.message.code](Hearing(session, platform, mail, parcel, found))
    if dossier is not None:
        silences.heard(session, dossier, platform.settings.acts_silence_days)
    return dossier


def _acknowledged(hearing: Hearing) -> Dossier:
    message = hearing.a(said.ARActe)
    dossier, first = hearing.act(message.id_acte, message.received)
    require_heard(dossier)
    if message.reception_date is None:
        raise Unmatched(_messages("ar.undated", act=first.id_acte))
    if hearing.keep(dossier, first, message.reception_date) is None:
        return dossier
    if dossier.state in WAITING:
        facts = {
            "reception_date": message.reception_date.isoformat(),
            "classification_in_force": iso(message.current_classification_date),
            "id_acte_of_state": message.id_acte,
        }
        hearing.signal(dossier, "acknowledged", facts, (hearing.file("ar"),))
        hearing.delivered(first)
    return dossier


def _letter(hearing: Hearing) -> Dossier:
    message = hearing.message
    day = getattr(message, "letter_date", None) or getattr(message, "deposit_date", None)
    dossier, first = hearing.act(getattr(message, "id_acte", ""), None, day)
    require_heard(dossier)
    facts = {
        "reason": getattr(message, "reason", "") or getattr(message, "description", "") or getattr(message, "illegality", "")
    }
    kept = hearing.keep(dossier, first, day, facts, letter_date=getattr(message, "letter_date", None))
    automatic = _AUTOMATIC.get(message.code)
    if kept is not None and day is None:  # an answer names its letter by its date: nothing can leave for this one
        hearing.notice(_messages("letter.undated", act=first.id_acte, code=message.code.value))
    elif kept is not None and automatic is not None and not kept.facts.get(LATE):  # nothing leaves any more
        _ask(hearing, dossier, first, kept, automatic)
    return dossier


def _ask(hearing: Hearing, dossier: Dossier, first: ActesMessage, letter: ActesMessage, code: MessageCode) -> None:
    """Have a letter acknowledged, which nobody is asked for."""
    hearing.session.add(
        ActesMessage(
            organisation_id=dossier.organisation_id,
            dossier_id=dossier.id,
            code=code.value,
            id_acte=first.id_acte,
            outgoing=True,
            state=MessageState.TO_SEND.value,
            letter_date=letter.letter_date,
            answers_id=letter.id,
            actor="platform",
        )
    )
    hearing.session.flush()
    hearing.signal(dossier, "to_send", {}, ())


def _answer_acknowledged(hearing: Hearing) -> Dossier:
    message = hearing.message
    letter_date = getattr(message, "letter_date", None)
    dossier, first = hearing.act(getattr(message, "id_acte", ""), None, letter_date)
    answers = hearing.session.exec(
        select(ActesMessage)
        .where(ActesMessage.dossier_id == dossier.id, col(ActesMessage.code).in_([code.value for code in ANSWERED[message.code]]))
        .where(ActesMessage.letter_date == letter_date)
        .order_by(col(ActesMessage.created).desc(), col(ActesMessage.id).desc())
    ).first()
    if answers is None:
        raise Unmatched(_messages("answer.unknown", act=first.id_acte, day=iso(letter_date) or "?"))
    if answers.state in _LEAVES:
        raise NotYet
    day = getattr(message, "reception_date", None)
    hearing.keep(dossier, first, day, letter_date=letter_date, answers=answers)
    hearing.delivered(answers)
    return dossier


def _cancelled(hearing: Hearing) -> Dossier:
    message = hearing.a(said.ARAnnulation)
    dossier, first = hearing.act(message.id_acte, None)
    asked = hearing.session.exec(
        select(ActesMessage)
        .where(ActesMessage.dossier_id == dossier.id, ActesMessage.code == MessageCode.ANNULATION.value)
        .order_by(col(ActesMessage.created).desc(), col(ActesMessage.id).desc())
    ).first()
    if asked is None:
        raise Unmatched(_messages("cancellation.unasked", act=first.id_acte))
    if dossier.state == "answering" or dossier.overtaken:
        raise NotYet
    if hearing.keep(dossier, first, message.reception_date, answers=asked) is not None and dossier.state == "acknowledged":
        hearing.delivered(asked)
        hearing.signal(dossier, "withdrawn", {"cancelled_on": iso(message.reception_date)}, (), frees_reference=True)
    return dossier


def _classified(hearing: Hearing) -> None:
    organisations = hearing.organisations(hearing.parcel.recipient or "")
    if not organisations:
        raise Unmatched(_messages("classification.recipient", siren=hearing.parcel.recipient or "?"))
    if isinstance(hearing.message, said.RetourClassification):
        version = hearing.message.classification.version
        if version is None:
            raise Unmatched(_messages("classification.undated"))
        for organisation_id in organisations:
            _classify(hearing, organisation_id, version)


def _classify(hearing: Hearing, organisation_id: str, version: date) -> None:
    sha256 = hearing.part["sha256"]
    kept = hearing.session.exec(
        select(ActesClassification).where(
            ActesClassification.organisation_id == organisation_id, ActesClassification.day == version
        )
    ).first()
    if kept is not None and kept.sha256 == sha256:
        return
    kept = kept or ActesClassification(organisation_id=organisation_id, day=version, sha256=sha256)
    kept.sha256 = sha256
    hearing.session.add(kept)
    transitions.hasten(hearing.session, ACTES, "pack", organisation_id)
    journal.write(
        hearing.session,
        organisation_id=organisation_id,
        kind="actes.classification_received",
        actor="platform",
        facts={"date": version.isoformat(), "sha256": sha256},
    )


_APPLIED: dict[MessageCode, Callable[[Hearing], Dossier | None]] = {
    MessageCode.AR_ACTE: _acknowledged,
    MessageCode.ANOMALIE_ACTE: refused,
    MessageCode.ANOMALIE_ENVELOPPE: envelope_refused,
    MessageCode.COURRIER_SIMPLE: _letter,
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: _letter,
    MessageCode.LETTRE_OBSERVATIONS: _letter,
    MessageCode.DEFERE_TA: _letter,
    MessageCode.AR_PIECE_COMPLEMENTAIRE: _answer_acknowledged,
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: _answer_acknowledged,
    MessageCode.AR_ANNULATION: _cancelled,
    MessageCode.RETOUR_CLASSIFICATION: _classified,
    MessageCode.REPONSE_CLASSIFICATION_SANS_CHANGEMENT: _classified,
}
