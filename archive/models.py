"""What the archive keeps in the database: records, and the Merkle tree of the journal with its timestamped heads.

All of it can be rebuilt from the packages and the journal; none of it is needed to verify an evidence file.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Date, Index, Integer, LargeBinary
from sqlmodel import Field, SQLModel

from core import clock
from core.database import Owned, UtcDateTime
from core.identifiers import new_id


class Record(Owned, table=True):
    """A sealed package and where its proof starts.

    Attributes:
        entry_id: the journal entry that says it was sealed; its leaf is what the proof includes.
        rule: identifier and version of the retention rule applied.
        keep_until: end of the retention; None when it cannot be computed, which means for ever.
    """

    __table_args__ = (Index("record_newest", "organisation_id", "sealed", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    dossier_id: str = Field(max_length=26, unique=True)
    title: str = Field(max_length=200)
    bucket: str = Field(max_length=63)
    key: str = Field(max_length=255, unique=True)
    version_id: str = Field(max_length=100)
    sha256: str = Field(max_length=64, index=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    entry_id: str = Field(max_length=26)
    rule: str = Field(max_length=60)
    keep_until: date | None = Field(default=None, sa_column=Column(Date))
    locked_until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    sealed: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class TreeLeaf(SQLModel, table=True):
    """The place of a journal entry in the tree, given once, after the entry was committed."""

    __tablename__ = "tree_leaf"

    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    entry_number: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    entry_id: str = Field(max_length=26, unique=True)


class TreeNode(SQLModel, table=True):
    """The hash of a complete subtree of 2^level leaves, the index-th of its level (RFC 9162 §2.1)."""

    __tablename__ = "tree_node"

    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))


class TreeHead(SQLModel, table=True):
    """The root of the tree at a size, under a timestamp.

    Attributes:
        head: the canonical bytes over which the token stands.
        token: the RFC 3161 token, DER.
    """

    __tablename__ = "tree_head"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary(32), nullable=False))
    head: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    stamped: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
