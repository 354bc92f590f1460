"""What MAIL keeps beside the dossier: the send, whom it is for, each message that left, what came back, what happened."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Text
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id
from core.secrets import Encrypted


class Mail(Owned, table=True):
    """A send: what is said, under which regime, until when. Its documents are the dossier's files.

    Attributes:
        kind: name of its ``kinds.Kind``; ``terms`` that kind as it was when the send was accepted: later changes do not reach it.
        subject, body: plain text; shown to a recipient after the withdrawal only, unless the kind reveals them.
        sender: name of the service, as recipients read it; ``reply_to`` where their own answers by mail go, may be empty.
        answers: recipients may answer, with files.
        author: who sent it (``person:…``, ``token:…``); empty while it is a draft.
        sent: when the first recipient's server accepted its notice; the day counts for every delay.
        withdraw_until: last day, in Paris, to withdraw it; the day after, a recipient who did not is *non retiré*.
        readable_until: last day on which its pages open at all.
        cancelled, reason: since when it is cancelled, and why.
        purged: when the documents were destroyed; events and digests stay.
    """

    __tablename__ = "mail"
    __table_args__ = (Index("mail_withdraw_until", "withdraw_until"),)

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    kind: str = Field(max_length=40)
    terms: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    subject: str = Field(max_length=200)
    body: str = Field(default="", sa_column=Column(Text, nullable=False))
    sender: str = Field(default="", max_length=200)
    reply_to: str = Field(default="", max_length=254)
    answers: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    author: str = Field(default="", max_length=40)
    sent: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    withdraw_until: date | None = None
    readable_until: date | None = None
    cancelled: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    reason: str = Field(default="", max_length=1000)
    purged: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Place(StrEnum):
    """Where a recipient stands among the addresses."""

    TO = "to"
    CC = "cc"
    BCC = "bcc"


class RecipientState(StrEnum):
    """Where a recipient stands. That a notice was delivered, or a page opened, are indications: they are no states.

    HANDED: the mail server answered 250. DELAYED: a server on the way still tries. FAILED: it will not arrive, unless mended.
    WITHDRAWN, ANSWERED: by a deliberate act. REFUSED: by the recipient. EXPIRED: too late. REVOKED: the send was cancelled.
    """

    WAITING = "waiting"
    HANDED = "handed"
    DELAYED = "delayed"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    ANSWERED = "answered"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"


class MailRecipient(Owned, table=True):
    """Somebody to whom a send goes.

    Attributes:
        place: one of ``Place``; ``rank`` the order in which they were named.
        address: as it was written; ``normal`` as it is compared: one recipient a send.
        source: where the address was taken from: ``typed``, ``contact:<id>``, ``member:<id>``.
        level: identity level reached at the withdrawal: 0 the link, 1 and a shared secret, 2 and a code by another channel.
        password_hash: Argon2id of the secret that the sender gives by another channel; empty when there is none.
        failures: wrong passwords in a row; ``locked_until`` no try is judged before; ``blocked`` the sender must give another.
        code_hash: Argon2id of the code that was sent last, which serves once; empty when none is awaited; ``code_until`` its end.
        consent: CRPA, article L. 112-15: the day on which the person agreed; ``consent_reference`` where that is kept.
        delivered, opened: indications: a delivery report, a page that something opened.
        withdrawn, answered, refused: the acts of the recipient.
        trouble: why it stands FAILED or DELAYED, for the sender.
    """

    __tablename__ = "mail_recipient"
    __table_args__ = (
        Index("mail_recipient_once", "dossier_id", "normal", unique=True),
        Index("mail_recipient_state", "organisation_id", "state"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    place: str = Field(default=Place.TO.value, max_length=3)
    rank: int = Field(sa_column=Column(Integer, nullable=False))
    name: str = Field(default="", max_length=200)
    address: str = Field(max_length=254)
    normal: str = Field(max_length=254)
    source: str = Field(default="typed", max_length=40)
    state: str = Field(default=RecipientState.WAITING.value, max_length=12)
    since: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    level: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    password_hash: str = Field(default="", max_length=255)
    failures: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    locked_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    blocked: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    code_hash: str = Field(default="", max_length=255)
    code_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    consent: date | None = None
    consent_reference: str = Field(default="", max_length=200)
    delivered: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    opened: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    withdrawn: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    answered: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    refused: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    trouble: str = Field(default="", max_length=1000)


class NoticeState(StrEnum):
    """Where a message stands.

    LEAVING: the last octets were about to go, or went and the answer was lost. It is settled by a delivery report, or sent again
    to the octet when none came in time. DROPPED: there is no reason to send it any more.
    """

    DUE = "due"
    LEAVING = "leaving"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    DROPPED = "dropped"


class MailNotice(Owned, table=True):
    """A message to one recipient on one occasion; once each, however often the work that sends it is repeated.

    Attributes:
        occasion: ``notice``, ``reminder-1``, ``again-2`` (sent anew by a person), ``addition-<id>``, ``cancellation``.
        address: to which it goes: that of the recipient when it was planned.
        envelope: opaque name in the return path (VERP); opens nothing.
        linked: it bears a link. ``token``: SHA-256, in hexadecimal, of the secret in it, once it was composed; None before, and
            when it bears none. ``revoked``: opens nothing more.
        message_id: header ``Message-ID``, without its brackets. ``sha256`` digest of the message's octets.
        message: the octets, encrypted, from the moment before they leave until they are accepted; None otherwise.
        not_before: until then nobody takes it in hand: it is not due, somebody has it, or it made trouble a moment ago.
        attempts: how often it was begun. ``left`` since when it is LEAVING; ``accepted`` when the server answered 250.
        evidence: what the server said, a dictionary an attempt, oldest first: see ``connectors.mail.handing.HandOver``.
    """

    __tablename__ = "mail_notice"
    __table_args__ = (
        Index("mail_notice_once", "recipient_id", "occasion", unique=True),
        Index("mail_notice_due", "state", "not_before"),
        Index("mail_notice_of_dossier", "dossier_id", "id"),
        Index("mail_notice_envelope", "envelope", unique=True),
        Index("mail_notice_token", "token", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    recipient_id: str = Field(foreign_key="mail_recipient.id", max_length=26)
    occasion: str = Field(max_length=40)
    address: str = Field(max_length=254)
    envelope: str = Field(max_length=40)
    linked: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    token: str | None = Field(default=None, max_length=64)
    revoked: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    message_id: str = Field(default="", max_length=200)
    sha256: str = Field(default="", max_length=64)
    message: bytes | None = Field(default=None, sa_column=Column(Encrypted))
    state: str = Field(default=NoticeState.DUE.value, max_length=10)
    not_before: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    attempts: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    left: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    accepted: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))


class MailReturn(Owned, table=True):
    """A message that came to the return address: a delivery report, an automatic answer, or something that nobody understands.

    Attributes:
        organisation_id: of the send; the platform's own when it belongs to none.
        notice_id, recipient_id, dossier_id: what it is about; None when that is unknown.
        what: ``schemas.mail.report.What``: delivered, relayed, expanded, delayed, failed, automatic, receipt, unknown.
        status: enhanced status code (RFC 3463), ``5.1.1``; ``diagnostic`` what the server said.
        source: which mailbox it was read in and under which number: read once.
        sha256, size: of the raw message, kept in the object store.
        settled, settled_by: when a person dealt with one that the platform could not apply.
    """

    __tablename__ = "mail_return"
    __table_args__ = (
        Index("mail_return_once", "source", unique=True),
        Index("mail_return_of_dossier", "dossier_id", "id"),
        Index("mail_return_unsettled", "organisation_id", "what", "settled"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    notice_id: str | None = Field(default=None, foreign_key="mail_notice.id", max_length=26)
    recipient_id: str | None = Field(default=None, foreign_key="mail_recipient.id", max_length=26)
    dossier_id: str | None = Field(default=None, foreign_key="dossier.id", max_length=26)
    what: str = Field(max_length=12)
    status: str = Field(default="", max_length=12)
    diagnostic: str = Field(default="", max_length=1000)
    source: str = Field(max_length=200)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    received: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    settled: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    settled_by: str = Field(default="", max_length=40)


class MailEvent(Owned, table=True):
    """Something that happened to a send or to one of its recipients; the journal holds its digest (``events.record``).

    Attributes:
        recipient_id: None when it is about the whole send.
        kind: one of ``events.EventKind``.
        facts: what proves it: may hold personal data (network address, browser), hence stays out of the journal.
        sha256: digest of its canonical form.
        again: how often the like of it came after it without being written down; ``again_at`` when it did last.
    """

    __tablename__ = "mail_event"
    __table_args__ = (Index("mail_event_of_dossier", "dossier_id", "id"), Index("mail_event_of_recipient", "recipient_id", "id"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    recipient_id: str | None = Field(default=None, foreign_key="mail_recipient.id", max_length=26)
    kind: str = Field(max_length=40)
    at: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    sha256: str = Field(max_length=64)
    again: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    again_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class MailAnswer(Owned, table=True):
    """What a recipient answered; once, never changed. Its files are files of the dossier, role ``answer``.

    Attributes:
        files: name, media_type, sha256 and size of each.
    """

    __tablename__ = "mail_answer"
    __table_args__ = (Index("mail_answer_of_dossier", "dossier_id", "id"),)

    recipient_id: str = Field(foreign_key="mail_recipient.id", primary_key=True, max_length=26)
    id: str = Field(default_factory=new_id, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    text: str = Field(default="", sa_column=Column(Text, nullable=False))
    files: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    at: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class MailVisit(Owned, table=True):
    """A short session of a recipient's browser, after the withdrawal: the link is no longer in its address.

    Attributes:
        digest: SHA-256, in hexadecimal, of the cookie.
        csrf: what each form of it bears.
    """

    __tablename__ = "mail_visit"
    __table_args__ = (Index("mail_visit_digest", "digest", unique=True), Index("mail_visit_ends", "ends"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    recipient_id: str = Field(foreign_key="mail_recipient.id", max_length=26)
    notice_id: str = Field(foreign_key="mail_notice.id", max_length=26)
    digest: str = Field(max_length=64)
    csrf: str = Field(max_length=64)
    ends: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
