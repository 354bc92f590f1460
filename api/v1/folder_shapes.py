"""What the API answers of folders of the parapheur, as models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from core.messages import Catalogue
from signing.docket.content import Asked, Docket, Happened, Who
from signing.parapheur.circuits import Asked as AskedStep
from signing.parapheur.history import LONGEST_NOTE
from signing.parapheur.models import Desk, Folder, FolderDocument, FolderType, MetadataField, Subtype
from signing.parapheur.typology import Kind

_parapheur = Catalogue("signing.parapheur")
_LONGEST_VALUE, _MOST_FIELDS, _MOST_DESKS = 1000, 200, 50
Values = dict[str, str]


class DeskShape(BaseModel):
    """A desk: a function, never a person."""

    id: str
    name: str
    short_name: str

    @classmethod
    def of(cls, desk: Desk) -> Self:
        """Show a desk."""
        return cls(id=desk.id, name=desk.name, short_name=desk.short_name)


class FieldShape(BaseModel):
    """A metadata that a subtype uses."""

    key: str
    name: str
    kind: str = Field(description="text, date, integer, decimal, boolean or url.")
    choices: list[str] = Field(description="The only values admitted; any when empty.")
    mandatory: bool = Field(description="Must be given when the folder starts.")
    default: str


class FolderKindShape(BaseModel):
    """A kind of folder, and the desks in whose name it may be sent."""

    type_id: str
    type: str
    subtype_id: str
    subtype: str
    description: str
    format: str = Field(description="How it is signed: auto, pades, cades, xades or pes.")
    protocol: str = Field(description="Where documents go afterwards: none, actes or helios.")
    main_documents: int = Field(description="How many main documents a folder may hold.")
    annexes: bool
    metadata: list[FieldShape]
    desks: list[DeskShape]

    @classmethod
    def of(cls, kind: Kind, fields: dict[str, MetadataField], desks: list[Desk]) -> Self:
        """Show a kind of folder."""
        allowed = set(kind.options.creation_desks)
        return cls(
            type_id=kind.type_id,
            type=kind.type_name,
            subtype_id=kind.id,
            subtype=kind.name,
            description=kind.description,
            format=kind.signing.format.value,
            protocol=kind.signing.protocol.value,
            main_documents=kind.options.main_documents,
            annexes=kind.options.annexes,
            metadata=[
                FieldShape(
                    key=use.key,
                    name=fields[use.key].name,
                    kind=fields[use.key].kind,
                    choices=fields[use.key].choices,
                    mandatory=use.mandatory,
                    default=use.default,
                )
                for use in kind.options.fields
                if use.key in fields
            ],
            desks=[DeskShape.of(desk) for desk in desks if not allowed or desk.id in allowed],
        )


class FolderKinds(BaseModel):
    """The kinds of folder of an organisation, by type, then by subtype."""

    organisation_id: str
    types: list[FolderKindShape]


class FolderLine(BaseModel):
    """A folder, as lists show it."""

    id: str
    organisation_id: str
    dossier_id: str = Field(description="The dossier that it serves: see /v1/dossiers.")
    external_id: str | None = Field(description="What the software that deposited it knows it by.")
    title: str
    type: str | None
    subtype: str | None
    state: str = Field(description="draft, pending, finished, rejected, trashed or erased.")
    label: str = Field(description="The state in words, in the language of the request.")
    visibility: str
    desk: DeskShape = Field(description="The desk in whose name it was sent.")
    due: date | None = Field(description="The day by which it should be through.")
    since: datetime = Field(description="Since when it stands where it does.")
    created: datetime

    @classmethod
    def of(cls, folder: Folder, desk: Desk, kind: tuple[FolderType, Subtype] | None) -> Self:
        """Show a folder."""
        named = {"type": kind[0].name if kind else None, "subtype": kind[1].name if kind else None}
        same = {"id", "organisation_id", "dossier_id", "external_id", "title", "state", "visibility", "due", "since", "created"}
        label = _parapheur(f"state.{folder.state}")
        return cls(label=label, desk=DeskShape.of(desk), **named, **folder.model_dump(include=same))


class FolderPage(BaseModel):
    """A page of folders, newest first."""

    folders: list[FolderLine]
    total: int = Field(description="How many there are in all; a lower bound when total_exact is false.")
    total_exact: bool
    next: str | None = Field(description="Cursor of the next page; null on the last one.")


class FolderDocumentShape(BaseModel):
    """A document of a folder, as it stands."""

    id: str
    kind: str = Field(description="main, annex, signature (a detached one) or proof.")
    name: str
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    source_sha256: str = Field(description="As it was deposited, before anybody signed it.")
    signature_of: str | None = Field(description="Of a detached signature, the document that it signs.")
    href: str

    @classmethod
    def of(cls, document: FolderDocument) -> Self:
        """Show a document."""
        href = f"/v1/folders/{document.folder_id}/documents/{document.id}"
        return cls(href=href, **document.model_dump(include=set(cls.model_fields)))


class WhoShape(BaseModel):
    """Who acted."""

    kind: str = Field(description="person, token or platform.")
    name: str | None = Field(description="Of a person.")
    desk: str | None
    absent: str | None = Field(description="The desk in whose place they acted.")

    @classmethod
    def of(cls, who: Who) -> Self:
        """Show who acted."""
        return cls(kind=who.actor, name=who.person, desk=who.desk, absent=who.absent)


class StepShape(BaseModel):
    """Something that is, was or will be asked of a desk."""

    rank: int = Field(description="Of the step, from 1.")
    kind: str = Field(description="visa, signature, seal, external, mail or opinion.")
    label: str
    desk: str
    state: str = Field(description="upcoming, open, done, rejected, transferred, bypassed or withdrawn.")
    closed: datetime | None
    who: WhoShape | None

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """Show a task."""
        return cls(
            rank=asked.rank,
            kind=asked.kind.value,
            label=_parapheur(f"kind.{asked.kind.value}"),
            desk=asked.desk,
            state=asked.state.value,
            closed=asked.closed,
            who=WhoShape.of(asked.who) if asked.who else None,
        )


class HappenedShape(BaseModel):
    """Something that happened to a folder. What was said to the next desk only is not told."""

    number: int
    at: datetime
    kind: str
    who: WhoShape
    note: str
    toward: str | None = Field(description="The desk to which it went, of a transfer or a question.")
    digest: str = Field(description="SHA-256 of the event, that of the one before included; the journal bears it.")

    @classmethod
    def of(cls, event: Happened) -> Self:
        """Show an event."""
        return cls(
            number=event.number,
            at=event.at,
            kind=event.kind,
            who=WhoShape.of(event.who),
            note=event.note,
            toward=event.toward,
            digest=event.digest,
        )


class FolderShape(FolderLine):
    """A folder in full."""

    trouble: str | None = Field(description="Why its circuit could not go on by itself.")
    metadata: Values
    documents: list[FolderDocumentShape]
    circuit: list[StepShape]
    history: list[HappenedShape]
    links: dict[str, str]

    @classmethod
    def seen(cls, folder: Folder, line: FolderLine, documents: list[FolderDocument], docket: Docket) -> Self:
        """Show a folder with what belongs to it."""
        here = f"/v1/folders/{folder.id}"
        return cls(
            trouble=folder.trouble,
            metadata=folder.fields,
            documents=[FolderDocumentShape.of(one) for one in documents],
            circuit=[StepShape.of(one) for one in docket.asked],
            history=[HappenedShape.of(one) for one in docket.events],
            links={"self": here, "docket": f"{here}/docket", "dossier": f"/v1/dossiers/{folder.dossier_id}"},
            **line.model_dump(),
        )


class StartAsked(BaseModel):
    """With which words a folder starts, and the last metadata."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=LONGEST_NOTE, description="To everybody; printed on the docket.")
    private_note: str = Field("", max_length=LONGEST_NOTE, description="To the desks of the first step only.")
    metadata: Values = Field(default_factory=dict, max_length=_MOST_FIELDS)


class PreviewAsked(BaseModel):
    """The folder that would be sent."""

    model_config = ConfigDict(extra="forbid")

    organisation: str | None = Field(
        None, max_length=26, description="SIREN, SIRET or identifier; that of the token when absent."
    )
    type: str = Field(max_length=120, description="Name of the type.")
    subtype: str = Field(max_length=120, description="Name of the subtype.")
    desk: str = Field(max_length=60, description="Short name or identifier of the desk that sends.")
    metadata: Values = Field(default_factory=dict, max_length=_MOST_FIELDS)
    variables: list[str] = Field(
        default_factory=list,
        max_length=_MOST_DESKS,
        description="Desks chosen for the variable steps: identifiers, in their order.",
    )


class PreviewStep(BaseModel):
    """A step that would run."""

    kind: str
    label: str
    together: str = Field(description="any: the first desk decides; all: every desk must act.")
    automatic: bool
    desks: list[DeskShape]

    @classmethod
    def of(cls, asked: AskedStep, desks: dict[str, Desk]) -> Self:
        """Show a step."""
        return cls(
            kind=asked.step.kind.value,
            label=_parapheur(f"kind.{asked.step.kind.value}"),
            together=asked.step.together.value,
            automatic=asked.step.automatic,
            desks=[DeskShape.of(desks[one]) for one in asked.desks],
        )


class Preview(BaseModel):
    """The circuit that would run."""

    circuit: str
    name: str
    version: int
    row: int = Field(description="The row of the decision table that gives it, from 1.")
    steps: list[PreviewStep]
