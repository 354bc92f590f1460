"""What HELIOS keeps beside the dossier: every file that the gateway gave us, matched or not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field

from core import clock
from core.database import Owned, UtcDateTime
from core.identifiers import new_id


class HeliosResponse(Owned, table=True):
    """A file received from the DGFiP's gateway.

    Attributes:
        organisation_id: the organisation it was matched to; until then, the one whose gateway it came through.
        gateway_id: the organisation whose gateway it came through.
        modified: when it was last written, by the gateway's clock: a name and a size may serve again. None where nobody noted it.
        reference: of an acquit, NomFic and CodCol; of a return, the SIRET of the budget, empty where it names none.
        dossier_id: the dossier that it answers, that of a return its own; None while none is known, which an operator is shown.
        flaw: why it cannot be applied; None when it was, or can be later.
        applied: whether its dossier has heard it.
    """

    __tablename__ = "helios_response"
    __table_args__ = (Index("helios_response_once", "gateway_id", "name", "sha256", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    gateway_id: str = Field(foreign_key="organisation.id", max_length=26)
    name: str = Field(max_length=255)
    sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    modified: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    kind: str = Field(max_length=30)
    reference: str | None = Field(default=None, max_length=200)
    dossier_id: str | None = Field(default=None, max_length=26, index=True)
    flaw: str | None = Field(default=None, max_length=1000)
    applied: bool = False
    received: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
