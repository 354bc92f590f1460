"""What replication keeps in the database: where each round over a place stands."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from core import clock
from core.database import UtcDateTime

PAPERS, RECORDS = "papers ", "records "
"""The two halves of a round, and what its cursor begins with in each; a key, or the identifier of a record, follows."""


class Task(StrEnum):
    """What a round is for.

    ``FILL``: to bring what a place has never had. ``RESTORE``: to write again what it has lost.
    """

    FILL = "fill"
    RESTORE = "restore"


class Replication(SQLModel, table=True):
    """The last round of a task over a place: begun, gone on with bit by bit, ended.

    Attributes:
        place: its name.
        task: one of ``Task``.
        cursor: where to go on from: which half, papers or records, and a key or an identifier; empty at the beginning.
        copied: how many objects were written so far.
        failed: how many could not be.
    """

    __tablename__ = "archive_replication"

    place: str = Field(primary_key=True, max_length=40)
    task: str = Field(primary_key=True, max_length=10)
    started: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    ended: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    cursor: str = Field(default="", max_length=400)
    copied: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    failed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))

    @property
    def brings_papers(self) -> bool:
        """Tell whether papers are being brought still: none that is absent is lost yet."""
        return self.ended is None and not self.cursor.startswith(RECORDS)
