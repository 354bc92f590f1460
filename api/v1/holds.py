"""Holds over the API: records that nobody destroys until the hold is lifted; listed, put once, lifted with a reason."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session, col, select

from api.deposits import refuse_key
from api.tenants import holding, organisation_named
from api.v1.access import Caller, Parts
from api.v1.bodies import described, said_in
from archive.retention import holds
from archive.retention.holds import LONGEST_OWNER, LONGEST_REASON, MOST, Wanted
from archive.retention.models import RecordHeld, RecordHold
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.reading import counted

router = APIRouter(prefix="/v1", tags=["Archives"])
PATH = "/v1/holds"
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


class LiftAsked(BaseModel):
    """The end of a hold."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, description="Why: put under lock as that of the hold; not in the journal."
    )


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
    lift_reason: str | None = Field(description="Why it was lifted; null while it stands.")
    records: list[str] = Field(description="Identifiers of the records.")
    package_of: str | None = Field(description="The record whose own package names this hold; null for a decision made here.")
    ends: date | None = Field(description="The last day on which it stands; null when it stands until it is lifted.")
    told: bool = Field(description="Every place of the archive knows it: it stands from `placed` on, whether they do or not.")


class HoldPage(BaseModel):
    """A page of holds."""

    holds: list[HoldShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
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
    wanted = select(RecordHold).where(lifted.is_(None) if standing else lifted.is_not(None))
    query = wanted.where(col(RecordHold.id) < cursor) if cursor else wanted
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(query.order_by(col(RecordHold.id).desc()).limit(limit + 1)).all()
        shapes = [_shape(session, hold) for hold in found[:limit]]
        total, exact = counted(session, wanted)
    return HoldPage(holds=shapes, total=total, total_exact=exact, next=shapes[-1].id if len(found) > limit else None)


@router.post(
    "/holds",
    status_code=201,
    summary="Put records under a hold",
    openapi_extra=described(HoldAsked),
    responses={
        200: {"model": HoldShape, "description": "The identical hold was put before, under the same key: this is it."},
        201: {"headers": {"Location": {"schema": {"type": "string"}}}},
    },
)
def put(
    response: Response,
    platform: Parts,
    caller: Caller,
    asked: Annotated[HoldAsked, said_in(HoldAsked)],
    idempotency_key: Annotated[str | None, Header(description="Makes a repeat harmless: 1 to 200 visible characters.")] = None,
) -> HoldShape:
    """Put records under a hold.

    409 when one is destroyed already, or being destroyed; or when the key was used for another hold.
    """
    refuse_key(idempotency_key)
    organisation = organisation_named(platform, caller, asked.organisation)
    wanted = Wanted(asked.reason, asked.owner, asked.review, tuple(asked.records), idempotency_key)
    identifier, created = holds.put_once(platform, caller, organisation.id, wanted)
    response.headers["Location"] = f"{PATH}/{identifier}"
    if not created:
        response.status_code = 200
        response.headers["Idempotent-Replay"] = "true"
    return _one(platform, caller, identifier)


@router.get("/holds/{hold_id}", summary="Show a hold")
def one(platform: Parts, caller: Caller, hold_id: HoldId) -> HoldShape:
    """Return a hold with its records."""
    return _one(platform, caller, hold_id)


@router.post("/holds/{hold_id}/lift", summary="Lift a hold", openapi_extra=described(LiftAsked))
def lifted(platform: Parts, caller: Caller, hold_id: HoldId, asked: Annotated[LiftAsked, said_in(LiftAsked)]) -> HoldShape:
    """Lift a hold; records that another one holds stay held. 409 when it was lifted before."""
    holds.lift(platform, caller, hold_id, asked.reason)
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
        lift_reason=hold.lift_reason,
        records=[row.record_id for row in rows],
        package_of=hold.package_of,
        ends=hold.ends,
        told=all(row.told for row in rows),
    )
