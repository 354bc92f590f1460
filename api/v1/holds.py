"""Holds over the API: records that nobody destroys until the hold is lifted; listed, put, lifted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from api.tenants import holding, organisation_named
from api.v1.access import Caller, Parts
from archive.retention import holds
from archive.retention.holds import LONGEST_OWNER, LONGEST_REASON, MOST, Wanted
from archive.retention.models import RecordHeld, RecordHold
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right

router = APIRouter(prefix="/v1", tags=["Archives"])
_messages = Catalogue("archive.retention")
HoldId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]


class HoldAsked(BaseModel):
    """A hold to be put."""

    model_config = ConfigDict(extra="forbid")

    organisation: str = Field(
        max_length=26, description="SIREN, SIRET or identifier: its records, or those of services below it."
    )
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Put under lock with the hold; not in the journal.")
    owner: str = Field(min_length=1, max_length=LONGEST_OWNER, description="The service or function that answers for it.")
    review: date = Field(description="The day on which somebody is to look whether it must stand any longer.")
    records: list[str] = Field(min_length=1, max_length=MOST, description="Identifiers of the records.")


class HoldShape(BaseModel):
    """A hold."""

    id: str
    organisation: str = Field(description="Identifier.")
    reason: str
    owner: str
    review: date
    placed: datetime
    placed_by: str
    lifted: datetime | None = Field(description="When it was lifted; null while it stands.")
    lifted_by: str | None
    records: list[str] = Field(description="Identifiers of the records.")
    told: bool = Field(description="Every place of the archive knows it: it stands from `placed` on, whether they do or not.")


class HoldPage(BaseModel):
    """A page of holds."""

    holds: list[HoldShape]
    next: str | None = Field(description="For `cursor`; null on the last page.")


@router.get("/holds", summary="List holds")
def listed(
    platform: Parts,
    caller: Caller,
    standing: Annotated[bool, Query(description="Those that stand; false: those that were lifted.")] = True,
    cursor: Annotated[str, Query(max_length=26, description="From `next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> HoldPage:
    """Return a page of holds, newest first, where the caller manages the archives."""
    lifted = col(RecordHold.lifted)
    query = select(RecordHold).where(lifted.is_(None) if standing else lifted.is_not(None))
    if cursor:
        query = query.where(col(RecordHold.id) < cursor)
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(query.order_by(col(RecordHold.id).desc()).limit(limit + 1)).all()
        shapes = [_shape(session, hold) for hold in found[:limit]]
    return HoldPage(holds=shapes, next=shapes[-1].id if len(found) > limit else None)


@router.post("/holds", status_code=201, summary="Put records under a hold")
def put(platform: Parts, caller: Caller, asked: HoldAsked) -> HoldShape:
    """Put records under a hold; 409 when one is destroyed already, or being destroyed."""
    organisation = organisation_named(platform, caller, asked.organisation)
    wanted = Wanted(asked.reason, asked.owner, asked.review, tuple(asked.records))
    return _one(platform, caller, holds.put(platform, caller, organisation.id, wanted))


@router.get("/holds/{hold_id}", summary="Show a hold")
def one(platform: Parts, caller: Caller, hold_id: HoldId) -> HoldShape:
    """Return a hold with its records."""
    return _one(platform, caller, hold_id)


@router.post("/holds/{hold_id}/lift", summary="Lift a hold")
def lifted(platform: Parts, caller: Caller, hold_id: HoldId) -> HoldShape:
    """Lift a hold; records that another one holds stay held. 409 when it was lifted before."""
    holds.lift(platform, caller, hold_id)
    return _one(platform, caller, hold_id)


def _one(platform: Platform, caller: Principal, hold_id: str) -> HoldShape:
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(select(RecordHold).where(RecordHold.id == hold_id)).first()
        if found is None:
            raise NotFound(_messages("hold.unknown"))
        return _shape(session, found)


def _shape(session: Session, hold: RecordHold) -> HoldShape:
    rows = session.exec(select(RecordHeld).where(RecordHeld.hold_id == hold.id).order_by(RecordHeld.record_id)).all()
    return HoldShape(
        id=hold.id,
        organisation=hold.organisation_id,
        reason=hold.reason,
        owner=hold.owner,
        review=hold.review,
        placed=hold.placed,
        placed_by=hold.placed_by,
        lifted=hold.lifted,
        lifted_by=hold.lifted_by,
        records=[row.record_id for row in rows],
        told=all(row.told for row in rows),
    )
