"""Transfers to archive services outside, over the API: where each stands there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api import cursors
from api.tenants import below, organisation_named
from api.v1.access import Caller, Parts
from api.v1.states import StateOf
from api.words import label
from flows.engine.table import End
from flows.sae.flow import SAE
from flows.sae.reading import Line, Wanted, list_transfers

router = APIRouter(prefix="/v1", tags=["Envois vers un SAE"])
_State = Annotated[str, StateOf(SAE)]


class SaeTransferLine(BaseModel):
    """A record that is handed over to an archive service outside."""

    id: str = Field(description="Identifier of its dossier.")
    organisation_id: str
    record_id: str
    title: str
    state: str = Field(description="Name of the state in the flow’s table.")
    label: str = Field(description="The state in words, in the language of the request.")
    since: datetime = Field(description="When it entered the state.")
    ended: bool = Field(description="True once it will not move any more.")
    parked: str | None = Field(description="Why an operator must look at it; null when nobody must.")
    created: datetime
    system: str = Field(description="asalae or vitam; empty until it leaves.")
    identifier: str = Field(description="MessageIdentifier, or TransferIdentifier, of the last sending; empty until it leaves.")
    cote: str = Field(description="What the service calls the archive; empty until it accepts.")
    code: str = Field(description="Code of its last reply; empty until there is one.")
    reasons: list[str] = Field(description="Why it is refused, in the words of the service.")
    sent: datetime | None
    settled: datetime | None = Field(description="When the service accepted or refused.")

    @classmethod
    def of(cls, line: Line) -> Self:
        """Show a line of the list."""
        told = {name: getattr(line, name) for name in cls.model_fields if name not in {"label", "ended", "reasons"}}
        return cls(
            **told,
            label=label(f"state.{line.state}", SAE.name),
            ended=isinstance(SAE.rows[line.state], End),
            reasons=[str(one["message"]) for one in line.problems],
        )


class SaeTransferPage(BaseModel):
    """A page of transfers, newest first."""

    transfers: list[SaeTransferLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


@router.get("/sae-transfers", summary="List transfers to archive services outside")
def listed(
    platform: Parts,
    caller: Caller,
    organisation: Annotated[
        str | None, Query(max_length=26, description="SIREN, SIRET or identifier; all below it count.")
    ] = None,
    state: Annotated[list[_State] | None, Query(max_length=20, description="May be repeated.")] = None,
    cursor: Annotated[str | None, Query(max_length=200, description="From `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SaeTransferPage:
    """Return a page of transfers, newest first; an accepted one leaves the sealed record here as it was."""
    meant = below(platform, organisation_named(platform, caller, organisation)) if organisation else ()
    page = list_transfers(platform.database, caller, Wanted(meant, tuple(state or ()), cursors.read(cursor), limit=limit))
    return SaeTransferPage(
        transfers=[SaeTransferLine.of(line) for line in page.lines],
        total=page.total,
        total_exact=page.exact,
        next=cursors.written(page.after),
    )
