"""Invoices that the organisation issues, over the API: where one stands at Chorus Pro, an uncertain deposit, an answer.

They are deposited as any document is: ``POST /v1/dossiers`` with the flow ``sales``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from api.v1.access import Caller, Parts
from api.v1.bodies import described, said_in
from api.words import label
from connectors.chorus.statuses import word
from core import uploads
from core.principal import Right
from flows.document.intake import media_type_of
from flows.engine import reading as dossiers
from flows.engine.models import Dossier
from flows.engine.work import KeptFile
from flows.invoices.issued import deciding, keeping
from flows.invoices.issued.deciding import LONGEST_COMMENT, MOST_PIECES
from flows.invoices.issued.flow import SALES
from flows.invoices.issued.models import IssuedInvoice
from flows.invoices.models import InvoiceStep

router = APIRouter(prefix="/v1", tags=["Factures émises"])
SaleId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of its dossier, of 26 characters.")]
_CONFIG = ConfigDict(extra="forbid")
_Upload = Annotated[str, Field(pattern="^[0-9A-Z]{26}$", description="Identifier of a finished upload.")]


class SaleStatus(BaseModel):
    """A status that an issued invoice went through at Chorus Pro."""

    status: str
    label: str
    moment: datetime
    comment: str

    @classmethod
    def of(cls, step: InvoiceStep) -> Self:
        """Show a step."""
        return cls(status=step.code, label=word(step.code), moment=step.moment, comment=step.comment)


class SaleShape(BaseModel):
    """An issued invoice; amounts are texts with two decimals."""

    id: str
    organisation_id: str
    state: str = Field(description="Name of the state in the flow’s table.")
    label: str = Field(description="The state in words, in the language of the request.")
    number: str
    recipient: str = Field(description="SIRET of the buyer.")
    recipient_name: str
    issued: date | None
    gross: Decimal | None
    currency: str
    file_name: str = Field(description="Under which it is deposited at Chorus Pro.")
    deposit: str = Field(description="Number of its deposit at Chorus Pro; empty until it is known.")
    chorus_id: int | None = Field(description="What Chorus Pro knows it by, on our side.")
    status: str = Field(description="At Chorus Pro; empty until it is taken.")
    comment: str = Field(description="What was said with that status: why it was suspended or rejected.")
    statuses: list[SaleStatus]

    @classmethod
    def of(cls, session: Session, dossier: Dossier, invoice: IssuedInvoice) -> Self:
        """Show an issued invoice as a session sees it."""
        steps = select(InvoiceStep).where(InvoiceStep.dossier_id == dossier.id).order_by(col(InvoiceStep.id))
        told = [SaleStatus.of(one) for one in session.exec(steps)]
        kept = invoice.model_dump(include=set(cls.model_fields) - {"id", "state", "label", "statuses"})
        shown = label(f"state.{dossier.state}", SALES.name)
        return cls(id=dossier.id, state=dossier.state, label=shown, statuses=told, **kept)


class Decision(StrEnum):
    """What becomes of an uncertain deposit."""

    AGAIN = "again"
    KNOWN = "known"
    GIVEN_UP = "given_up"


class DecisionAsked(BaseModel):
    """What somebody decides of an uncertain deposit."""

    model_config = _CONFIG

    decision: Decision = Field(description="again: Chorus Pro does not have it; known: it has, under `deposit`; given_up.")
    deposit: str = Field("", max_length=60, description="With known: its number, as the portal of Chorus Pro shows it.")


class AnswerAsked(BaseModel):
    """The answer to a suspension."""

    model_config = _CONFIG

    comment: str = Field(min_length=1, max_length=LONGEST_COMMENT, description="For the recipient.")
    pieces: list[_Upload] = Field(default_factory=list, max_length=MOST_PIECES, description="Uploads of supporting pieces.")


def _followed(platform: Parts, caller: Caller, sale_id: SaleId) -> IssuedInvoice:
    with platform.database.reading(caller) as session:
        invoice = keeping.found_in(session, sale_id)
    caller.require(Right.DEPOSIT, invoice.organisation_id)
    return invoice


Followed = Annotated[IssuedInvoice, Depends(_followed)]
"""The invoice of the path; who may not deposit for its organisation is told so before the body is looked at."""


@router.get("/sales/{sale_id}", summary="Show an issued invoice")
def shown(platform: Parts, caller: Caller, sale_id: SaleId) -> SaleShape:
    """Return where an issued invoice stands at Chorus Pro; 404 once it came to nothing: its dossier says why."""
    with dossiers.opened(platform.database, caller) as session:
        dossier = dossiers.seen(session, sale_id).dossier
        return SaleShape.of(session, dossier, keeping.found_in(session, sale_id))


@router.post(
    "/sales/{sale_id}/deposit", status_code=204, summary="Decide of an uncertain deposit", openapi_extra=described(DecisionAsked)
)
def decided(platform: Parts, caller: Caller, sale: Followed, asked: Annotated[DecisionAsked, said_in(DecisionAsked)]) -> None:
    """Say what becomes of a deposit whose answer was lost, once somebody has looked at the portal of Chorus Pro.

    409 unless the deposit is uncertain; also for `again` within half an hour of it, when nobody can know yet.
    """
    if asked.decision is Decision.AGAIN:
        deciding.send_again(platform, caller, sale.dossier_id)
    elif asked.decision is Decision.KNOWN:
        deciding.recognise(platform, caller, sale.dossier_id, asked.deposit)
    else:
        deciding.give_up(platform, caller, sale.dossier_id)


@router.post(
    "/sales/{sale_id}/completion",
    status_code=202,
    summary="Answer the suspension of an issued invoice",
    openapi_extra=described(AnswerAsked),
)
def completed(platform: Parts, caller: Caller, sale: Followed, asked: Annotated[AnswerAsked, said_in(AnswerAsked)]) -> SaleShape:
    """Tell the recipient what was missing, with supporting pieces; Chorus Pro has it within moments.

    409 unless the invoice is suspended, 422 when an antivirus found something in a piece.
    """
    with uploads.using(platform, caller, sale.organisation_id, asked.pieces) as found:
        pieces = [KeptFile("", one.name, media_type_of(one.name), one.sha256 or "", one.size) for one in found]
        deciding.complete(platform, caller, sale.dossier_id, asked.comment, pieces)
    with platform.database.reading(caller) as session:  # who may answer may be told what became of it
        return SaleShape.of(session, session.get_one(Dossier, sale.dossier_id), keeping.found_in(session, sale.dossier_id))
