"""What is known of a transfer beside its dossier."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field

from archive.ingest.models import ArchiveAgreement
from core.database import Owned, UtcDateTime


class ArchiveTransfer(Owned, table=True):
    """A package from outside, as its manifest presents it; what is not read yet is empty.

    Attributes:
        identity: SHA-256 of the transferring agency and its ``MessageIdentifier``: of two that are not refused, one only is
            taken; None while it is not read, and once it was refused.
        manifest_sha256: of the manifest, by which the same transfer is known whatever program packed it.
        agreement_id: the agreement that it came under.
        code: the reply code: ``000`` accepted, ``001`` accepted with remarks, others refused.
        comment: what the archivist said with it.
        decided_by: who accepted or refused it: a person, or the platform under an automatic agreement.
    """

    __tablename__ = "archive_transfer"
    __table_args__ = (
        Index("archive_transfer_identity", "organisation_id", "identity", unique=True),
        Index("archive_transfer_agreement", "agreement_id", "dossier_id"),
    )

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26)
    agreement_id: str | None = Field(default=None, foreign_key=f"{ArchiveAgreement.__tablename__}.id", max_length=26)
    identity: str | None = Field(default=None, max_length=64)
    identifier: str = Field(default="", max_length=255)
    version: str = Field(default="", max_length=5)
    transferring_agency: str = Field(default="", max_length=100)
    originating_agency: str = Field(default="", max_length=100)
    manifest_sha256: str | None = Field(default=None, max_length=64)
    units: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    objects: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    size: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    code: str | None = Field(default=None, max_length=3)
    comment: str = Field(default="", max_length=1000)
    decided: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    decided_by: str | None = Field(default=None, max_length=40)
