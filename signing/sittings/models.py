"""What is kept of a sitting: who sits, what opens it, the certificate, and each document with where its signature stands."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class SittingState(StrEnum):
    """Where a sitting stands; the last three are never left."""

    OPEN = "open"
    CLAIMED = "claimed"
    CLOSED = "closed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"


class ItemState(StrEnum):
    """Where the signature of a document stands; the last two are never left."""

    WAITING = "waiting"
    PREPARED = "prepared"
    SIGNED = "signed"
    REFUSED = "refused"


class Sitting(Owned, table=True):
    """One person, one certificate, several documents.

    Attributes:
        person: how to greet who signs.
        actor: in whose name the journal speaks: whoever opened the sitting.
        state: a ``SittingState``.
        ticket_digest: hexadecimal SHA-256 of the secret of the ticket; None once it was used.
        token_digest: that of the token; None before the ticket was used.
        expires: until when the ticket, then the token, can be used.
        certificate: of the key that signs, DER; bound once.
        chain: the authorities above it, nearest first, DER in base64.
        reason: why it was abandoned, in the words of who did.
    """

    __table_args__ = (Index("sitting_expiry", "state", "expires"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    person: str = Field(max_length=120)
    actor: str = Field(max_length=40)
    state: str = Field(default=SittingState.OPEN.value, max_length=20)
    ticket_digest: str | None = Field(default=None, max_length=64)
    token_digest: str | None = Field(default=None, max_length=64)
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    certificate: bytes | None = Field(default=None)
    chain: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    reason: str | None = Field(default=None, max_length=1000)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class SittingItem(Owned, table=True):
    """A document to sign, kept in the object store under its digest.

    Attributes:
        rank: its place in the sitting.
        format: name of the format of signature (``signing.formats``).
        context: what the signature says, as ``signing.formats.as_json`` tells it.
        reference: what whoever asked knows it by; means nothing here.
        state: an ``ItemState``.
        prepared: ``signing.legs.Prepared`` as JSON.
        draft_sha256: what the format wrote aside when it prepared; None when it wrote nothing.
        given: the values received so far by slot, base64; each was found to be that of the certificate.
        lease: token of who completes it at this moment.
        leased_until: when the lease runs out.
        result_sha256: the signed document, or its detached signature.
        verdict: what our strict verification said of it, trust aside: ``signing.verdicts.FileVerdict`` as JSON.
        detail: why it was refused, or what it still waits for, in words.
    """

    __tablename__ = "sitting_item"
    __table_args__ = (Index("sitting_item_in_order", "sitting_id", "rank", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    sitting_id: str = Field(foreign_key="sitting.id", max_length=26)
    rank: int = Field(sa_column=Column(Integer, nullable=False))
    title: str = Field(max_length=200)
    media_type: str = Field(max_length=100)
    format: str = Field(max_length=40)
    context: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    reference: str | None = Field(default=None, max_length=200, index=True)
    state: str = Field(default=ItemState.WAITING.value, max_length=20)
    prepared: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonValue))
    draft_sha256: str | None = Field(default=None, max_length=64)
    given: dict[str, str] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    lease: str | None = Field(default=None, max_length=26)
    leased_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    result_sha256: str | None = Field(default=None, max_length=64)
    result_size: int | None = Field(default=None, sa_column=Column(BigInteger))
    verdict: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonValue))
    detail: str | None = Field(default=None, max_length=1000)
