"""What the interface keeps: the numbers by which software knows things, and what a document has that a send has not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Column, Index, Integer
from sqlmodel import Field

from core.database import JsonValue, Owned, UtcDateTime


class PastellNumber(Owned, table=True):
    """The number of an organisation (``id_e``), of a recipient (``id_de``), of whoever asks (``id_u``); of a PES for S2LOW.

    Attributes:
        number: given once, platform-wide, in the order in which they were first asked for; never another's.
        named: identifier of what it is the number of.
    """

    __tablename__ = "pastell_number"
    __table_args__ = (Index("pastell_number_named", "named", unique=True),)

    number: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    named: str = Field(max_length=26)


class PastellDocument(Owned, table=True):
    """A send that was written through the interface.

    Attributes:
        modified: when it last was; None since it was created.
        password_hash: Argon2id of the one password that the type has, for whoever is addressed later; empty without one.
        confirmed: it was given twice, alike.
        numbers: under which software has sent each file, in their order.
    """

    __tablename__ = "pastell_document"

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    modified: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    password_hash: str = Field(default="", max_length=255)
    confirmed: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    numbers: list[int] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False, server_default="[]"))
