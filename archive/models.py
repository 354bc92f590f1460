"""What the archive keeps in the database: records, and the Merkle tree of the journal with its timestamped heads.

All of it can be rebuilt from the packages and the journal; none of it is needed to verify an evidence file.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, LargeBinary, String, false, text
from sqlmodel import Field, SQLModel

from archive.proof.hashes import SHA256
from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id

UNLOOKED = text("kind = 'transfer' AND NOT looked_inside AND eliminated IS NULL")
"""Which records were handed over and not looked into yet, in the very words of their index."""


class Record(Owned, table=True):
    """A sealed package and where its proof starts.

    Attributes:
        dossier_id: where it came from; None for a package that was handed over from outside.
        kind: of record: the name of the flow that made it, or ``transfer`` for what was handed over from outside.
        producer: who made it, by SIREN or SIRET.
        dated: the day that the record is of, from which its retention counts.
        key: of the package, the same in every place.
        entry_id: the journal entry that says it was sealed; its leaf is what the proof includes.
        rule: identifier and version of the retention rule applied.
        final_action: what happens at the end of the retention: ``Keep`` or ``Destroy``.
        keep_until: end of the retention; None when it cannot be computed, which means for ever.
        access: identifier and version of the access rule applied.
        open_from: the first day on which anyone may read it; None when it cannot be computed, which means never.
        eliminated: when it was destroyed; its row, its leaf and its digests stay.
        confidential: people see it only where they operate its organisation, as the dossier that it came from.
        withheld: people kept its folder to themselves: software is not shown it.
        looked_inside: its package, handed over from outside, was looked into for the holds that it names
            (`archive.elimination.package_holds`); always False of the platform's own, which name none.
        look_again: when it is to be looked into again, once that came to nothing; None when nobody has tried.
        unreadable: that came to nothing because no place gives the package whole, or what it gives cannot be read.
    """

    __table_args__ = (
        Index("record_newest", "organisation_id", "sealed", "id"),
        Index("record_newest_of_all", "sealed", "id"),
        Index("record_due", "organisation_id", "final_action", "keep_until"),
        Index("record_ruled", "rule"),
        Index("record_unlooked", "id", sqlite_where=UNLOOKED, postgresql_where=UNLOOKED),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    dossier_id: str | None = Field(default=None, max_length=26, unique=True)
    kind: str = Field(max_length=20)
    title: str = Field(max_length=200)
    producer: str = Field(max_length=60)
    dated: date = Field(sa_column=Column(Date, nullable=False))
    key: str = Field(max_length=255, unique=True)
    sha256: str = Field(max_length=64, index=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    entry_id: str = Field(max_length=26)
    rule: str = Field(max_length=60)
    final_action: str = Field(max_length=10)
    keep_until: date | None = Field(default=None, sa_column=Column(Date))
    access: str = Field(max_length=60)
    open_from: date | None = Field(default=None, sa_column=Column(Date))
    sealed: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    eliminated: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    confidential: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    withheld: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    looked_inside: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    look_again: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    unreadable: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))


class RecordCopy(Owned, table=True):
    """A record's package as it stands in one place.

    Attributes:
        place: its name.
        version_id: which version of the key is meant; S3 lets anyone add another on top.
        locked_until: until when the place refuses to delete it, as it was last set or read.
        checked: when it was last read back whole, and found to be what was sealed.
        extension_id: the journal entry of the last extension of its lock, which names records by a digest only.
    """

    __tablename__ = "record_copy"
    __table_args__ = (Index("record_copy_checked", "place", "checked"), Index("record_copy_locked", "place", "locked_until"))

    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    place: str = Field(primary_key=True, max_length=40)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    version_id: str = Field(max_length=100)
    locked_until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    checked: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    extension_id: str | None = Field(default=None, max_length=26)


class RecordFile(Owned, table=True):
    """A file of a record's package, as its manifest names it.

    Attributes:
        rank: in the manifest, from 1.
        name: that its owner gave it.
        uri: path in the package.
        sha256: of its content, hexadecimal; None when the manifest has a digest of another algorithm only.
        puid: PRONOM identifier of its format, when it was identified.
    """

    __tablename__ = "record_file"

    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    rank: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    name: str = Field(max_length=255)
    uri: str = Field(max_length=255)
    sha256: str | None = Field(default=None, max_length=64, index=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    media_type: str | None = Field(default=None, max_length=100)
    puid: str | None = Field(default=None, max_length=20)


class RecordDigest(Owned, table=True):
    """A digest of a record's package; older algorithms stay beside newer ones.

    Attributes:
        algorithm: as SEDA names it: ``SHA-256``.
        value: hexadecimal.
        taken: when the package was read to compute it.
        entry_id: the journal entry that names it; None for the record's own, that of its sealing.
    """

    __tablename__ = "record_digest"
    __table_args__ = (Index("record_digest_value", "value"),)

    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    algorithm: str = Field(primary_key=True, max_length=20)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    value: str = Field(max_length=128)
    taken: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    entry_id: str | None = Field(default=None, max_length=26)


class TreeLeaf(SQLModel, table=True):
    """The place of a journal entry in the tree, given once, after the entry was committed."""

    __tablename__ = "tree_leaf"

    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    entry_number: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    entry_id: str = Field(max_length=26, unique=True)


class TreeNode(SQLModel, table=True):
    """The hash of a complete subtree of 2^level leaves, the position-th of its level (RFC 9162 §2.1), made with one algorithm."""

    __tablename__ = "tree_node"

    algorithm: str = Field(default=SHA256, sa_column=Column(String(10), primary_key=True, default=SHA256))
    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    position: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TreeHash(SQLModel, table=True):
    """With what the tree is made since a moment; the newest counts, and without any it is SHA-256.

    Attributes:
        algorithm: as SEDA names it.
        entry_id: the journal entry that says so; the heads that cover it are made with it.
    """

    __tablename__ = "tree_hash"

    algorithm: str = Field(primary_key=True, max_length=10)
    since: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    entry_id: str = Field(max_length=26)


class TreeHead(SQLModel, table=True):
    """The root of the tree at a size, under a timestamp.

    Attributes:
        head: the canonical bytes over which the token stands.
        token: the RFC 3161 token, DER.
    """

    __tablename__ = "tree_head"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    root: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    head: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    stamped: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class TreeSegment(SQLModel, table=True):
    """The journal between two heads as a file under lock, outside the database.

    Attributes:
        size: of the head that it ends with.
        key: of the file, the same in every place.
        sha256: of the file.
        length: its size in bytes.
        copies: the version of the key in each place, by the place's name; empty until it stands in all of them.
        sealed: when it came to stand in all places; None while it does not.
        locked_until: until when all places refuse to delete it, as it was last set.
    """

    __tablename__ = "tree_segment"
    __table_args__ = (Index("tree_segment_locked", "locked_until"),)

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    key: str = Field(max_length=255)
    sha256: str = Field(max_length=64)
    length: int = Field(sa_column=Column(BigInteger, nullable=False))
    copies: dict[str, str] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    sealed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    locked_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class EvidenceStamp(SQLModel, table=True):
    """A timestamp over the root of a hash tree of evidence records (RFC 4998), and its batch as a file under lock.

    Attributes:
        algorithm: the hash of the tree, and of what the token is over.
        token: the RFC 3161 token, DER.
        expires: end of the authority's certificate, before which it is renewed.
        key: of the batch, the same in every place.
        sha256: of the batch; None until it was first written.
        copies: its version in each place, by the place's name; empty until it stands in all of them.
    """

    __tablename__ = "evidence_stamp"
    __table_args__ = (Index("evidence_stamp_expires", "expires"), Index("evidence_stamp_locked", "locked_until"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    algorithm: str = Field(max_length=10)
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    stamped: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    expires: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    key: str = Field(max_length=255)
    sha256: str | None = Field(default=None, max_length=64)
    length: int | None = Field(default=None, sa_column=Column(BigInteger))
    copies: dict[str, str] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    locked_until: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class EvidenceRenewal(SQLModel, table=True):
    """A timestamp that another one renews: one row for all the records that stand on it.

    Attributes:
        way: from the hash of the renewed token to what the new token is over, each list in hexadecimal.
    """

    __tablename__ = "evidence_renewal"

    stamp_id: str = Field(foreign_key="evidence_stamp.id", primary_key=True, max_length=26)
    by_id: str = Field(foreign_key="evidence_stamp.id", max_length=26, index=True)
    way: list[list[str]] = Field(sa_column=Column(JsonValue, nullable=False))


class RecordEvidence(Owned, table=True):
    """A chain of a record's evidence record: where it begins.

    Attributes:
        chain: 1 for the first; each one after it is a renewal with another hash.
        algorithm: the hash.
        hashes: of the package and of its files, as the hash tree takes them, hexadecimal.
        before: how many timestamps the chain before has, for this one is bound to them.
        stamp_id: the timestamp that it begins with; None until there is one.
        way: from the hashes to what the token is over.
    """

    __tablename__ = "record_evidence"
    __table_args__ = (Index("record_evidence_stamp", "stamp_id", "record_id"),)

    record_id: str = Field(foreign_key="record.id", primary_key=True, max_length=26)
    chain: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    algorithm: str = Field(max_length=10)
    hashes: list[str] = Field(sa_column=Column(JsonValue, nullable=False))
    before: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    stamp_id: str | None = Field(default=None, foreign_key="evidence_stamp.id", max_length=26)
    way: list[list[str]] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
