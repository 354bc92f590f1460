"""Statements: what the platform knows of a send, one for each recipient and one for the whole, in the form that proves it.

A statement is canonical JSON, and the journal holds its digest (``enter``). It names by their digests the message, the documents,
the returned messages and the answer; each of its events has a digest of its own that the journal held from the moment when it
happened. It holds what is personal (addresses, network addresses, browsers), hence stands in a proof and nowhere else.

The statement of a recipient shows no other, nor that there are any: of the events of the whole send, those that may tell of some
are withheld, all but their digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, select

from core import clock, journal
from core.canonical import canonical_bytes
from core.journal import JournalEntry
from core.organisations import Organisation
from flows.engine.models import DossierFile
from flows.mail import reached
from flows.mail.convening.models import Convened, MeetingQuestion, QuestionAnswer
from flows.mail.events import EventKind
from flows.mail.keeping import ADDITION, DOCUMENT, files_of, mail_of, recipients_of
from flows.mail.models import Mail, MailAnswer, MailEvent, MailNotice, MailRecipient, MailReturn

FORMAT = "tabellion-mail-statement/1"
ENTERED = "mail.statement"
"""Kind of the journal entry that names a statement by its digest."""
_TOLD_TO_ALL = frozenset({EventKind.ACCEPTED, EventKind.ADDITION, EventKind.CANCELLED, EventKind.PURGED})
"""Events of the whole send that each recipient may know of."""
_OWN_WORDS = frozenset({EventKind.ANSWERED, EventKind.PRESENCE, EventKind.QUESTION})
"""What recipients say themselves, of whomever they say it."""


def statement(session: Session, dossier_id: str, recipient_id: str | None, until: datetime | None = None) -> dict[str, Any]:
    """Return the statement of a recipient, or of the whole send.

    Args:
        session: one that sees the send.
        dossier_id: of the send.
        recipient_id: None for the whole.
        until: events and returns after this moment are left out.

    Raises:
        NotFound: there is no such send.
    """
    return _Gathered.of(session, dossier_id, until).statement(recipient_id)


def statements(session: Session, dossier_id: str, until: datetime | None = None) -> dict[str | None, dict[str, Any]]:
    """Return every statement of a send: that of the whole first, under None, then one by recipient in their order."""
    gathered = _Gathered.of(session, dossier_id, until)
    return {None: gathered.statement(None), **{one.id: gathered.statement(one.id) for one in gathered.recipients}}


def enter(session: Session, mail: Mail, told: Mapping[str | None, Mapping[str, Any]], actor: str) -> None:
    """Have the journal name statements by their digests, in the session's transaction; each once, as long as it is the same."""
    wanted = select(JournalEntry.facts).where(JournalEntry.dossier_id == mail.dossier_id, JournalEntry.kind == ENTERED)
    known = {facts["sha256"] for facts in session.exec(wanted)}
    for recipient_id, one in told.items():
        if (digest := digest_of(one)) not in known:
            journal.write(
                session,
                organisation_id=mail.organisation_id,
                dossier_id=mail.dossier_id,
                kind=ENTERED,
                actor=actor,
                facts={"recipient": recipient_id, "sha256": digest},
            )


def digest_of(told: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a statement's canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_bytes(dict(told))).hexdigest()


@dataclass(frozen=True, slots=True)
class _Gathered:
    """The rows of a send, read once for all of its statements."""

    mail: Mail
    organisation: Organisation
    recipients: list[MailRecipient]
    files: list[DossierFile]
    notices: list[MailNotice]
    returns: list[MailReturn]
    events: list[MailEvent]
    answers: dict[str, MailAnswer]
    convened: dict[str, Convened]
    questions: dict[str, str]
    said: list[QuestionAnswer]
    told: dict[str, date]

    @classmethod
    def of(cls, session: Session, dossier_id: str, until: datetime | None) -> _Gathered:
        mail = mail_of(session, dossier_id)
        events = _rows(session, MailEvent, dossier_id)
        returns = _rows(session, MailReturn, dossier_id)
        questions = {one.id: one.text for one in _rows(session, MeetingQuestion, dossier_id)}
        said = select(QuestionAnswer).where(col(QuestionAnswer.question_id).in_(questions))
        return cls(
            mail=mail,
            organisation=session.get_one(Organisation, mail.organisation_id),
            recipients=recipients_of(session, dossier_id),
            files=files_of(session, dossier_id, DOCUMENT, ADDITION),
            notices=_rows(session, MailNotice, dossier_id),
            returns=[one for one in returns if until is None or one.received <= until],
            events=[one for one in events if until is None or one.at <= until],
            answers={one.recipient_id: one for one in _rows(session, MailAnswer, dossier_id)},
            convened={one.recipient_id: one for one in session.exec(select(Convened).where(Convened.dossier_id == dossier_id))},
            questions=questions,
            said=list(session.exec(said.order_by(col(QuestionAnswer.question_id)))) if questions else [],
            told=reached.told_on(session, dossier_id, until),
        )

    def statement(self, recipient_id: str | None) -> dict[str, Any]:
        told = {
            "format": FORMAT,
            "send": self._send(),
            "message": self._message(),
            "documents": [*map(_document, self.files), *self._destroyed()],
            "returns": [_return(one) for one in self.returns if one.recipient_id == recipient_id],
        }
        if recipient_id is None:
            return told | {
                "recipients": [self._recipient(one) for one in self.recipients],
                "answers": [],
                "events": [_event(one, withheld=False) for one in self.events if one.recipient_id is None],
            }
        (recipient,) = (one for one in self.recipients if one.id == recipient_id)
        answer, seat = self.answers.get(recipient_id), self.convened.get(recipient_id)
        return told | {
            "recipient": self._recipient(recipient),
            "notices": [_notice(one) for one in self.notices if one.recipient_id == recipient_id],
            "answers": [self._answer(answer)] if answer else [],
            "attendance": self._attendance(seat) if seat else None,
            "events": [
                _event(one, withheld=self._tells_of_others(one, recipient_id))
                for one in self.events
                if one.recipient_id in {None, recipient_id}
            ],
        }

    def _send(self) -> dict[str, Any]:
        mail, organisation = self.mail, self.organisation
        return {
            "id": mail.dossier_id,
            "organisation": organisation.name,
            "organisation_number": organisation.siret or organisation.siren or "",
            "sender": mail.sender,
            "author": mail.author,
            "kind": mail.kind,
            "terms": mail.terms,
            "sent": _moment(mail.sent),
            "withdraw_until": _day(mail.withdraw_until),
            "readable_until": _day(mail.readable_until),
            "cancelled": _moment(mail.cancelled),
            "reason": mail.reason,
            "purged": _moment(mail.purged),
        }

    def _message(self) -> dict[str, Any]:
        """Return the digest of what was written; once it is destroyed, the one that was noted when it was accepted."""
        accepted = next((one.facts for one in self.events if one.kind == EventKind.ACCEPTED and one.recipient_id is None), {})
        digest = hashlib.sha256(self.mail.body.encode()).hexdigest()
        return {"subject": self.mail.subject, "sha256": accepted.get("body_sha256", digest) if self.mail.purged else digest}

    def _destroyed(self) -> list[dict[str, Any]]:
        """Return the documents that were destroyed, as that event names them."""
        gone = (file for one in self.events if one.kind == EventKind.PURGED for file in one.facts.get("files", ()))
        return [{key: file[key] for key in ("role", "name", "size", "sha256")} for file in gone]

    def _recipient(self, one: MailRecipient) -> dict[str, Any]:
        return {
            "id": one.id,
            "place": one.place,
            "name": one.name,
            "address": one.address,
            "source": one.source,
            "consent": _day(one.consent),
            "consent_reference": one.consent_reference,
            "state": one.state,
            "since": clock.iso(one.since),
            "level": one.level,
            "delivered": _moment(one.delivered),
            "opened": _moment(one.opened),
            "withdraw_until": _day(reached.last_day(self.mail, self.told.get(one.id))),
            "withdrawn": _moment(one.withdrawn),
            "answered": _moment(one.answered),
            "refused": _moment(one.refused),
            "trouble": one.trouble,
        }

    def _answer(self, one: MailAnswer) -> dict[str, Any]:
        """Return what was answered; once it is destroyed, its text is None, and the event of the answer has its digest."""
        files = [_file(kept["name"], kept["media_type"], kept["size"], kept["sha256"]) for kept in one.files]
        return {"at": clock.iso(one.at), "text": None if self.mail.purged else one.text, "files": files}

    def _attendance(self, seat: Convened) -> dict[str, Any]:
        said = [one for one in self.said if one.recipient_id == seat.recipient_id]
        return {
            "presence": seat.presence,
            "answered": _moment(seat.answered),
            "questions": [
                {"question": self.questions[one.question_id], "answer": one.answer, "at": clock.iso(one.at)} for one in said
            ],
        }

    def _tells_of_others(self, event: MailEvent, recipient_id: str) -> bool:
        if event.recipient_id is None and event.kind not in _TOLD_TO_ALL:
            return True
        if event.kind in _OWN_WORDS:
            return False
        told = canonical_bytes(event.facts).decode().casefold()
        others = (one for one in self.recipients if one.id != recipient_id)
        return any(word.casefold() in told for one in others for word in (one.id, one.address, one.normal))


def _rows(session: Session, model: Any, dossier_id: str) -> list[Any]:
    return list(session.exec(select(model).where(model.dossier_id == dossier_id).order_by(model.id)))


def _document(one: DossierFile) -> dict[str, Any]:
    return {"role": one.role, "added": clock.iso(one.created), **_file(one.name, one.media_type, one.size, one.sha256)}


def _file(name: str, media_type: str, size: int, sha256: str) -> dict[str, Any]:
    return {"name": name, "media_type": media_type, "size": size, "sha256": sha256}


def _notice(one: MailNotice) -> dict[str, Any]:
    """Return a message that left, or is to; never the secret of its link, nor what would let it be told again."""
    return {
        "id": one.id,
        "occasion": one.occasion,
        "address": one.address,
        "envelope": one.envelope,
        "message_id": one.message_id,
        "sha256": one.sha256,
        "state": one.state,
        "attempts": one.attempts,
        "left": _moment(one.left),
        "accepted": _moment(one.accepted),
        "revoked": _moment(one.revoked),
        "evidence": one.evidence,
    }


def _return(one: MailReturn) -> dict[str, Any]:
    return {
        "id": one.id,
        "notice": one.notice_id,
        "what": one.what,
        "status": one.status,
        "diagnostic": one.diagnostic,
        "received": clock.iso(one.received),
        "sha256": one.sha256,
        "size": one.size,
    }


def _event(one: MailEvent, *, withheld: bool) -> dict[str, Any]:
    told = {"id": one.id, "kind": one.kind, "at": clock.iso(one.at), "sha256": one.sha256}
    return told if withheld else {**told, "facts": one.facts}


def _moment(moment: datetime | None) -> str | None:
    return clock.iso(moment) if moment else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
