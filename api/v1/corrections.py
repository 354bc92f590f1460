"""Corrections over the API: the rules of a sealed record put right; listed, shown, made where they close it or keep it longer.

What loosens the rules is proposed by a person and agreed to by another, on the pages: software is refused.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from api.tenants import holding
from api.v1.access import Caller, Parts
from api.v1.bodies import described, said_in
from archive.correction import correcting
from archive.correction.correcting import LONGEST_REASON, Access, Retention, Wanted
from archive.correction.models import CorrectionState, RecordCorrection
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.reading import counted
from schemas.seda.model import FinalAction

router = APIRouter(prefix="/v1", tags=["Archives"])
PATH = "/v1/corrections"
_messages = Catalogue("archive.correction")
CorrectionId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]
_RULE = Field(min_length=1, max_length=40, description="Identifier in the referential; the version in force counts.")


class AccessAsked(BaseModel):
    """How long a record is to be hidden."""

    model_config = ConfigDict(extra="forbid")

    rule: str = _RULE
    start: date | None = Field(description="The day from which the delay counts; null closes the record without an end.")


class RetentionAsked(BaseModel):
    """How long a record is to be kept."""

    model_config = ConfigDict(extra="forbid")

    rule: str = _RULE
    start: date = Field(description="The day from which the retention counts.")
    final_action: FinalAction | None = Field(None, description="What happens then; what the rule says when not given.")


class CorrectionAsked(BaseModel):
    """A correction to be made; what is not given stays as it is."""

    model_config = ConfigDict(extra="forbid")

    record: str = Field(min_length=1, max_length=26, description="Identifier of the record.")
    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Put under lock with the correction; not in the journal."
    )
    access: AccessAsked | None = None
    retention: RetentionAsked | None = None

    def wanted(self) -> Wanted:
        """Return what is to be corrected."""
        access = Access(self.access.rule, self.access.start) if self.access else None
        kept = self.retention
        retention = Retention(kept.rule, kept.start, kept.final_action) if kept else None
        return Wanted(self.reason, access, retention)


class TermsShape(BaseModel):
    """What a record says of how long it is kept and hidden; as the record itself."""

    rule: str
    final_action: str
    keep_until: date | None
    access: str
    open_from: date | None


class CorrectionShape(BaseModel):
    """A correction."""

    id: str
    organisation: str = Field(description="Identifier.")
    record: str = Field(description="Identifier of the record.")
    state: CorrectionState = Field(description="`proposed` waits for another person; `applied`: the record says it.")
    before: TermsShape
    after: TermsShape
    kept_from: date | None = Field(description="From which day the retention counts, where it is corrected.")
    hidden_from: date | None = Field(description="From which day the access delay counts, where it is corrected.")
    reason: str
    proposed: datetime
    proposed_by: str
    decided: datetime | None = Field(description="When it was applied or given up; null while it waits.")
    decided_by: str | None = Field(description="Whoever made it, where one person is enough.")
    statement: str | None = Field(description="SHA-256 of the decision under lock; null of one that was not applied.")

    @classmethod
    def of(cls, row: RecordCorrection) -> Self:
        """Show a correction."""
        said = row.model_dump(include=set(cls.model_fields) - {"statement"})
        return cls(**said, organisation=row.organisation_id, record=row.record_id, statement=row.digest)


class CorrectionPage(BaseModel):
    """A page of corrections."""

    corrections: list[CorrectionShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="For `cursor`; null on the last page.")


@router.get("/corrections", summary="List corrections")
def listed(
    platform: Parts,
    caller: Caller,
    record: Annotated[str, Query(max_length=26, description="Identifier of a record.")] = "",
    state: Annotated[CorrectionState | None, Query()] = None,
    cursor: Annotated[str, Query(max_length=26, description="From `next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> CorrectionPage:
    """Return a page of corrections, newest first, where the caller manages the archives."""
    wanted = select(RecordCorrection)
    if record:
        wanted = wanted.where(RecordCorrection.record_id == record)
    if state is not None:
        wanted = wanted.where(RecordCorrection.state == state.value)
    query = wanted.where(col(RecordCorrection.id) < cursor) if cursor else wanted
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(query.order_by(col(RecordCorrection.id).desc()).limit(limit + 1)).all()
        total, exact = counted(session, wanted)
    shapes = [CorrectionShape.of(row) for row in found[:limit]]
    after = shapes[-1].id if len(found) > limit else None
    return CorrectionPage(corrections=shapes, total=total, total_exact=exact, next=after)


@router.post(
    "/corrections",
    status_code=201,
    summary="Correct the rules of a record",
    openapi_extra=described(CorrectionAsked),
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
)
def made(
    response: Response, platform: Parts, caller: Caller, asked: Annotated[CorrectionAsked, said_in(CorrectionAsked)]
) -> CorrectionShape:
    """Close a record, or keep it longer; a repeat is refused, since the record says so already.

    403 where it would be open earlier, kept for less long, or destroyed instead of kept: two persons decide that on the pages.
    409 when it was destroyed, or is on a list of eliminations that has its visa.
    """
    identifier = correcting.correct(platform, caller, asked.record, asked.wanted())
    response.headers["Location"] = f"{PATH}/{identifier}"
    return _one(platform, caller, identifier)


@router.get("/corrections/{correction_id}", summary="Show a correction")
def one(platform: Parts, caller: Caller, correction_id: CorrectionId) -> CorrectionShape:
    """Return a correction."""
    return _one(platform, caller, correction_id)


def _one(platform: Platform, caller: Principal, correction_id: str) -> CorrectionShape:
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(select(RecordCorrection).where(RecordCorrection.id == correction_id)).first()
    if found is None:
        raise NotFound(_messages("unknown"))
    return CorrectionShape.of(found)
