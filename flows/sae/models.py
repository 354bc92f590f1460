"""What is known of a transfer to an archive service outside, beside its dossier, whose state says where it stands."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index
from sqlmodel import Field

from core import clock
from core.database import Owned, UtcDateTime


class SaeTransfer(Owned, table=True):
    """A record that is handed over.

    Attributes:
        account: the organisation whose settings it left by; empty until it leaves.
        system: ``asalae`` or ``vitam``; empty until it leaves.
        identifier: of the transfer as it was last sent: a new one each time.
        reference: what the service knows it by, where that is not the identifier: Vitam's operation.
        cote: what the service calls the archive; empty until it accepts.
        code: of its last reply; empty until there is one.
        looked: when the service was last asked about it.
    """

    __tablename__ = "sae_transfer"
    __table_args__ = (Index("sae_transfer_looked", "account", "looked"),)

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    record_id: str = Field(foreign_key="record.id", max_length=26, index=True)
    account: str = Field(default="", max_length=26)
    system: str = Field(default="", max_length=10)
    identifier: str = Field(default="", max_length=60)
    reference: str = Field(default="", max_length=60)
    cote: str = Field(default="", max_length=255)
    code: str = Field(default="", max_length=20)
    sent: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    settled: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    looked: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
