"""What is composed of an act, over the API: the docket of its acknowledgement, and its budget as figures and to print."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Self

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api import downloads
from api.acts import papers
from api.acts.finding import Whole, whole
from api.v1.access import Caller, Parts
from api.v1.act_sending import ActId
from core.platform import Platform
from core.principal import Principal
from flows.engine import reading
from schemas.budget.model import BudgetDocument
from schemas.budget.rules import facts_of

router = APIRouter(prefix="/v1", tags=["Actes"])
_PDF = "application/pdf"
_GIVEN: dict[int | str, dict[str, Any]] = {200: {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}}}


class AmountsShape(BaseModel):
    """Sums of lines, in euros, as decimal texts."""

    previous: Decimal = Field(description="Budget before.")
    carried_over: Decimal = Field(description="Restes à réaliser of the year before.")
    proposed: Decimal
    voted: Decimal
    opened: Decimal = Field(description="Credits open, where the file says them.")
    achieved: Decimal
    remaining: Decimal = Field(description="Restes à réaliser on 31 December.")


class ChapterShape(AmountsShape):
    """The sums of a chapter of a section, in one sense."""

    section: str = Field(description="F functioning, I investment, ? when the file does not tell.")
    sense: str = Field(description="D expense, R receipt, ? when the file does not tell.")
    chapter: str | None = Field(description="Null for lines without one.")
    accounts: str | None = Field(description="How the accounts of lines without a chapter begin.")
    label: str | None = Field(description="What most accounting plans call it, in the language of the request.")


class SectionShape(BaseModel):
    """What a section comes to, in euros; totals are what is voted and carried over."""

    expenses: AmountsShape
    receipts: AmountsShape
    order_expenses: AmountsShape
    order_receipts: AmountsShape
    total_expenses: Decimal
    total_receipts: Decimal
    balance: Decimal = Field(description="Receipts less expenses.")
    balanced: bool
    result: Decimal = Field(description="Receipts less expenses achieved.")


class GapShape(BaseModel):
    """Two sums of a vote that should be equal."""

    kind: str = Field(description="section, between (order operations of two sections) or within (one section).")
    section: str
    expenses: Decimal
    receipts: Decimal


class OneBudgetShape(BaseModel):
    """One budget, principal or annex."""

    name: str | None
    siret: str | None
    nomenclature: str | None
    type: str | None = Field(description="P principal, A annex.")
    decision: str | None = Field(description="01, 02, 03 votes; 09, 10 accounts.")
    decision_label: str
    number: str | None = Field(description="Of a décision modificative.")
    year: int | None
    project: bool = Field(description="A draft, not voted yet.")
    decided: date | None
    lines: int
    sections: dict[str, SectionShape] = Field(description="By name: functioning, investment.")
    gaps: list[GapShape] = Field(description="What does not balance in a vote.")
    chapters: list[ChapterShape]
    summary: list[str] = Field(description="In words, in the language of the request.")


class SealShape(BaseModel):
    """The seal of the file."""

    form: str | None = Field(description="as-is or re-indented: the form that matches; null when none does.")
    date: str | None = Field(description="As written; nothing protects it.")
    md5: str | None
    sha1: str | None


class BudgetShape(BaseModel):
    """The budget of an act, gathered by chapter: a reading of its file, which alone is authentic."""

    document: str = Field(description="DocumentBudgetaire or CompteFinancierUnique.")
    editor: str | None
    tools: dict[str, str] = Field(description="Versions of the State’s tool that it went through.")
    seal: SealShape
    signatures: int = Field(description="XML signatures in the file; they are not verified here.")
    accounting_lines: int = Field(description="Of the accountant’s part of a compte financier unique; they are not read.")
    budgets: list[OneBudgetShape]

    @classmethod
    def of(cls, document: BudgetDocument) -> Self:
        """Show a budget."""
        return cls.model_validate(facts_of(document))


@router.get(
    "/acts/{act_id}/acknowledgement.pdf",
    summary="The docket of the acknowledgement (bordereau d’acquittement)",
    response_class=Response,
    responses=_GIVEN,
)
def docket(platform: Parts, caller: Caller, act_id: ActId) -> Response:
    """Return the docket of an act, once the State has acknowledged it (409 before)."""
    return downloads.copy(*papers.docket_of(platform, _seen(platform, caller, act_id)), _PDF)


@router.get("/acts/{act_id}/budget", summary="The budget of an act as figures")
def budget(platform: Parts, caller: Caller, act_id: ActId) -> BudgetShape:
    """Return what the budget of an act comes to; 404 when it has none in XML, 409 when that cannot be read."""
    return BudgetShape.of(papers.budget_of(platform, _seen(platform, caller, act_id)))


@router.get("/acts/{act_id}/budget.pdf", summary="The budget of an act, to print", response_class=Response, responses=_GIVEN)
def presentation(platform: Parts, caller: Caller, act_id: ActId) -> Response:
    """Return the presentation of the budget of an act: sections, chapters, totals, balance, seal."""
    return downloads.copy(*papers.presentation_of(platform, _seen(platform, caller, act_id)), _PDF)


def _seen(platform: Platform, caller: Principal, act_id: str) -> Whole:
    with reading.opened(platform.database, caller) as session:
        return whole(session, act_id)
