"""How a send comes in: written as a draft, changed as long as it is one, then sent or abandoned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from core import clock, passwords
from core.canonical import canonical_bytes
from core.database import ScopedSession
from core.errors import Conflict
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine import transitions
from flows.engine.intake import Deposit, Received, receive
from flows.engine.models import Dossier, DossierFile
from flows.engine.work import Advance, KeptFile
from flows.mail import rules
from flows.mail.convening import rules as convocations
from flows.mail.flow import MAIL
from flows.mail.keeping import DOCUMENT, dossier_of, files_of, mail_of, recipients_of, require_sender
from flows.mail.kinds import kind_of
from flows.mail.models import Mail, MailRecipient, Place
from schemas.mail import addresses

_messages = Catalogue("flows.mail")
_CONTENT = "content"

Also = Callable[[ScopedSession, Mail, list[MailRecipient]], None]
"""Further writes in the transaction that writes a draft: given the mail and its recipients, in their order."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """Somebody to whom a draft is addressed.

    Attributes:
        source: where the address was taken from: ``typed``, ``contact:<id>``, ``member:<id>``.
        password: in clear, kept as a hash; empty keeps the one that the draft has for this address, if any.
        consent: CRPA, article L. 112-15: the day on which the person agreed, and where that is kept.
    """

    address: str
    name: str = ""
    place: Place = Place.TO
    source: str = "typed"
    password: str = ""
    consent: date | None = None
    consent_reference: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A send as somebody writes it.

    Attributes:
        sender: name of the service, as recipients read it; that of the organisation when empty.
        reply_to: where recipients' own answers by mail go; nowhere when empty.
        answers: recipients may answer; as the kind says when None.
        documents: in their order; they are in the object store already.
    """

    organisation_id: str
    kind: str
    subject: str
    body: str = ""
    sender: str = ""
    reply_to: str = ""
    answers: bool | None = None
    recipients: Sequence[Addressed] = ()
    documents: tuple[KeptFile, ...] = ()


def compose(
    platform: Platform, principal: Principal, draft: Draft, idempotency_key: str | None = None, *, also: Also | None = None
) -> Received:
    """Write a draft down as a dossier, or return the one that the same draft with the same key has already made.

    Args:
        platform: its parts.
        principal: who writes it.
        draft: the whole of it.
        idempotency_key: makes a repeat harmless.
        also: further writes in the same transaction.

    Raises:
        Forbidden: the principal may not send for the organisation.
        Unsendable: an address that is none or stands there twice, a line that is none, a weak password.
        UsageError: there is no such kind.
        Conflict: the key was used for another content.
    """
    principal.require(Right.DEPOSIT, draft.organisation_id)
    rules.require(rules.of_draft(draft))
    hashes = _hashed(draft)

    def add(session: ScopedSession, dossier: Dossier) -> None:
        mail = Mail(dossier_id=dossier.id, organisation_id=dossier.organisation_id, kind=draft.kind, subject="")
        _write(platform, session, mail, draft, hashes, also)

    deposit = Deposit(
        draft.organisation_id,
        _title(draft),
        None,
        idempotency_key=idempotency_key,
        facts={_CONTENT: _digest(draft)},
        apply=add,
    )
    return receive(platform.database, MAIL, principal, deposit)


def change(platform: Platform, principal: Principal, dossier_id: str, draft: Draft, *, also: Also | None = None) -> None:
    """Put another content in the place of that of a draft, the whole of it.

    Recipients are known by their address: one that stays keeps its identifier. Those that go are deleted after ``also``, which
    takes away what names them.

    Raises:
        NotFound: there is no such send, or the principal does not see it.
        Forbidden: they may not send for its organisation.
        Conflict: it is no draft any more.
        Unsendable, UsageError: see ``compose``.
    """
    rules.require(rules.of_draft(draft))
    hashes = _hashed(draft)
    with platform.database.writing(principal) as session:
        mail, dossier = _drafted(session, principal, dossier_id)
        dossier.title = _title(draft)
        session.add(dossier)
        _write(platform, session, mail, draft, hashes, also)


def send(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Have a draft sent: it is checked next, documents included, and leaves.

    Raises:
        NotFound, Forbidden, Conflict: see ``change``.
        Unsendable: it breaks rules that can be told at once.
    """
    with platform.database.writing(principal) as session:
        mail, dossier = _drafted(session, principal, dossier_id)
        recipients = recipients_of(session, dossier_id)
        kind = kind_of(session, platform.secrets, mail.organisation_id, mail.kind)
        problems = rules.of_send(mail, recipients, kind, clock.in_paris(clock.now()).date())
        rules.require([*problems, *convocations.problems(session, mail, recipients)])
        mail.author, dossier.problems = principal.actor, []
        session.add(mail)
        session.add(dossier)
        session.flush()
        _signal(session, principal, dossier_id, Advance("sent", journal={"recipients": len(recipients)}))


def abandon(platform: Platform, principal: Principal, dossier_id: str) -> None:
    """Give a draft up; nothing has left.

    Raises:
        NotFound, Forbidden, Conflict: see ``change``.
    """
    with platform.database.writing(principal) as session:
        _drafted(session, principal, dossier_id)
        _signal(session, principal, dossier_id, Advance("abandoned"))


def _signal(session: Session, principal: Principal, dossier_id: str, outcome: Advance) -> None:
    if not transitions.signal(session, MAIL, dossier_id, outcome.outcome, outcome, principal.actor):
        raise Conflict(_messages("draft.set_aside"))


def _drafted(session: Session, principal: Principal, dossier_id: str) -> tuple[Mail, Dossier]:
    mail = mail_of(session, dossier_id, hold=True)
    require_sender(principal, mail)
    dossier = dossier_of(session, dossier_id, hold=True)
    if dossier.state != MAIL.start:
        raise Conflict(_messages("draft.over"))
    return mail, dossier


def _write(
    platform: Platform, session: ScopedSession, mail: Mail, draft: Draft, hashes: dict[str, str], also: Also | None
) -> None:
    kind = kind_of(session, platform.secrets, mail.organisation_id, draft.kind)
    mail.kind, mail.subject, mail.body, mail.reply_to = kind.name, draft.subject.strip(), draft.body, draft.reply_to.strip()
    mail.sender = draft.sender.strip() or session.get_one(Organisation, mail.organisation_id).name[: rules.LONGEST_SENDER]
    mail.answers = kind.answers if draft.answers is None else draft.answers
    session.add(mail)
    session.flush()
    gone = {one.normal: one for one in recipients_of(session, mail.dossier_id)}
    recipients = [_recipient(mail, rank, one, gone, hashes) for rank, one in enumerate(draft.recipients)]
    session.add_all(recipients)
    session.flush()
    _replace_documents(session, mail, draft.documents)
    if also is not None:
        also(session, mail, recipients)
    for one in gone.values():
        session.delete(one)
    session.flush()


def _recipient(mail: Mail, rank: int, told: Addressed, known: dict[str, MailRecipient], hashes: dict[str, str]) -> MailRecipient:
    """Return a recipient as the draft says it; one that is known is taken out of those that go."""
    normal = addresses.normal(told.address)
    one = known.pop(normal, None) or MailRecipient(
        organisation_id=mail.organisation_id, dossier_id=mail.dossier_id, rank=rank, address="", normal=normal
    )
    one.rank, one.name, one.address = rank, told.name.strip(), told.address.strip()
    one.place, one.source = Place(told.place).value, told.source[:40]
    one.consent, one.consent_reference = told.consent, told.consent_reference.strip()[:200]
    if told.password:
        one.password_hash = hashes[told.password]
    return one


def _replace_documents(session: ScopedSession, mail: Mail, documents: Sequence[KeptFile]) -> None:
    for former in files_of(session, mail.dossier_id, DOCUMENT):
        session.delete(former)
    session.flush()
    for kept in documents:
        session.add(
            DossierFile(
                organisation_id=mail.organisation_id,
                dossier_id=mail.dossier_id,
                role=DOCUMENT,
                name=kept.name,
                media_type=kept.media_type,
                sha256=kept.sha256,
                size=kept.size,
            )
        )


def _hashed(draft: Draft) -> dict[str, str]:
    """Return a hash for each password; one that serves several recipients is hashed once, which takes a quarter of a second."""
    return {password: passwords.hashed(password) for password in {one.password for one in draft.recipients if one.password}}


def _title(draft: Draft) -> str:
    return draft.subject.strip() or _messages("draft.untitled")


def _digest(draft: Draft) -> str:
    """Return the digest of a draft, by which a repeat is known; passwords stay out of it."""
    told: dict[str, Any] = {
        "kind": draft.kind,
        "subject": draft.subject,
        "body": draft.body,
        "sender": draft.sender,
        "reply_to": draft.reply_to,
        "answers": "" if draft.answers is None else str(draft.answers),
        "recipients": [
            [one.address, one.name, Place(one.place).value, one.consent.isoformat() if one.consent else "", one.consent_reference]
            for one in draft.recipients
        ],
        "documents": [[kept.name, kept.sha256, kept.size] for kept in draft.documents],
    }
    return hashlib.sha256(canonical_bytes(told)).hexdigest()
