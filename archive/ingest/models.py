"""What the archive keeps of those who hand packages over: agreements."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, String, UniqueConstraint, false, text
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class ArchiveAgreement(Owned, table=True):
    """An agreement (*accord de versement*): who may hand over what to an archive service.

    Attributes:
        organisation_id: whose archives they are; it holds for the transfers of this organisation and of all below it.
        identifier: as ``ArchivalAgreement`` of a transfer names it.
        transferring_agency: who hands over, as ``TransferringAgency`` names it.
        archival_agency: who keeps, as ``ArchivalAgency`` names it; empty where that does not matter.
        originating_agencies: who may have made the records; empty for anyone.
        formats: PRONOM identifiers of the formats that are taken; empty for all.
        declared_formats: a format that differs from the declared one refuses the transfer; otherwise it is only told.
        pdfa: what is asked of every PDF: nothing (empty), that it says it is PDF/A (``declared``), or that the operator's checker
            finds so too (``verified``).
        digests: algorithms of the digests that are taken; empty for all that are strong enough.
        signed_manifest: the manifest must bear a valid signature over the whole of it; otherwise one is only looked at.
        signatures: there must be signatures of documents, and all of them valid; otherwise they are only looked at.
        unverified_signatures: those that could not be verified entirely refuse nothing: they are told.
        automatic: what passes every check without a remark is sealed without asking anybody.
        largest: bytes of a package; None without a limit.
        largest_file: bytes of a file in it; None without a limit.
        most: transfers a year; None without a limit.
        volume: bytes a year, of packages; None without a limit.
        starts: the first day on which it holds.
        ends: the last one; None without an end.
        profile: SHA-256 of the profile, Relax NG or XSD, kept among the documents; None without one.
        closed: when somebody ended it; nothing is taken under it from then on.
    """

    __tablename__ = "archive_agreement"
    __table_args__ = (UniqueConstraint("organisation_id", "identifier", name="archive_agreement_named"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    identifier: str = Field(max_length=60)
    label: str = Field(max_length=200)
    transferring_agency: str = Field(max_length=60)
    archival_agency: str = Field(default="", max_length=60)
    originating_agencies: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    formats: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False))
    declared_formats: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    pdfa: str = Field(default="", sa_column=Column(String(10), nullable=False, server_default=text("''")))
    digests: list[str] = Field(default_factory=list, sa_column=Column(JsonValue, nullable=False, server_default="[]"))
    signed_manifest: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    signatures: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    unverified_signatures: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    automatic: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    largest: int | None = Field(default=None, sa_column=Column(BigInteger))
    largest_file: int | None = Field(default=None, sa_column=Column(BigInteger))
    most: int | None = Field(default=None, sa_column=Column(Integer))
    volume: int | None = Field(default=None, sa_column=Column(BigInteger))
    starts: date = Field(sa_column=Column(Date, nullable=False))
    ends: date | None = Field(default=None, sa_column=Column(Date))
    profile: str | None = Field(default=None, max_length=64)
    profile_name: str = Field(default="", max_length=255)
    created: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    created_by: str = Field(max_length=40)
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    closed_by: str | None = Field(default=None, max_length=40)
