"""What SALES keeps beside the dossier: the invoice, the deposit that it left by, and what Chorus Pro says of it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Index, Numeric
from sqlmodel import Field

from core import clock
from core.database import Owned, UtcDateTime


class IssuedInvoice(Owned, table=True):
    """An invoice that the organisation issues; made once it is found sound, gone when it comes to nothing: its number is free.

    Attributes:
        environment: of Chorus Pro; the number is used once there.
        number, supplier: BT-1, and the SIREN of the seller.
        recipient, recipient_name: SIRET and name of the buyer.
        service_code, engagement, contract: BT-10, BT-13, BT-12.
        issued: the day it bears; ``gross`` its total with taxes, in ``currency``.
        file_name: under which it is deposited: the same for the same content.
        deposit: number of the deposit at Chorus Pro; empty until it is known.
        chorus_id: what Chorus Pro knows the invoice by, on the side of its supplier; None until it is taken.
        status, moved, comment: at Chorus Pro, since when, and what was said then; codes are kept as they come.
        looked: when Chorus Pro was last asked about it.
    """

    __tablename__ = "issued_invoice"
    __table_args__ = (
        Index("issued_invoice_once", "organisation_id", "environment", "supplier", "number", unique=True),
        Index("issued_invoice_looked", "organisation_id", "looked"),
    )

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    environment: str = Field(max_length=12)
    number: str = Field(max_length=100)
    supplier: str = Field(max_length=80)
    recipient: str = Field(max_length=80)
    recipient_name: str = Field(default="", max_length=200)
    service_code: str = Field(default="", max_length=100)
    engagement: str = Field(default="", max_length=100)
    contract: str = Field(default="", max_length=100)
    issued: date | None = None
    gross: Decimal | None = Field(default=None, sa_column=Column(Numeric(19, 2)))
    currency: str = Field(default="EUR", max_length=3)
    file_name: str = Field(max_length=200)
    deposit: str = Field(default="", max_length=60)
    chorus_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    status: str = Field(default="", max_length=60)
    moved: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    comment: str = Field(default="", max_length=2000)
    looked: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
