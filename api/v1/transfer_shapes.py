"""What the API says of transfers, and what it is asked about them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.problems import ProblemItem, fault_of
from api.words import label
from flows.engine.models import Dossier
from flows.engine.table import End
from flows.transfers import names
from flows.transfers.deciding import LONGEST_COMMENT, MOST, Decided
from flows.transfers.flow import TRANSFER
from flows.transfers.reading import Line, SeenTransfer

_CONFIG = ConfigDict(extra="forbid")


class Given(StrEnum):
    """The files of a transfer that have an address of their own."""

    MANIFEST = names.MANIFEST
    ACKNOWLEDGEMENT = names.ACKNOWLEDGEMENT
    REPLY = names.REPLY
    REPORT = names.REPORT
    SIGNATURES = names.SIGNATURES


class TransferLine(BaseModel):
    """A transfer, as lists show it."""

    id: str
    organisation_id: str
    title: str
    state: str = Field(description="Name of the state in the flow’s table.")
    label: str = Field(description="The state in words, in the language of the request.")
    since: datetime = Field(description="When it entered the state.")
    ended: bool = Field(description="True once it will not move any more.")
    parked: str | None = Field(description="Why an operator must look at it; null when nobody must.")
    created: datetime
    identifier: str = Field(description="MessageIdentifier of the transfer; empty until it was read.")
    transferring_agency: str
    agreement_id: str | None
    objects: int
    size: int = Field(description="Of the package, in bytes; 0 until it was read.")
    code: str | None = Field(
        description="Reply code: 000 accepted, 001 accepted with remarks, others refused; null until decided."
    )

    @classmethod
    def of(cls, line: Line) -> Self:
        """Show a line of the list."""
        told = {name: getattr(line, name) for name in cls.model_fields if name not in {"label", "ended"}}
        return cls(**told, label=_label(line.state), ended=_ended(line.state))


class TransferPage(BaseModel):
    """A page of transfers, newest first."""

    transfers: list[TransferLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class TransferShape(TransferLine):
    """A transfer in full."""

    version: str = Field(description="Of SEDA.")
    originating_agency: str
    agreement: str | None = Field(description="Identifier of the agreement that it came under.")
    units: int
    comment: str = Field(description="What the archivist said with the decision.")
    decided: datetime | None
    problems: list[ProblemItem] = Field(description="What refused it, then what was only a remark.")
    trouble: str | None = Field(description="What the last try of the step under way said, when it failed.")
    dry_run: bool
    same_as: str | None = Field(description="The transfer that this one repeats, and whose answers it gives.")
    record: str | None = Field(description="Identifier of the sealed record, once it has one.")
    links: dict[str, str]

    @classmethod
    def seen(cls, found: SeenTransfer, record: str | None) -> Self:
        """Show a transfer with what belongs to it."""
        dossier, transfer = found.seen.dossier, found.transfer
        here = f"/v1/transfers/{dossier.id}"
        roles = {kept.role for kept in found.seen.files} | ({Given.ACKNOWLEDGEMENT, Given.REPLY} if found.original else set())
        links = {"self": here, **{role.value: f"{here}/{role.value}" for role in Given if role in roles}}
        links |= {"page": f"/archives/versements/{dossier.id}", "timeline": f"/v1/dossiers/{dossier.id}/timeline"}
        if record:
            links["record"] = f"/v1/records/{record}"
        return cls(
            **_of_dossier(dossier),
            **transfer.model_dump(include=_OF_TRANSFER),
            agreement=found.agreement.identifier if found.agreement else None,
            problems=[ProblemItem(**problem) for problem in found.seen.problems],
            trouble=found.seen.step.trouble if found.seen.step else None,
            dry_run=bool(dossier.facts.get(names.DRY_RUN)),
            same_as=found.original,
            record=record,
            links=links,
        )


_OF_TRANSFER = {
    "identifier", "version", "transferring_agency", "originating_agency", "agreement_id", "units", "objects", "size", "code",
    "comment", "decided",
}  # fmt: skip


class Accepted(BaseModel):
    """The acceptance of a transfer."""

    model_config = _CONFIG

    comment: str = Field("", max_length=LONGEST_COMMENT, description="For the sender; stands in the reply.")


class RefusalAsked(BaseModel):
    """The refusal of a transfer."""

    model_config = _CONFIG

    code: str = Field(pattern="^[0-9]{3}$", description="Of the list of SEDA 0.2: 1xx technical, 2xx content, 3xx agreement.")
    comment: str = Field(min_length=1, max_length=LONGEST_COMMENT, description="Why; stands in the reply.")


class TransferOfUpload(BaseModel):
    """A package that came by a resumable upload."""

    model_config = _CONFIG

    upload: str = Field(
        pattern="^[0-9A-Z]{26}$",
        description="Identifier of a finished upload; announced for the place `transfers`, it may be larger than others.",
    )
    organisation: str | None = Field(None, max_length=26, description="SIREN, SIRET or identifier; the token’s when absent.")
    dry_run: bool = Field(False, description="The package is checked, and goes no further.")


class Verdict(StrEnum):
    """What several transfers are decided."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class DecisionAsked(BaseModel):
    """One decision for several transfers."""

    model_config = _CONFIG

    transfers: list[str] = Field(min_length=1, max_length=MOST, description="Identifiers of their dossiers.")
    decision: Verdict
    code: str = Field("", pattern="^([0-9]{3})?$", description="Of a refusal: 1xx technical, 2xx content, 3xx agreement.")
    comment: str = Field("", max_length=LONGEST_COMMENT, description="Stands in each reply; a refusal needs one: why.")


class DecisionTaken(BaseModel):
    """What became of one of them."""

    id: str
    decided: bool
    status: int = Field(description="That of the same decision about this transfer alone: 200, 403, 404 or 409.")
    detail: str = Field(description="Why nothing was decided of it; empty when it was.")

    @classmethod
    def of(cls, one: Decided) -> Self:
        """Show what became of one."""
        fault = fault_of(one.trouble) if one.trouble is not None else None
        return cls(
            id=one.dossier_id, decided=fault is None, status=fault.status if fault else 200, detail=fault.detail if fault else ""
        )


class DecisionsTaken(BaseModel):
    """What became of each, in the order in which they were named."""

    decisions: list[DecisionTaken]


def _of_dossier(dossier: Dossier) -> dict[str, object]:
    told = dossier.model_dump(include={"id", "organisation_id", "title", "state", "since", "parked", "created"})
    return told | {"label": _label(dossier.state), "ended": _ended(dossier.state)}


def _label(state: str) -> str:
    return label(f"state.{state}", TRANSFER.name)


def _ended(state: str) -> bool:
    return isinstance(TRANSFER.rows[state], End)
