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
Names of files are never trusted: only what the messages say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import update
from sqlmodel import SQLModel, col, select

from core import journal
from core.database import ScopedSession
from core.errors import UnreadableInput
from core.messages import Catalogue
from core.organisations import Organisation, subtree
from core.platform import Platform
from core.problems import Problem, Severity
from flows.actes.flow import ACTES
from flows.actes.matching import WAITING, Heard, NotYet, Unmatched, act_of, identity, require_heard
from flows.actes.models import LATE, ActesClassification, ActesEnvelope, ActesMail, ActesMessage, EnvelopeState, MessageState
from flows.engine import transitions
from flows.engine.models import Dossier
from flows.engine.work import Advance, KeptFile
from schemas.actes import messages as said
from schemas.actes.codes import Direction, MessageCode
from schemas.actes.names import AnomalyName, UnreadableName
from schemas.actes.reader import read

_messages = Catalogue("flows.actes")
_AUTOMATIC = {
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: MessageCode.AR_DEMANDE_PIECE_COMPLEMENTAIRE,
    MessageCode.LETTRE_OBSERVATIONS: MessageCode.AR_LETTRE_OBSERVATIONS,
}
_ANSWERS = {
    MessageCode.AR_PIECE_COMPLEMENTAIRE: ("3-3", "3-4"),
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: ("4-3", "4-4"),
}
_LEAVES = frozenset({MessageState.TO_SEND.value, MessageState.PACKED.value})
_CLOSED = frozenset({"elapsed", "withdrawn", "archived", "cancelled"})
_ARCHIVE_NAME = re.compile(r"(?:EACT|TACT)--\d{9}--\d{8}-\d+")
_ENDINGS = (".xml",)
_dossiers = SQLModel.metadata.tables["dossier"]


@dataclass(frozen=True, slots=True)
class Found:
    """A message of a mail: what it says, and the file that it stands in."""

    message: said.Message
    part: dict[str, Any]


@dataclass(slots=True)
class Parcel:
    """What a mail holds.

    Attributes:
        recipient: SIREN of the envelope; None without one.
        messages: in the order of the mail.
        flaws: what could not be read, in words.
        notices: what a person is to be told of what was applied, in words.
        is_noise: no file at all: a plain notice, as those about acts whose paper copy follows.
    """

    recipient: str | None = None
    messages: list[Found] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    is_noise: bool = False


def parcel_of(platform: Platform, mail: ActesMail, folder: Path) -> Parcel:
    """Read the attachments of a mail, whatever their names and order."""
    parcel = Parcel(is_noise=not mail.parts)
    for part in mail.parts:
        if not (part["name"].casefold().endswith(_ENDINGS) or part["media_type"].endswith("/xml")):
            continue
        if part.get("infected"):
            parcel.flaws.append(_messages("mail.infected", name=part["name"], signature=part["infected"]))
            continue
        path = folder / part["sha256"]
        platform.objects.fetch(part["sha256"], path)
        try:
            document = read(path).document
        except UnreadableInput as error:
            parcel.flaws.append(_messages("mail.unreadable", name=part["name"], reason=error))
            continue
        if isinstance(document, said.EnveloppeMISILLCL):
            parcel.recipient = document.recipient or parcel.recipient
        elif isinstance(document, said.Message) and document.code.direction is Direction.FROM_STATE:
            parcel.messages.append(Found(document, part))
    return parcel


def apply(session: ScopedSession, platform: Platform, mail: ActesMail, parcel: Parcel, found: Found) -> Dossier | None:
    """Apply one message; return the act that it is about, None when it is about none.

    Raises:
        Unmatched: a person must look.
        NotYet: it will be applied at a later turn.
    """
    applying = _Applying(session, platform, mail, parcel, found)
    return _APPLIED[found.message.code](applying)


class _Applying:
    """One message, in the transaction that applies it."""

    def __init__(self, session: ScopedSession, platform: Platform, mail: ActesMail, parcel: Parcel, found: Found) -> None:
        self.session, self.platform, self.mail = session, platform, mail
        self.parcel, self.message, self.part = parcel, found.message, found.part

    def acknowledged(self) -> Dossier:
        message = self._a(said.ARActe)
        dossier, first = self._act(message.id_acte, message.received)
        require_heard(dossier)
        if message.reception_date is None:
            raise Unmatched(_messages("ar.undated", act=first.id_acte))
        if self._keep(dossier, first, message.reception_date) is None:
            return dossier
        if dossier.state in WAITING:
            facts = {
                "reception_date": message.reception_date.isoformat(),
                "classification_in_force": _day(message.current_classification_date),
                "id_acte_of_state": message.id_acte,
            }
            self._signal(dossier, "acknowledged", facts, (self._file("ar"),))
            self._delivered(first)
        return dossier

    def refused(self) -> Dossier:
        message = self._a(said.AnomalieActe)
        dossier, first = self._act("", message.received)
        detail = message.detail or _messages("anomaly.mute")
        return self._refuse(dossier, first, message.nature, detail, message.current_classification_date)

    def envelope_refused(self) -> Dossier | None:
        message = self._a(said.AnomalieEnveloppe)
        envelope = self._envelope(message)
        if envelope is None:
            raise Unmatched(_messages("anomaly.unknown", name=self.part["name"]))
        detail = message.detail or _messages("anomaly.mute")
        if envelope.dossier_id is None or envelope.message_id is None:
            self._classification_refused(envelope, message.nature, detail)
            return None
        dossier = self.session.get_one(Dossier, envelope.dossier_id)
        row = self.session.get_one(ActesMessage, envelope.message_id)
        newest = self._newest(row) == envelope.id
        if row.code == MessageCode.ACTE.value and newest:
            return self._refuse(dossier, row, message.nature, detail)
        if newest and row.state == MessageState.PACKED.value:
            raise NotYet  # it is leaving
        if self._keep(dossier, row, message.anomaly_date, {"nature": message.nature, "detail": detail}) is not None:
            envelope.state = EnvelopeState.REFUSED.value
            self.session.add(envelope)
            if newest and row.state != MessageState.TO_SEND.value:  # else it leaves again, or has, in another envelope
                row.state = MessageState.REFUSED.value
                row.facts = {**row.facts, "anomaly": {"nature": message.nature, "detail": detail}}
                self.session.add(row)
        return dossier

    def _newest(self, row: ActesMessage) -> str | None:
        """Return the envelope in which a message left last, or is to leave."""
        own = select(ActesEnvelope.id).where(ActesEnvelope.message_id == row.id)
        return self.session.exec(own.order_by(col(ActesEnvelope.created).desc(), col(ActesEnvelope.id).desc())).first()

    def _classification_refused(self, envelope: ActesEnvelope, nature: str, detail: str) -> None:
        """Note that a request for the classification (7-1) was refused, and have a person told, once."""
        if envelope.state == EnvelopeState.REFUSED.value:
            return
        envelope.state = EnvelopeState.REFUSED.value
        self.session.add(envelope)
        self.mail.organisation_id = envelope.organisation_id
        journal.write(
            self.session,
            organisation_id=envelope.organisation_id,
            kind="actes.classification_refused",
            actor="platform",
            facts={"envelope": envelope.name, "nature": nature, "mail": self.mail.sha256},
        )
        self.parcel.notices.append(_messages("anomaly.classification", envelope=envelope.name, nature=nature, detail=detail))

    def letter(self) -> Dossier:
        message = self.message
        day = getattr(message, "letter_date", None) or getattr(message, "deposit_date", None)
        dossier, first = self._act(getattr(message, "id_acte", ""), None, day)
        require_heard(dossier)
        facts = {
            "reason": getattr(message, "reason", "") or getattr(message, "description", "") or getattr(message, "illegality", "")
        }
        kept = self._keep(dossier, first, day, facts, letter_date=getattr(message, "letter_date", None))
        automatic = _AUTOMATIC.get(message.code)
        if kept is not None and day is None:  # an answer names its letter by its date: nothing can leave for this one
            self.parcel.notices.append(_messages("letter.undated", act=first.id_acte, code=message.code.value))
        elif kept is not None and automatic is not None and not kept.facts.get(LATE):  # nothing leaves any more
            self._ask(dossier, first, kept, automatic)
        return dossier

    def answer_acknowledged(self) -> Dossier:
        message = self.message
        letter_date = getattr(message, "letter_date", None)
        dossier, first = self._act(getattr(message, "id_acte", ""), None, letter_date)
        answers = self.session.exec(
            select(ActesMessage)
            .where(ActesMessage.dossier_id == dossier.id, col(ActesMessage.code).in_(_ANSWERS[message.code]))
            .where(ActesMessage.letter_date == letter_date)
            .order_by(col(ActesMessage.created).desc(), col(ActesMessage.id).desc())
        ).first()
        if answers is None:
            raise Unmatched(_messages("answer.unknown", act=first.id_acte, day=_day(letter_date) or "?"))
        if answers.state in _LEAVES:
            raise NotYet
        day = getattr(message, "reception_date", None)
        self._keep(dossier, first, day, letter_date=letter_date, answers=answers)
        self._delivered(answers)
        return dossier

    def cancelled(self) -> Dossier:
        message = self._a(said.ARAnnulation)
        dossier, first = self._act(message.id_acte, None)
        asked = self.session.exec(
            select(ActesMessage)
            .where(ActesMessage.dossier_id == dossier.id, ActesMessage.code == MessageCode.ANNULATION.value)
            .order_by(col(ActesMessage.created).desc(), col(ActesMessage.id).desc())
        ).first()
        if asked is None:
            raise Unmatched(_messages("cancellation.unasked", act=first.id_acte))
        if dossier.state == "answering" or dossier.overtaken:
            raise NotYet
        if self._keep(dossier, first, message.reception_date, answers=asked) is not None and dossier.state == "acknowledged":
            self._delivered(asked)
            self._signal(dossier, "withdrawn", {"cancelled_on": _day(message.reception_date)}, (), frees_reference=True)
        return dossier

    def classified(self) -> None:
        organisations = self._organisations(self.parcel.recipient or "")
        if not organisations:
            raise Unmatched(_messages("classification.recipient", siren=self.parcel.recipient or "?"))
        if isinstance(self.message, said.RetourClassification):
            version = self.message.classification.version
            if version is None:
                raise Unmatched(_messages("classification.undated"))
            for organisation_id in organisations:
                self._classify(organisation_id, version)

    def _classify(self, organisation_id: str, version: date) -> None:
        kept = self.session.exec(
            select(ActesClassification).where(
                ActesClassification.organisation_id == organisation_id, ActesClassification.day == version
            )
        ).first()
        if kept is not None and kept.sha256 == self.part["sha256"]:
            return
        kept = kept or ActesClassification(organisation_id=organisation_id, day=version, sha256=self.part["sha256"])
        kept.sha256 = self.part["sha256"]
        self.session.add(kept)
        transitions.hasten(self.session, ACTES, "pack", organisation_id)
        journal.write(
            self.session,
            organisation_id=organisation_id,
            kind="actes.classification_received",
            actor="platform",
            facts={"date": version.isoformat(), "sha256": self.part["sha256"]},
        )

    def _a(self, kind: type[Any]) -> Any:
        if not isinstance(self.message, kind):
            raise TypeError(f"{self.message.code} is no {kind.__name__}")
        return self.message

    def _organisations(self, siren: str) -> list[str]:
        """Return the organisations of a SIREN below the owner of the mailbox."""
        owner = self.session.get_one(Organisation, self.mail.mailbox_id)
        below = subtree(self.session, owner.path)
        known = select(Organisation.id).where(Organisation.siren == siren, col(Organisation.id).in_(below))
        return list(self.session.exec(known.order_by(Organisation.path)))

    def _act(self, id_acte: str, received: said.Acte | None, day: date | None = None) -> tuple[Dossier, ActesMessage]:
        """Return the act that the message is about, and its first message."""
        heard = Heard(self.message.code, self.part["sha256"], id_acte, self.parcel.recipient, received, day)
        siren, _ = identity(heard)
        first, dossier = act_of(self.session, self.platform, self._organisations(siren), heard)
        return dossier, first

    def _envelope(self, message: said.AnomalieEnveloppe) -> ActesEnvelope | None:
        told = [match[0] for match in _ARCHIVE_NAME.finditer(message.detail or "")]
        for name in (*_refused_by_name(self.part["name"]), *told):
            found = self.session.exec(select(ActesEnvelope).where(ActesEnvelope.name == name)).first()
            if found is not None:
                return found
        return None

    def _refuse(self, dossier: Dossier, first: ActesMessage, nature: str, detail: str, in_force: date | None = None) -> Dossier:
        if dossier.state == "refused":
            return dossier  # the same anomaly once more
        require_heard(dossier)
        if dossier.state not in WAITING:
            raise Unmatched(_messages("anomaly.late", act=first.id_acte, detail=detail))
        if self._keep(dossier, first, None, {"nature": nature, "detail": detail}) is None:
            return dossier
        first.state = MessageState.REFUSED.value
        self.session.add(first)
        facts = {"anomaly": {"nature": nature, "detail": detail}, "classification_in_force": _day(in_force)}
        self._signal(dossier, "refused", facts, (self._file("anomaly"),), frees_reference=True)
        problem = Problem(nature, Severity.ERROR, detail, mend=_messages("anomaly.mend"))
        self.session.connection().execute(
            update(_dossiers).where(_dossiers.c.id == dossier.id).values(problems=[problem.as_json()])
        )
        self._delivered(first, EnvelopeState.REFUSED)
        return dossier

    def _keep(
        self,
        dossier: Dossier,
        first: ActesMessage,
        day: date | None,
        facts: dict[str, Any] | None = None,
        *,
        letter_date: date | None = None,
        answers: ActesMessage | None = None,
    ) -> ActesMessage | None:
        """Keep the message and its files with the act; None when it is there already."""
        code = self.message.code.value
        same = select(ActesMessage).where(
            ActesMessage.dossier_id == dossier.id, ActesMessage.code == code, ActesMessage.sha256 == self.part["sha256"]
        )
        if (known := self.session.exec(same).first()) is not None:
            self._complete(known)
            return None
        files, absent = self._files()
        self.session.refresh(dossier, with_for_update=True)  # before it is closed, or after: the journal will tell no otherwise
        late = {LATE: True} if dossier.state in _CLOSED else {}
        row = ActesMessage(
            organisation_id=dossier.organisation_id,
            dossier_id=dossier.id,
            code=code,
            id_acte=first.id_acte,
            outgoing=False,
            state=MessageState.RECEIVED.value,
            letter_date=letter_date,
            day=day,
            answers_id=answers.id if answers else None,
            sha256=self.part["sha256"],
            facts={**(facts or {}), "mail": self.mail.id, **absent, **late},
            actor="platform",
        )
        self.session.add(row)
        self.session.flush()
        self._join(row, (self.part, *files))
        told = {"code": code, "sha256": self.part["sha256"], "mail": self.mail.sha256}
        self._journal(row, "actes.message_received", told)
        return row

    def _journal(self, row: ActesMessage, kind: str, facts: dict[str, Any]) -> None:
        owner, dossier = row.organisation_id, row.dossier_id
        journal.write(self.session, organisation_id=owner, dossier_id=dossier, kind=kind, actor="platform", facts=facts)

    def _join(self, row: ActesMessage, parts: Iterable[dict[str, Any]]) -> None:
        """Add parts of the mail to the files of the act, as those of a message."""
        role = f"{row.code}.{row.id}"
        kept = tuple(KeptFile(role, one["name"], one["media_type"], one["sha256"], one["size"]) for one in parts)
        transitions.add_files(self.session, row.organisation_id, row.dossier_id, kept)

    def _complete(self, row: ActesMessage) -> None:
        """Add to a message that is known what it lacked, when another mail brings it."""
        lacked = {*row.facts.get("missing", ()), *(name for name, _ in row.facts.get("infected", ()))}
        files, absent = self._files()
        if brought := [one for one in files if one["name"].casefold() in {name.casefold() for name in lacked}]:
            self._join(row, brought)
            row.facts = {**row.facts, **absent}
            self.session.add(row)
            told = {"code": row.code, "message": row.id, "files": [one["sha256"] for one in brought], "mail": self.mail.sha256}
            self._journal(row, "actes.message_completed", told)

    def _files(self) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
        """Return the parts that the message names; and the names that no part bears, or only one that nobody must open."""
        names = [one.name for one in self.message.files]
        if self.message.code in {MessageCode.AR_ACTE, MessageCode.ANOMALIE_ACTE}:
            names = []
        parts = {part["name"].casefold(): part for part in self.mail.parts}
        there = [(name, parts[name.casefold()]) for name in names if name.casefold() in parts]
        return [part for _, part in there if not part.get("infected")], {
            "missing": [name for name in names if name.casefold() not in parts],
            "infected": [[name, part["infected"]] for name, part in there if part.get("infected")],
        }

    def _file(self, role: str) -> KeptFile:
        part = self.part
        return KeptFile(role, part["name"], part["media_type"], part["sha256"], part["size"])

    def _ask(self, dossier: Dossier, first: ActesMessage, letter: ActesMessage, code: MessageCode) -> None:
        self.session.add(
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
        self.session.flush()
        self._signal(dossier, "to_send", {}, ())

    def _signal(
        self, dossier: Dossier, event: str, facts: dict[str, Any], files: tuple[KeptFile, ...], frees_reference: bool = False
    ) -> bool:
        outcome = Advance(event, facts=facts, files=files, journal={"mail": self.mail.sha256})
        return transitions.signal(self.session, ACTES, dossier.id, event, outcome, frees_reference=frees_reference)

    def _delivered(self, row: ActesMessage, state: EnvelopeState = EnvelopeState.SENT) -> None:
        """Note what the ministry's answer proves: the envelope of a message arrived."""
        if row.state == MessageState.UNCERTAIN.value:
            row.state = MessageState.SENT.value
            self.session.add(row)
        for envelope in self.session.exec(select(ActesEnvelope).where(ActesEnvelope.message_id == row.id)):
            envelope.state = state.value
            self.session.add(envelope)


_APPLIED: dict[MessageCode, Callable[[_Applying], Dossier | None]] = {
    MessageCode.AR_ACTE: _Applying.acknowledged,
    MessageCode.ANOMALIE_ACTE: _Applying.refused,
    MessageCode.ANOMALIE_ENVELOPPE: _Applying.envelope_refused,
    MessageCode.COURRIER_SIMPLE: _Applying.letter,
    MessageCode.DEMANDE_PIECE_COMPLEMENTAIRE: _Applying.letter,
    MessageCode.LETTRE_OBSERVATIONS: _Applying.letter,
    MessageCode.DEFERE_TA: _Applying.letter,
    MessageCode.AR_PIECE_COMPLEMENTAIRE: _Applying.answer_acknowledged,
    MessageCode.AR_REPONSE_REJET_LETTRE_OBSERVATIONS: _Applying.answer_acknowledged,
    MessageCode.AR_ANNULATION: _Applying.cancelled,
    MessageCode.RETOUR_CLASSIFICATION: _Applying.classified,
    MessageCode.REPONSE_CLASSIFICATION_SANS_CHANGEMENT: _Applying.classified,
}


def _refused_by_name(part: str) -> tuple[str, ...]:
    """Return the envelope that the name of an anomaly's file tells: a hint, which any other name lacks."""
    try:
        named = AnomalyName.parse(part).envelope
    except UnreadableName:
        return ()
    return () if named is None else (named.stem,)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
