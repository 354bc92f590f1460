"""What ACTES keeps beside the dossier: messages, envelopes and their count, mails, classifications, publications."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id

_LIVE = text("withdrawn IS NULL")
LATE = "late"
"""Among the facts of a message that came once its act was closed: it stays out of the sealed record."""


class MessageState(StrEnum):
    """Where a message stands.

    UNCERTAIN: its envelope was cut off while its last octets left; the ministry's answer, or a person, will tell.
    """

    RECEIVED = "received"
    TO_SEND = "to_send"
    PACKED = "packed"
    UNCERTAIN = "uncertain"
    SENT = "sent"
    REFUSED = "refused"


class ActesMessage(Owned, table=True):
    """A message about an act, from either side; the act itself (1-1) is the first.

    Attributes:
        code: ``1-1`` … ``6-2``.
        id_acte: the act's identifier, as the State knows it.
        outgoing: we send it.
        state: one of ``MessageState``.
        letter_date: the date of the préfecture's letter that it is, or that it answers (``DateCourrierPref``).
        day: of its legal effect: the State's own date of receipt, of a letter, of a referral.
        answers_id: the message that it answers.
        sha256: of the message's file; an incoming one is known by it, however often it is mailed.
        facts: what its page shows: reason, description, detail of an anomaly; ``files``: name, digest, size and type of each.
        actor: who asked for it; ``platform`` for what is automatic.
    """

    __tablename__ = "actes_message"
    __table_args__ = (
        Index("actes_message_of_dossier", "dossier_id", "id"),
        Index("actes_message_once", "dossier_id", "code", "sha256", unique=True),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    code: str = Field(max_length=3)
    id_acte: str = Field(max_length=60, index=True)
    outgoing: bool
    state: str = Field(max_length=12, index=True)
    letter_date: date | None = None
    day: date | None = None
    answers_id: str | None = Field(default=None, max_length=26)
    sha256: str | None = Field(default=None, max_length=64)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    actor: str = Field(max_length=40)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class EnvelopeState(StrEnum):
    """Where an envelope stands; see ``MessageState`` for UNCERTAIN. LEAVING: it is being sent, and counts in its quota."""

    PACKED = "packed"
    LEAVING = "leaving"
    UNCERTAIN = "uncertain"
    SENT = "sent"
    REFUSED = "refused"


class ActesEnvelope(Owned, table=True):
    """An envelope that leaves for the ministry, with one message.

    Attributes:
        message_id: what it carries; None for a request of the classification (7-1).
        name: without extension: ``EACT--214400152--20261128-1``; the ministry's anomalies name it.
        sha256, size: of the archive.
        sent: when it last left, or began to.
    """

    __tablename__ = "actes_envelope"
    __table_args__ = (Index("actes_envelope_name", "name", unique=True), Index("actes_envelope_sent", "sent"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str | None = Field(default=None, foreign_key="dossier.id", max_length=26, index=True)
    message_id: str | None = Field(default=None, foreign_key="actes_message.id", max_length=26, index=True)
    name: str = Field(max_length=60)
    state: str = Field(max_length=12)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    sent: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class ActesCount(SQLModel, table=True):
    """How many envelopes of a SIREN were named on a day: numbers are given under the lock of this row, and never twice."""

    __tablename__ = "actes_count"

    siren: str = Field(primary_key=True, max_length=9)
    day: date = Field(primary_key=True)
    last: int = Field(sa_column=Column(Integer, nullable=False))


class MailState(StrEnum):
    """What became of a mail.

    UNMATCHED: it says something of an act or an envelope that nobody here knows, or that cannot be read: a person looks at it.
    """

    KEPT = "kept"
    APPLIED = "applied"
    NOISE = "noise"
    UNMATCHED = "unmatched"


class ActesMail(Owned, table=True):
    """A mail of the ministry, kept as it came before anything is concluded from it.

    Attributes:
        organisation_id: the organisation it speaks of; until that is known, the one whose mailbox it came through.
        mailbox_id: the organisation whose mailbox it came through.
        sha256: of the mail as it came; with the mailbox, what it is known by.
        parts: name, media type, digest and size of each attachment; ``infected`` where an antivirus found something, ``acts``
            where several may be meant, ``notice`` where a person is to be told once the whole mail is applied.
        reason: why it was not applied, for a person.
    """

    __tablename__ = "actes_mail"
    __table_args__ = (
        Index("actes_mail_once", "mailbox_id", "sha256", unique=True),
        Index("actes_mail_state", "mailbox_id", "state", "id"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    mailbox_id: str = Field(foreign_key="organisation.id", max_length=26)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(max_length=12)
    reason: str | None = Field(default=None, max_length=1000)
    parts: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    dossier_id: str | None = Field(default=None, max_length=26, index=True)
    received: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class ActesClassification(Owned, table=True):
    """A classification that the State gave a collectivité; the newest date counts, the others explain older acts.

    Attributes:
        day: its ``DateClassification``.
        sha256: of the message (7-2), kept with the documents.
    """

    __tablename__ = "actes_classification"
    __table_args__ = (Index("actes_classification_once", "organisation_id", "day", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    day: date
    sha256: str = Field(max_length=64)
    received: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class ActesPublication(Owned, table=True):
    """An act made public by its collectivité; of an act, at most one that was not withdrawn.

    All that the public reads of it stands here, as it was on the day of publication, beside the files themselves.

    Attributes:
        id_acte: the act's identifier, as the State knows it.
        matieres: the codes of the matière joined by full stops: ``3.5``; ``matiere_label``: of each level, joined by `` / ``.
        author_first_name, author_last_name, author_capacity: of its author, as the page must say them (CGCT, R. 2131-1, II).
        files: ``role``, ``name``, ``sha256``, ``size`` and ``type`` (media type) of each, in the order of the act.
        reception_date: the State's own.
        package_sha256, package_size: of the package that proves it, kept among the documents.
        entry_id: the journal entry that says it; its leaf is what the proof includes.
        actor: who published it, or asked for it at the deposit.
        published: since when it is online, to the second; what the page says, and the moment of the package.
        withdrawn, withdrawn_by, withdrawn_reason: when, by whom and why it was taken off line; None while it is online.
        words: what it is searched by, without case or accents.
    """

    __tablename__ = "actes_publication"
    __table_args__ = (
        Index("actes_publication_newest", "organisation_id", "published", "id"),
        Index("actes_publication_of_dossier", "dossier_id", "id"),
        Index("actes_publication_live", "dossier_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    id_acte: str = Field(max_length=60)
    number: str = Field(max_length=20)
    decision_date: date
    nature: int
    matieres: str = Field(max_length=40)
    matiere_label: str | None = Field(default=None, max_length=1000)
    subject: str = Field(max_length=1000)
    author_first_name: str = Field(max_length=100)
    author_last_name: str = Field(max_length=100)
    author_capacity: str = Field(max_length=200)
    files: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    reception_date: date
    package_sha256: str = Field(max_length=64)
    package_size: int = Field(sa_column=Column(BigInteger, nullable=False))
    entry_id: str = Field(max_length=26)
    actor: str = Field(max_length=40)
    published: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    withdrawn: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    withdrawn_by: str | None = Field(default=None, max_length=40)
    withdrawn_reason: str | None = Field(default=None, max_length=500)
    words: str = Field(sa_column=Column(Text, nullable=False))


class ActesPublicationAsked(Owned, table=True):
    """A publication asked for before the State has the act; gone once the act was published, or will never be received.

    Attributes:
        roles: of the files to be published.
        actor: who asked.
        trouble: why it could not be published when it was last tried.
    """

    __tablename__ = "actes_publication_asked"

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    author_first_name: str = Field(max_length=100)
    author_last_name: str = Field(max_length=100)
    author_capacity: str = Field(max_length=200)
    roles: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    actor: str = Field(max_length=40)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    trouble: str | None = Field(default=None, max_length=1000)
