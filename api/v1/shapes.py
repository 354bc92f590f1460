"""What the API answers, as models: the OpenAPI document is made from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from api.problems import ProblemItem
from api.words import label, told
from archive.models import Record, RecordFile
from core.journal import JournalEntry
from core.organisations import Organisation
from flows.engine.models import Dossier, DossierFile
from flows.engine.reading import Line, Seen
from flows.engine.table import End
from flows.registry import FLOWS


class OrganisationShape(BaseModel):
    """Whose it is."""

    id: str
    name: str
    siren: str | None
    siret: str | None

    @classmethod
    def of(cls, organisation: Organisation) -> Self:
        """Show an organisation."""
        return cls(id=organisation.id, name=organisation.name, siren=organisation.siren, siret=organisation.siret)


class DossierLine(BaseModel):
    """A dossier, as lists show it."""

    id: str
    organisation_id: str
    flow: str
    title: str = Field(description="What it is about; its identifier where the caller surveys dossiers and does not read them.")
    state: str = Field(description="Name of the state in the flow's table.")
    label: str = Field(description="The state in words, in the language of the request.")
    since: datetime = Field(description="When it entered the state.")
    ended: bool = Field(description="True once it will not move any more.")
    parked: str | None = Field(description="Why an operator must look at it; null when nobody must.")
    created: datetime

    @classmethod
    def of(cls, dossier: Line | Dossier) -> Self:
        """Show a dossier."""
        return cls(**_line(dossier))


class FileShape(BaseModel):
    """A document of a dossier."""

    id: str
    role: str
    label: str
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    created: datetime
    href: str

    @classmethod
    def of(cls, kept: DossierFile, flow: str) -> Self:
        """Show a file of a dossier of a flow."""
        return cls(
            label=label(f"role.{kept.role}", flow),
            href=f"/v1/dossiers/{kept.dossier_id}/files/{kept.id}",
            **kept.model_dump(include={"id", "role", "name", "media_type", "size", "sha256", "created"}),
        )


class DossierShape(DossierLine):
    """A dossier in full."""

    organisation: OrganisationShape
    facts: dict[str, Any]
    problems: list[ProblemItem] = Field(description="What refused the document, then what was only a warning.")
    trouble: str | None = Field(description="What the last try of the step under way said, when it failed.")
    files: list[FileShape]
    record: str | None = Field(description="Identifier of its sealed record, once it has one.")
    eliminated: datetime | None = Field(
        description="Since when its documents are destroyed with the visa of the State, and answered 410; null while it is kept."
    )
    links: dict[str, str]

    @classmethod
    def seen(cls, found: Seen, record: str | None) -> Self:
        """Show a dossier with what belongs to it; whoever only surveys it is shown how it stands."""
        record = record if found.read else None
        here = f"/v1/dossiers/{found.dossier.id}"
        links = {"self": here, "page": f"/dossiers/{found.dossier.id}"}
        links |= {name: f"{here}/{name}" for name in ("timeline", "files", "diagram.svg")}
        if record:
            links |= {"record": f"/v1/records/{record}", "evidence": f"/v1/records/{record}/evidence"}
        return cls(
            organisation=OrganisationShape.of(found.organisation),
            facts={name: value for name, value in found.dossier.facts.items() if name != "warnings" and found.read},
            problems=[ProblemItem(**problem) for problem in found.problems],
            trouble=found.step.trouble if found.step else None,
            files=[FileShape.of(kept, found.dossier.flow) for kept in found.files],
            record=record,
            eliminated=found.eliminated.at if found.eliminated else None,
            links=links,
            **{**_line(found.dossier), "title": found.title},
        )


class DossierPage(BaseModel):
    """A page of dossiers, newest first."""

    dossiers: list[DossierLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class EntryShape(BaseModel):
    """One thing that happened to a dossier."""

    id: str
    at: datetime
    kind: str
    label: str
    actor: str = Field(description="platform, person:… or token:…")
    facts: dict[str, Any]

    @classmethod
    def of(cls, entry: JournalEntry) -> Self:
        """Show a journal entry."""
        return cls(id=entry.id, at=entry.at, kind=entry.kind, label=told(entry.kind), actor=entry.actor, facts=entry.facts)


class Timeline(BaseModel):
    """A page of the journal of a dossier, oldest first."""

    entries: list[EntryShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="For `cursor`: leads to what came before; null when these begin at the beginning.")


class FileList(BaseModel):
    """The documents of a dossier, oldest first."""

    files: list[FileShape]


class RecordShape(BaseModel):
    """A sealed record."""

    id: str
    organisation_id: str
    dossier_id: str | None = Field(description="Where it came from; null for a package that was handed over from outside.")
    kind: str = Field(description="Name of the flow that made it, or `transfer`.")
    title: str
    producer: str = Field(description="SIREN or SIRET.")
    dated: date = Field(description="The day from which its retention counts.")
    sha256: str = Field(description="Of the sealed package.")
    size: int
    rule: str = Field(description="Retention rule that was applied, with its version.")
    final_action: str = Field(description="What happens at the end of the retention: `Keep` or `Destroy`.")
    keep_until: date | None = Field(description="End of the retention; null when it cannot be computed, that is for ever.")
    access: str = Field(description="Access rule that was applied, with its version.")
    open_from: date | None = Field(description="First day on which anyone may read it; null when it cannot be computed.")
    sealed: datetime
    eliminated: datetime | None = Field(description="When it was destroyed with the visa of the State; null while it is kept.")

    @classmethod
    def of(cls, record: Record) -> Self:
        """Show a record."""
        return cls(**record.model_dump(include=set(cls.model_fields)))


class CopyShape(BaseModel):
    """A record's package in one place."""

    place: str
    locked_until: datetime = Field(description="Until when the place refuses to delete it.")
    checked: datetime = Field(description="When it was last read back whole and found unchanged.")


class ProvenRecord(RecordShape):
    """A sealed record and where its proof stands."""

    copies: list[CopyShape]
    position: int | None = Field(description="Place of its leaf in the journal's tree, from 0; null until it has one.")
    head_size: int | None = Field(description="Size of the first timestamped head that covers it; null until there is one.")
    stamped: datetime | None = Field(description="When that head was timestamped; null until then.")


class RecordPage(BaseModel):
    """A page of records, newest first."""

    records: list[RecordShape]
    total: int = Field(description="How many there are in all, 10000 at most.")
    exact: bool = Field(description="False when there are more than `total`.")
    next: str | None


class RecordFileShape(BaseModel):
    """A file of a sealed record."""

    rank: int = Field(description="In the manifest, from 1.")
    name: str
    sha256: str | None = Field(description="Null when the manifest names it by another algorithm only.")
    size: int
    media_type: str | None
    puid: str | None = Field(description="PRONOM identifier of its format, when it was identified.")
    href: str

    @classmethod
    def of(cls, file: RecordFile) -> Self:
        """Show a file."""
        return cls(
            href=f"/v1/records/{file.record_id}/files/{file.rank}",
            **file.model_dump(include={"rank", "name", "sha256", "size", "media_type", "puid"}),
        )


class RecordFilePage(BaseModel):
    """A page of the files of a sealed record, in the order of its manifest."""

    files: list[RecordFileShape]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: int | None = Field(description="For `cursor`; null on the last page.")


def _line(dossier: Line | Dossier) -> dict[str, Any]:
    return {
        "id": dossier.id,
        "organisation_id": dossier.organisation_id,
        "flow": dossier.flow,
        "title": dossier.title,
        "state": dossier.state,
        "label": label(f"state.{dossier.state}", dossier.flow),
        "since": dossier.since,
        "ended": has_ended(dossier),
        "parked": dossier.parked,
        "created": dossier.created,
    }


def has_ended(dossier: Line | Dossier) -> bool:
    """Tell whether a dossier stands in a state that is never left."""
    flow = FLOWS.get(dossier.flow)
    return flow is not None and isinstance(flow.rows.get(dossier.state), End)
