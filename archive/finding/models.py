"""What finding and giving back keep in the database: records as the search knows them, restitutions, requests of readers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column, Integer
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class RecordState(StrEnum):
    """Where a record stands: kept, kept whatever its rule says, or destroyed."""

    KEPT = "kept"
    HELD = "held"
    ELIMINATED = "eliminated"


class RequestState(StrEnum):
    """Where a request to read stands."""

    ASKED = "asked"
    AGREED = "agreed"
    REFUSED = "refused"
    GIVEN = "given"


class RestitutionState(StrEnum):
    """Where a restitution stands: not begun, under way, there to be taken, taken away again."""

    ASKED = "asked"
    WRITING = "writing"
    READY = "ready"
    ENDED = "ended"


class IndexedRecord(Owned, table=True):
    """A record as the search knows it; its words stand under the same number in ``record_words``, each database in its way.

    Attributes:
        number: given when the record was first indexed; results are listed from the highest down.
        year: of the day that the record is of.
        state: a ``RecordState``.
    """

    __tablename__ = "indexed_record"

    number: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    record_id: str = Field(foreign_key="record.id", max_length=26, unique=True)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    kind: str = Field(max_length=20)
    producer: str = Field(max_length=60)
    year: int = Field(sa_column=Column(Integer, nullable=False))
    state: str = Field(max_length=10)


class Restitution(Owned, table=True):
    """The giving back of a whole fonds, as it was asked for on a page.

    Attributes:
        organisation_id: whose fonds; that of all below it comes along.
        tried: when a worker last worked at it.
        total: records to be given back, as they were last counted.
        done: records that stand in the volumes.
        size: bytes of their packages.
        last_id: the record that the volumes have come to; None before the first, and when it is finished.
        waiting: records whose proof waited for a timestamp.
        lost: records whose package no place held whole.
        trouble: why the last try stopped, in words; empty when it did not.
        expires: when the volumes are taken away; None until it is finished.
    """

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    asked: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    asked_by: str = Field(max_length=40)
    tried: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    total: int = 0
    done: int = 0
    size: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    last_id: str | None = Field(default=None, max_length=26)
    waiting: int = 0
    lost: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    trouble: str = Field(default="", max_length=500)
    finished: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    expires: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))

    @property
    def state(self) -> RestitutionState:
        """Where it stands now."""
        if self.expires is not None:
            return RestitutionState.READY if clock.now() < self.expires else RestitutionState.ENDED
        return RestitutionState.WRITING if self.tried or self.done else RestitutionState.ASKED


class RestitutionVolume(Owned, table=True):
    """A ZIP file of a restitution, held in the object store until the restitution expires.

    Attributes:
        rank: from one.
        held: its name in the store, below that of the restitution: two writers never share one.
        sha256: hexadecimal, of the volume.
        size: of the volume, in bytes.
        sums_sha256: hexadecimal, of the digests of its files that stand beside it.
    """

    __tablename__ = "restitution_volume"

    restitution_id: str = Field(foreign_key="restitution.id", primary_key=True, max_length=26)
    rank: int = Field(primary_key=True)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    held: str = Field(max_length=26)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    sums_sha256: str = Field(max_length=64)


class ReadingRequest(Owned, table=True):
    """Somebody outside asks to read records; who, and why, stands here and nowhere else.

    Attributes:
        organisation_id: of the records.
        requester: who asks, in words.
        contact: where the answer goes: an address of any kind.
        reason: what for, in words.
        derogation: records were asked that are not open yet: the State decides (C. patr. L.213-3).
        state: a ``RequestState``.
        answer: what whoever decided says, in words.
        link: SHA-256 of the secret that opens the page of the reader; None when there is none.
        link_ends: when it opens nothing any more.
        given: when the copies were taken, for good: the link is used up.
    """

    __tablename__ = "reading_request"

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    requester: str = Field(max_length=200)
    contact: str = Field(max_length=200)
    reason: str = Field(max_length=2000)
    derogation: bool
    state: str = Field(max_length=10)
    made: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    made_by: str = Field(max_length=40)
    decided: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    decided_by: str | None = Field(default=None, max_length=40)
    answer: str = Field(default="", max_length=2000)
    link: str | None = Field(default=None, max_length=64, unique=True)
    link_ends: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    given: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class RequestedRecord(Owned, table=True):
    """A record that a request asks for.

    Attributes:
        ranks: of the files that are asked for; None for all of it, with what proves it.
    """

    __tablename__ = "requested_record"

    request_id: str = Field(foreign_key="reading_request.id", primary_key=True, max_length=26)
    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    ranks: list[int] | None = Field(default=None, sa_column=Column(JsonValue))
