"""What the operator and each organisation configure to receive invoices."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.chorus.answers import Kind
from connectors.finance.settings import FolderPlace, SftpPlace, WebhookPlace
from core.messages import Catalogue

_messages = Catalogue("flows.invoices")
OPERATOR = "chorus.operator"
"""``connectors.chorus.settings.ChorusOperator``, at the root of the platform."""
ACCOUNT = "chorus.account"
"""``connectors.chorus.settings.ChorusAccount``, of one organisation: it ties invoices to it, and is never inherited."""
RECEPTION = "invoices.reception"
VISA = "invoices.visa"
HANDOVER = "invoices.handover"

_CONFIG = ConfigDict(frozen=True, extra="forbid")
Ulid = Annotated[str, Field(min_length=26, max_length=26)]


class InvoiceReception(BaseModel):
    """What is fetched through an account, and what Chorus Pro is told by itself."""

    model_config = _CONFIG

    open: bool = Field(True, description="Whether invoices are fetched.")
    since: date = Field(description="Day of deposit from which invoices are fetched: earlier ones are not taken.")
    structures: tuple[int, ...] = Field(
        (), max_length=500, description="Structures (idStructureCPP) whose invoices are fetched; all of the account's when empty."
    )
    kinds: tuple[Kind, ...] = Field((Kind.INVOICE, Kind.WORKS_PAYMENT), min_length=1, description="Kinds that are searched for.")
    overlap_days: int = Field(3, ge=1, le=60, description="Days that each search goes back over what the last one found.")
    term_days: int = Field(30, ge=1, le=120, description="Term of payment, in days: 30, or 50 for public health bodies.")
    tell: bool = Field(True, description="Whether decisions taken here are told to Chorus Pro.")


class VisaRoute(BaseModel):
    """Into which circuit invoices of some services or commitments go, sent by which desk.

    A condition that is empty holds for all; the first route that holds is taken.
    """

    model_config = _CONFIG

    service: str = Field("", max_length=100, description="Code service.")
    engagement: str = Field("", max_length=50, description="First characters of the numéro d’engagement.")
    subtype: Ulid = Field(description="Identifier of the subtype.")
    emitter: Ulid = Field(description="Identifier of the desk that sends.")


class InvoiceVisa(BaseModel):
    """Who gives the visa « service fait » on invoices; none is asked for when no route holds."""

    model_config = _CONFIG

    routes: tuple[VisaRoute, ...] = Field((), max_length=500, description="In this order.")


class Channel(StrEnum):
    """By which way the finance software is given invoices."""

    PULL = "pull"
    """It asks for them (API, Pastell façade)."""
    SFTP = "sftp"
    FOLDER = "folder"
    WEBHOOK = "webhook"


class Form(StrEnum):
    """In what form an invoice is handed over."""

    PIVOT = "pivot"
    ORIGINAL = "original"
    PDF = "pdf"
    """The one that people read."""
    PIECES = "pieces"
    """Supporting pieces, one by one; those that are held to be dangerous stay here."""


class InvoiceHandover(BaseModel):
    """By which way the finance software is given invoices; it asks for them where nothing is configured."""

    model_config = _CONFIG

    channel: Channel = Field(Channel.PULL, description="pull, sftp, folder or webhook.")
    forms: tuple[Form, ...] = Field(
        (Form.PIVOT,), min_length=1, max_length=4, description="What is delivered over sftp and into a folder."
    )
    sftp: SftpPlace | None = Field(None, description="With sftp.")
    folder: FolderPlace | None = Field(None, description="With folder.")
    webhook: WebhookPlace | None = Field(None, description="With webhook.")

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.channel is not Channel.PULL and getattr(self, self.channel.value) is None:
            raise ValueError(_messages("handover.where", channel=self.channel.value))
        return self

    @property
    def place(self) -> SftpPlace | FolderPlace | None:
        """Where deliveries are put, and answers found; None when they are not put anywhere."""
        return {Channel.SFTP: self.sftp, Channel.FOLDER: self.folder}.get(self.channel)

    @property
    def host(self) -> str | None:
        """Where the software is reached; None when it is not."""
        if self.webhook is not None and self.channel is Channel.WEBHOOK:
            return self.webhook.target().host
        return self.sftp.host if self.sftp is not None and self.channel is Channel.SFTP else None
