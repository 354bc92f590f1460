"""The numbers by which software knows transactions, and which of the préfecture's it has read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, Integer
from sqlmodel import Field

from core.database import Owned, UtcDateTime


class S2lowTransaction(Owned, table=True):
    """A message about an act as a transaction; the act itself is its message 1-1.

    Attributes:
        number: given once, platform-wide, in the order in which messages were first asked for; never another message's.
        read: when software said that it had read it; None before.
    """

    __tablename__ = "s2low_transaction"
    __table_args__ = (Index("s2low_transaction_message", "message_id", unique=True),)

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    message_id: str = Field(foreign_key="actes_message.id", max_length=26)
    read: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
