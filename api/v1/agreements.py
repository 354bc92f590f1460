"""Agreements over the API: who may hand over what, and what is asked of it; listed, opened, closed.

An agreement is never changed: what was taken under it stays explainable. It is closed, and another one follows under another
identifier.
"""

from __future__ import annotations

import base64
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from pydantic import AfterValidator, BaseModel, Field
from sqlmodel import col, select

from api import downloads
from api.tenants import holding, organisation_named
from api.v1.access import Caller, Parts, own_organisation
from api.v1.bodies import described, said_in
from api.v1.dossiers import BYTES
from archive.ingest import agreements, profiles
from archive.ingest.agreements import Terms
from archive.ingest.models import ArchiveAgreement
from core.errors import NotFound
from core.messages import Catalogue
from core.platform import Platform
from core.principal import Principal, Right
from flows.engine.reading import counted
from schemas.seda.profile import LARGEST as LARGEST_PROFILE

router = APIRouter(prefix="/v1", tags=["Versements"])
_messages = Catalogue("archive.ingest")
PATH = "/v1/agreements"
LARGEST = LARGEST_PROFILE * 4 // 3 + (1 << 18)
AgreementId = Annotated[str, Path(pattern="^[0-9A-Z]{26}$", description="Identifier of 26 characters.")]


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)  # the error that it raises is a ValueError
    return text


class AgreementAsked(Terms):
    """An agreement to be opened; numbers are the reply codes of what it refuses."""

    organisation: str | None = Field(
        None, max_length=26, description="SIREN, SIRET or identifier of whose archives they are; that of the token when absent."
    )
    profile: Annotated[str, AfterValidator(_base64)] | None = Field(
        None, min_length=1, description="Relax NG or XSD that manifests must satisfy (203): one file of 8 MiB at most, in base64."
    )


class AgreementShape(Terms):
    """An agreement."""

    id: str
    organisation_id: str
    profile_name: str = Field(description="Name of the profile’s file; empty without one.")
    created: datetime
    created_by: str
    closed: datetime | None = Field(description="When it was closed: nothing is taken under it since; null while it is open.")
    closed_by: str | None
    links: dict[str, str]

    @classmethod
    def of(cls, agreement: ArchiveAgreement) -> Self:
        """Show an agreement."""
        here = f"{PATH}/{agreement.id}"
        links = {"self": here} | ({"profile": f"{here}/profile"} if agreement.profile else {})
        return cls(**agreement.model_dump(exclude={"profile"}), links=links)


class AgreementPage(BaseModel):
    """A page of agreements."""

    agreements: list[AgreementShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="For `cursor`; null on the last page.")


@router.get("/agreements", summary="List agreements")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[str | None, Query(max_length=26, description="SIREN, SIRET or identifier: its own only.")] = None,
    standing: Annotated[bool | None, Query(description="true: those that are open; false: those that were closed.")] = None,
    cursor: Annotated[str, Query(max_length=26, description="From `next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AgreementPage:
    """Return a page of agreements, newest first, where the caller manages the archives."""
    query = select(ArchiveAgreement)
    if organisation is not None:
        query = query.where(ArchiveAgreement.organisation_id == organisation_named(platform, caller, organisation).id)
    if standing is not None:
        query = query.where(col(ArchiveAgreement.closed).is_(None) if standing else col(ArchiveAgreement.closed).is_not(None))
    rest = query.where(col(ArchiveAgreement.id) < cursor) if cursor else query
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        found = session.exec(rest.order_by(col(ArchiveAgreement.id).desc()).limit(limit + 1)).all()
        total, exact = counted(session, query)
    shapes = [AgreementShape.of(one) for one in found[:limit]]
    after = shapes[-1].id if len(found) > limit else None
    return AgreementPage(agreements=shapes, total=total, total_exact=exact, next=after)


@router.post(
    "/agreements",
    status_code=201,
    summary="Open an agreement",
    openapi_extra=described(AgreementAsked),
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
)
def opened(
    response: Response, platform: Parts, caller: Caller, asked: Annotated[AgreementAsked, said_in(AgreementAsked)]
) -> AgreementShape:
    """Open an agreement; it holds for the transfers of the organisation and of all below it.

    The right `archive.manage` is asked for. 409 when the organisation has one of that identifier, closed or not.
    """
    owner = organisation_named(platform, caller, asked.organisation) if asked.organisation else own_organisation(platform, caller)
    caller.require(Right.ARCHIVE, owner.id)  # before a profile is kept
    profile = profiles.keep(platform, base64.b64decode(asked.profile)) if asked.profile else None
    manager = holding(caller, Right.ARCHIVE)
    with platform.database.writing(manager) as session:
        made = AgreementShape.of(agreements.create(session, manager, owner.id, asked, profile))
    response.headers["Location"] = f"{PATH}/{made.id}"
    return made


@router.get("/agreements/{agreement_id}", summary="Show an agreement")
def one(platform: Parts, caller: Caller, agreement_id: AgreementId) -> AgreementShape:
    """Return an agreement; the right `archive.manage` is asked for."""
    return AgreementShape.of(_one(platform, caller, agreement_id))


@router.get(
    "/agreements/{agreement_id}/profile",
    summary="Download the profile of an agreement",
    response_class=FileResponse,
    responses={200: BYTES},
)
def profile(platform: Parts, caller: Caller, agreement_id: AgreementId) -> FileResponse:
    """Return the profile as it was given; 404 for an agreement without one."""
    found = _one(platform, caller, agreement_id)
    if found.profile is None:
        raise NotFound(_messages("agreement.no_profile", identifier=found.identifier))
    return downloads.whole(found.profile_name, "application/xml", partial(platform.objects.fetch, found.profile))


@router.post("/agreements/{agreement_id}/close", summary="Close an agreement")
def closed(platform: Parts, caller: Caller, agreement_id: AgreementId) -> AgreementShape:
    """Close an agreement at once; what was taken under it stays. 409 when it is closed."""
    manager = holding(caller, Right.ARCHIVE)
    with platform.database.writing(manager) as session:
        agreements.close(session, manager, agreement_id)
    return AgreementShape.of(_one(platform, caller, agreement_id))


def _one(platform: Platform, caller: Principal, agreement_id: str) -> ArchiveAgreement:
    with platform.database.reading(holding(caller, Right.ARCHIVE)) as session:
        return agreements.agreement_of(session, agreement_id)
