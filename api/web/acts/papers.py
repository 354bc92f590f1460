"""What is composed of an act, to be taken away: the docket of its acknowledgement, its budget to print, the whole in one ZIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from api import downloads
from api.acts import bundle, papers
from api.acts.finding import Whole, whole
from api.web.visitor import Parts, SignedIn, Visitor
from core.errors import TabellionError
from core.platform import Platform
from flows.actes.budget.page import Glance, glance_of
from flows.engine import reading

router = APIRouter()
Identifier = Annotated[str, Path(pattern="^[0-9A-Z]{26}$")]
_PDF = "application/pdf"
_BUDGETS = 12


@dataclass(frozen=True, slots=True)
class BudgetShown:
    """The budget of an act as its page shows it.

    Attributes:
        glance: None when it is not at hand, or cannot be read.
        trouble: why it cannot be read.
    """

    glance: Glance | None
    trouble: str = ""


def budget_shown(platform: Platform, found: Whole) -> BudgetShown | None:
    """Return the budget of an act for its page, with its first budgets; None for an act that has none."""
    kept = papers.budget_file(found)
    if kept is None:
        return None
    if not papers.is_at_hand(platform, kept):
        return BudgetShown(None)
    try:
        return BudgetShown(glance_of(papers.budget_of(platform, found), _BUDGETS))
    except TabellionError as error:  # the page tells the rest of the act
        return BudgetShown(None, str(error))


@router.get("/actes/{act_id}/bordereau.pdf")
def docket(platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Give the docket of the acknowledgement of an act."""
    return downloads.copy(*papers.docket_of(platform, _seen(platform, visitor, act_id)), _PDF)


@router.get("/actes/{act_id}/budget.pdf")
def budget(platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Give the budget of an act as people read it."""
    return downloads.copy(*papers.presentation_of(platform, _seen(platform, visitor, act_id)), _PDF)


@router.get("/actes/{act_id}/dossier.zip")
def everything(platform: Parts, visitor: SignedIn, act_id: Identifier) -> Response:
    """Give the whole of an act as one ZIP."""
    return bundle.bundle_of(platform, _seen(platform, visitor, act_id))


def _seen(platform: Platform, visitor: Visitor, act_id: str) -> Whole:
    with reading.opened(platform.database, visitor.principal) as session:
        return whole(session, act_id)
