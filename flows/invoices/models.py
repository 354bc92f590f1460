"""What INVOICES keeps beside the dossier: the invoice as Chorus Pro tells it, what is to be told there, the hand-over."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, Numeric, text
from sqlmodel import Field

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.identifiers import new_id


class ReceivedInvoice(Owned, table=True):
    """An invoice received through Chorus Pro: one dossier for its whole life, whatever comes back to it.

    Attributes:
        environment, chorus_id: what Chorus Pro knows it by; kept once on the whole platform, whichever account finds it.
        account_id: the organisation through whose technical account it is spoken of.
        kind: ``connectors.chorus.answers.Kind``: by which search it is found.
        type: in Chorus Pro's words: FACTURE, AVOIR…
        number: as the supplier wrote it.
        supplier, supplier_name: identifier, mostly a SIRET, and name.
        structure, recipient: the structure it is for: its ``idStructureCPP`` and its SIRET.
        service_code, service_name: *service exécutant*; empty when there is none.
        engagement, contract: *numéro d'engagement*, *numéro de marché*.
        issued, deposited: the day it bears; the moment it came to Chorus Pro.
        net, gross, payable: amounts in ``currency``.
        status, moved: at Chorus Pro, and since when; codes are kept as they come.
        cycle: 1, and one more each time that its supplier completed it after a suspension.
        available: when the term of payment began (*mise à disposition*, R2192-12 of the code de la commande publique).
        due: the day on which that term ends; None while it is stopped, or once it is paid or rejected.
        late_from: ``due`` while nobody has mandated it, for the list of what is late.
        mandate: number of the *mandat*, once it is known.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        Index("invoice_once", "environment", "chorus_id", unique=True),
        Index("invoice_number", "organisation_id", "number"),
        Index("invoice_supplier", "organisation_id", "supplier"),
        Index("invoice_late", "organisation_id", "late_from"),
        Index("invoice_status", "organisation_id", "status"),
    )

    dossier_id: str = Field(foreign_key="dossier.id", primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    account_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    environment: str = Field(max_length=12)
    chorus_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    kind: str = Field(max_length=20)
    type: str = Field(default="", max_length=60)
    number: str = Field(max_length=100)
    supplier: str = Field(default="", max_length=80)
    supplier_name: str = Field(default="", max_length=200)
    structure: int | None = Field(default=None, sa_column=Column(BigInteger))
    recipient: str = Field(default="", max_length=80)
    service_code: str = Field(default="", max_length=100)
    service_name: str = Field(default="", max_length=200)
    engagement: str = Field(default="", max_length=100)
    contract: str = Field(default="", max_length=100)
    issued: date | None = None
    deposited: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    net: Decimal | None = Field(default=None, sa_column=Column(Numeric(19, 2)))
    gross: Decimal | None = Field(default=None, sa_column=Column(Numeric(19, 2)))
    payable: Decimal | None = Field(default=None, sa_column=Column(Numeric(19, 2)))
    currency: str = Field(default="EUR", max_length=3)
    status: str = Field(max_length=60)
    moved: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    cycle: int = Field(default=1, sa_column=Column(Integer, nullable=False))
    available: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    due: date | None = None
    late_from: date | None = None
    mandate: str = Field(default="", max_length=50)


class InvoiceStep(Owned, table=True):
    """A status that an invoice went through at Chorus Pro. Who set it is not kept: it is a person.

    Attributes:
        moment: as Chorus Pro tells it: to the minute, sometimes to the day.
        seen: when we learnt of it.
    """

    __tablename__ = "invoice_step"
    __table_args__ = (Index("invoice_step_once", "dossier_id", "code", "moment", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    code: str = Field(max_length=60)
    moment: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    comment: str = Field(default="", max_length=2000)
    seen: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))


class TargetState(StrEnum):
    """Where a status that is to be told stands.

    TELLING: the call is about to be made, or was made and its answer lost: Chorus Pro is read before anything else is done.
    DROPPED: the invoice had come as far, or further, by another way (Hélios tells by itself), or could not go there.
    REFUSED: Chorus Pro said no; a person is shown why.
    """

    DUE = "due"
    TELLING = "telling"
    TOLD = "told"
    DROPPED = "dropped"
    REFUSED = "refused"


class InvoiceTarget(Owned, table=True):
    """A status to tell Chorus Pro; those of an invoice are told one by one, in the order of their identifiers.

    Attributes:
        status: one of ``connectors.chorus.statuses.SENDABLE``.
        reason: in words, for the supplier; compulsory to reject or suspend.
        reason_code: coded (XP Z12-012, MDT-113), kept beside the words.
        mandate: number of the *mandat*, with MANDATEE only.
        actor: who asked; ``platform`` for what follows from a decision.
        trouble: why it was dropped or refused, or could not be told yet.
        not_before: until then nobody takes it in hand: somebody has, or it made trouble a moment ago.
        telling: since when it is TELLING: what Chorus Pro is seen to have had since then, we may have told it.
        told: when Chorus Pro took it, or was seen to have it.
    """

    __tablename__ = "invoice_target"
    __table_args__ = (Index("invoice_target_of_dossier", "dossier_id", "id"), Index("invoice_target_state", "state"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    status: str = Field(max_length=60)
    reason: str = Field(default="", max_length=255)
    reason_code: str = Field(default="", max_length=40)
    mandate: str = Field(default="", max_length=50)
    state: str = Field(default=TargetState.DUE.value, max_length=10)
    actor: str = Field(max_length=40)
    trouble: str | None = Field(default=None, max_length=1000)
    asked: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    not_before: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    telling: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    told: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class HandoverState(StrEnum):
    """Where a hand-over stands. OFFERED: delivered, or ready to be fetched, and not acknowledged yet."""

    OFFERED = "offered"
    TAKEN = "taken"
    REFUSED = "refused"


class Handover(Owned, table=True):
    """An invoice handed to the finance software: once for each cycle, provable, acknowledged.

    Attributes:
        channel: by which way: ``pull``, ``sftp``, ``folder``, ``webhook``.
        offer: 1, and one more each time that it is offered again after the software refused it.
        delivery: name under which it is delivered; the same for the same offer, so that a repeat overwrites nothing.
        sha256: of what was delivered; None for ``pull``.
        software_reference: what the software knows it by, when it says so.
        reason: why the software refused it.
        offered, answered: when.
    """

    __tablename__ = "invoice_handover"
    __table_args__ = (
        Index("invoice_handover_delivery", "delivery"),
        Index("invoice_handover_once", "dossier_id", "cycle", unique=True),
        Index("invoice_handover_open", "organisation_id", "id", postgresql_where=text("state = 'offered'")),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str = Field(foreign_key="dossier.id", max_length=26)
    cycle: int = Field(sa_column=Column(Integer, nullable=False))
    offer: int = Field(default=1, sa_column=Column(Integer, nullable=False))
    channel: str = Field(max_length=10)
    delivery: str = Field(max_length=100)
    sha256: str | None = Field(default=None, max_length=64)
    state: str = Field(default=HandoverState.OFFERED.value, max_length=10)
    software_reference: str = Field(default="", max_length=100)
    reason: str = Field(default="", max_length=1000)
    offered: datetime = Field(default_factory=clock.now, sa_column=Column(UtcDateTime, nullable=False))
    answered: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ChorusExchange(Owned, table=True):
    """Evidence of one call to Chorus Pro: see ``connectors.chorus.evidence.Exchange``. No secret, no file, no person's name.

    Attributes:
        dossier_id: the invoice it was about; None for a search.
    """

    __tablename__ = "chorus_exchange"
    __table_args__ = (Index("chorus_exchange_of_dossier", "dossier_id", "id"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    organisation_id: str = Field(foreign_key="organisation.id", max_length=26, index=True)
    dossier_id: str | None = Field(default=None, foreign_key="dossier.id", max_length=26)
    service: str = Field(max_length=100)
    moment: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    request: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JsonValue, nullable=False))
    status: int
    code: int | None = Field(default=None, sa_column=Column(BigInteger))
    wording: str = Field(default="", max_length=500)
    correlation: str = Field(default="", max_length=200)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str = Field(max_length=64)


class Watch(Owned, table=True):
    """How far the search for invoices of an organisation's account has come.

    Attributes:
        through: day of change of status up to which everything was found; searches overlap it.
        succeeded: when the last search that came to its end had begun.
        trouble: why the last one did not; None when it did.
    """

    __tablename__ = "invoice_watch"

    organisation_id: str = Field(foreign_key="organisation.id", primary_key=True, max_length=26)
    through: date | None = None
    succeeded: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    trouble: str | None = Field(default=None, max_length=1000)
