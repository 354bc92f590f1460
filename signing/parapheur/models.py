"""What the parapheur keeps: desks, seats, delegations; types, metadata, circuits; folders, documents, tasks, events."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, false, text
from sqlmodel import Field, SQLModel

from core import clock
from core.database import JsonValue, Owned, UtcDateTime
from core.folding import LONGEST, keep_sought
from core.identifiers import new_id
from core.secrets import Encrypted


class Capacity(StrEnum):
    """In what capacity a person has a seat at a desk."""

    HOLDER = "holder"
    SUPERVISOR = "supervisor"
    ABSENCES = "absences"


class FolderState(StrEnum):
    """Where a folder stands."""

    DRAFT = "draft"
    PENDING = "pending"
    FINISHED = "finished"
    REJECTED = "rejected"
    TRASHED = "trashed"
    ERASED = "erased"


class StepKind(StrEnum):
    """What is asked of a desk; the last one is asked by another desk in the middle of a step."""

    VISA = "visa"
    SIGNATURE = "signature"
    SEAL = "seal"
    EXTERNAL = "external"
    MAIL = "mail"
    OPINION = "opinion"


class TaskState(StrEnum):
    """Where a task stands; the first two are to come and under way, the others are past."""

    UPCOMING = "upcoming"
    OPEN = "open"
    DONE = "done"
    REJECTED = "rejected"
    TRANSFERRED = "transferred"
    BYPASSED = "bypassed"
    WITHDRAWN = "withdrawn"


class DocumentKind(StrEnum):
    """What a document is to its folder."""

    MAIN = "main"
    ANNEX = "annex"
    SIGNATURE = "signature"
    PROOF = "proof"


class Visibility(StrEnum):
    """Who may see a folder: the desks of its circuit, or whoever reads the organisation's dossiers as well."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


def _moment() -> Column[datetime]:
    return Column(UtcDateTime, nullable=False)


def _json() -> Column[Any]:
    return Column(JsonValue, nullable=False)


class Desk(Owned, table=True):
    """A function of the organisation, at which folders land.

    Attributes:
        short_name: names it in stamps, decision tables and exchanges; unique in the organisation.
        parent_id: the desk above it, its head (*chef de*).
        may_create: its holders may send folders.
        may_act: its holders may approve and sign.
        may_chain: its holders may send a finished folder into another circuit.
        associated: the desks that it may choose: for a variable step, a transfer, an opinion; all of them when empty.
        closed: since when nothing can be sent to it any more.
    """

    __table_args__ = (Index("desk_short_name", "organisation_id", "short_name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    name: str = Field(max_length=120)
    short_name: str = Field(max_length=60)
    description: str = Field(default="", max_length=300)
    parent_id: str | None = Field(default=None, foreign_key="desk.id", max_length=26)
    may_create: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    may_act: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    may_chain: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    associated: list[str] = Field(default_factory=list, sa_column=_json())
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class Seat(Owned, table=True):
    """A person at a desk, in one capacity."""

    __table_args__ = (Index("seat_once", "desk_id", "person_id", "capacity", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    desk_id: str = Field(foreign_key="desk.id", max_length=26)
    person_id: str = Field(foreign_key="person.id", max_length=26, index=True)
    capacity: str = Field(default=Capacity.HOLDER.value, max_length=20)


class Delegation(Owned, table=True):
    """A desk stands in for another, from one moment to another, for everything or for one type.

    Attributes:
        desk_id: the desk that is absent.
        substitute_id: the desk that acts in its absence.
        ends: None until somebody ends it.
        type_id: only folders of this type; ``subtype_id`` only of this subtype.
        author: who set it, as the journal names actors.
    """

    __table_args__ = (Index("delegation_to", "substitute_id", "starts"), Index("delegation_from", "desk_id", "starts"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    desk_id: str = Field(foreign_key="desk.id", max_length=26)
    substitute_id: str = Field(foreign_key="desk.id", max_length=26)
    starts: datetime = Field(sa_column=_moment())
    ends: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    type_id: str | None = Field(default=None, foreign_key="folder_type.id", max_length=26)
    subtype_id: str | None = Field(default=None, foreign_key="folder_subtype.id", max_length=26)
    author: str = Field(max_length=40)
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class MetadataField(Owned, table=True):
    """A metadata that folders of an organisation may bear.

    Attributes:
        key: names it in conditions and exchanges; unique in the organisation.
        kind: ``signing.parapheur.metadata.MetadataKind``.
        choices: the only values admitted; any when empty.
    """

    __tablename__ = "metadata_field"
    __table_args__ = (Index("metadata_field_key", "organisation_id", "key", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    key: str = Field(max_length=60)
    name: str = Field(max_length=120)
    kind: str = Field(max_length=20)
    choices: list[str] = Field(default_factory=list, sa_column=_json())


class FolderType(Owned, table=True):
    """The first level of the classification: how documents are signed.

    Attributes:
        signing: ``signing.parapheur.typology.TypeOptions`` as JSON.
    """

    __tablename__ = "folder_type"
    __table_args__ = (Index("folder_type_name", "organisation_id", "name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    name: str = Field(max_length=120)
    signing: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Subtype(Owned, table=True):
    """The second level: everything else that a kind of document asks for.

    Attributes:
        options: ``signing.parapheur.typology.SubtypeOptions`` as JSON.
        choice: the decision table that gives the circuit: ``signing.parapheur.choice.Row`` as JSON, the last one by default.
    """

    __tablename__ = "folder_subtype"
    __table_args__ = (Index("folder_subtype_name", "type_id", "name", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    type_id: str = Field(foreign_key="folder_type.id", max_length=26)
    name: str = Field(max_length=120)
    description: str = Field(default="", max_length=300)
    options: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    choice: list[dict[str, Any]] = Field(default_factory=list, sa_column=_json())
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Circuit(Owned, table=True):
    """One version of a circuit; a folder keeps the version that it started with.

    Attributes:
        key: names it in decision tables.
        steps: ``signing.parapheur.circuits.Step`` as JSON, in order.
        current: the version that folders start with; one per key.
    """

    __table_args__ = (Index("circuit_version", "organisation_id", "key", "version", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    key: str = Field(max_length=128)
    name: str = Field(max_length=255)
    version: int = Field(sa_column=Column(Integer, nullable=False))
    steps: list[dict[str, Any]] = Field(sa_column=_json())
    current: bool = Field(default=True, sa_column=Column(Boolean, nullable=False))
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class Folder(Owned, table=True):
    """One unit of work: documents, metadata, and where they stand in a circuit.

    Attributes:
        dossier_id: the dossier of the flow that it serves.
        external_id: what software outside knows it by; unique in the organisation.
        title: its object, as people read it.
        sought: the title as it is searched (`core.folding`).
        summary: what is known of its content, for lists: counts, an amount; JSON values only.
        state: a ``FolderState``.
        visibility: a ``Visibility``.
        due: the day by which it should be through, in metropolitan France.
        emitter_id: the desk that sends it, to which it comes back.
        author: who made it, as the journal names actors.
        fields: metadata by key, as text.
        variables: the desks chosen for the variable steps, in their order.
        circuit_id: the version of the circuit under way; None in a draft.
        rank: of the step under way, from 0.
        since: since when it stands there.
        last_desk_id: the desk that may still take it back (*droit de remords*); None when none may.
        bound: the flow of its dossier gave what it holds, which is not its desk's to change (``signing.parapheur.binding``).
        leaves_at: when a finished folder goes on its way; None once it has, or while it is not finished.
        trouble: why its circuit could not go on by itself, for people.
    """

    __table_args__ = (
        Index("folder_of_dossier", "dossier_id", unique=True),
        Index("folder_external", "organisation_id", "external_id", unique=True),
        Index("folder_by_emitter", "emitter_id", "state", "since", "id"),
        Index("folder_retrievable", "last_desk_id", "since", "id"),
        Index("folder_leaving", "leaves_at"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    dossier_id: str = Field(max_length=26)
    external_id: str | None = Field(default=None, max_length=200)
    title: str = Field(max_length=255)
    sought: str = Field(default="", max_length=LONGEST, sa_column_kwargs={"server_default": text("''")})
    summary: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    subtype_id: str | None = Field(default=None, foreign_key="folder_subtype.id", max_length=26)
    state: str = Field(default=FolderState.DRAFT.value, max_length=20)
    visibility: str = Field(default=Visibility.CONFIDENTIAL.value, max_length=20)
    due: date | None = Field(default=None, sa_column=Column(Date))
    emitter_id: str = Field(foreign_key="desk.id", max_length=26)
    author: str = Field(max_length=40)
    fields: dict[str, str] = Field(default_factory=dict, sa_column=_json())
    variables: list[str] = Field(default_factory=list, sa_column=_json())
    circuit_id: str | None = Field(default=None, foreign_key="circuit.id", max_length=26)
    rank: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    since: datetime = Field(default_factory=clock.now, sa_column=_moment())
    last_desk_id: str | None = Field(default=None, max_length=26)
    bound: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    leaves_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    trouble: str | None = Field(default=None, max_length=1000)
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


keep_sought(Folder)


class FolderDocument(Owned, table=True):
    """A document of a folder, kept in the object store under its digest.

    Attributes:
        kind: a ``DocumentKind``.
        rank: its place among those of its kind.
        sha256: as it stands now, signatures included.
        source_sha256: as it was deposited.
        signature_of: of a detached signature, the document that it signs.
        stamp: where somebody put the visible signature: ``signing.pades.stamp.Place`` as JSON; None leaves it to the type.
        added_at: rank of the step in which it was added; None when it came with the folder.
    """

    __tablename__ = "folder_document"
    __table_args__ = (Index("folder_document_in_order", "folder_id", "kind", "rank"),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    folder_id: str = Field(foreign_key="folder.id", max_length=26)
    kind: str = Field(max_length=20)
    rank: int = Field(default=0, sa_column=Column(Integer, nullable=False))
    name: str = Field(max_length=255)
    media_type: str = Field(max_length=100)
    sha256: str = Field(max_length=64)
    source_sha256: str = Field(max_length=64)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    signature_of: str | None = Field(default=None, max_length=26)
    stamp: dict[str, Any] | None = Field(default=None, sa_column=Column(JsonValue))
    added_at: int | None = Field(default=None, sa_column=Column(Integer))
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class Task(Owned, table=True):
    """One thing asked of one desk.

    Attributes:
        rank: of the step in the circuit, from 0.
        kind: a ``StepKind``.
        state: a ``TaskState``.
        together: whether every desk of the step must act (``all``) or the first one decides (``any``).
        step: ``signing.parapheur.circuits.Step`` as JSON: what else it asks.
        asked_by: of an opinion, the task from which it was asked.
        opened: since when the desk can act; None before.
        closed: when it was done with, by ``actor``, of the desk ``behalf_id`` when that one stood in.
        due: that of the folder, for lists.
        alerted: when its desk was told that this day had passed.
    """

    __tablename__ = "folder_task"
    __table_args__ = (
        Index("folder_task_tray", "desk_id", "state", "opened", "id"),
        Index("folder_task_late", "desk_id", "state", "due"),
        Index("folder_task_in_order", "folder_id", "rank"),
    )

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    folder_id: str = Field(foreign_key="folder.id", max_length=26)
    rank: int = Field(sa_column=Column(Integer, nullable=False))
    kind: str = Field(max_length=20)
    desk_id: str = Field(foreign_key="desk.id", max_length=26)
    state: str = Field(default=TaskState.UPCOMING.value, max_length=20)
    together: str = Field(default="any", max_length=10)
    step: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    asked_by: str | None = Field(default=None, max_length=26)
    opened: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    closed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    actor: str | None = Field(default=None, max_length=40)
    behalf_id: str | None = Field(default=None, max_length=26)
    due: date | None = Field(default=None, sa_column=Column(Date))
    alerted: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class FolderEvent(Owned, table=True):
    """Something that happened to a folder; never changed, chained to the one before by its digest.

    Attributes:
        number: its rank in the folder, from 1.
        actor: who acted, as the journal names actors; ``desk_id`` at which desk, ``behalf_id`` standing in from which one.
        kind: what happened: ``approved``, ``signed``, ``rejected``…
        note: what is said to everybody; ``private_note`` to the desks of the next step only.
        facts: identifiers, digests, what was given; JSON values only.
        previous: digest of the event before, empty for the first.
        digest: hexadecimal SHA-256 of the canonical event, ``previous`` included; the journal bears it.
    """

    __tablename__ = "folder_event"
    __table_args__ = (Index("folder_event_in_order", "folder_id", "number", unique=True),)

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    folder_id: str = Field(foreign_key="folder.id", max_length=26)
    number: int = Field(sa_column=Column(Integer, nullable=False))
    at: datetime = Field(default_factory=clock.now, sa_column=_moment())
    actor: str = Field(max_length=40)
    desk_id: str | None = Field(default=None, max_length=26)
    behalf_id: str | None = Field(default=None, max_length=26)
    kind: str = Field(max_length=40)
    task_id: str | None = Field(default=None, max_length=26)
    note: str = Field(default="", max_length=512)
    private_note: str = Field(default="", max_length=512)
    facts: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    previous: str = Field(default="", max_length=64)
    digest: str = Field(max_length=64)


class FolderReading(Owned, table=True):
    """That a person has opened a folder, and what they have read of it.

    Attributes:
        pages: pages seen by document; a document read whole bears its digest under ``whole``.
        first: when they opened it first.
        last: when they opened it first in the step of their last opening.
    """

    __tablename__ = "folder_reading"

    folder_id: str = Field(foreign_key="folder.id", primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=26, index=True)
    pages: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    first: datetime = Field(default_factory=clock.now, sa_column=_moment())
    last: datetime = Field(default_factory=clock.now, sa_column=_moment())


class FolderSigning(Owned, table=True):
    """What a person said when they went to sign, until the sitting has given its signatures.

    Attributes:
        sitting_id: the sitting; its documents are named ``<task>/<document>``.
        ticket: what opens the agent, encrypted, until it has served: the page that shows it may be asked for again.
        remote: the platform itself has come to sign, with a remote key: a wrong PIN may be mended.
        settled: when nothing more can come of the sitting.
    """

    __tablename__ = "folder_signing"
    __table_args__ = (Index("folder_signing_open", "settled", "created"),)

    sitting_id: str = Field(foreign_key="sitting.id", primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", max_length=26)
    desk_id: str = Field(foreign_key="desk.id", max_length=26)
    task_ids: list[str] = Field(sa_column=_json())
    note: str = Field(default="", max_length=512)
    private_note: str = Field(default="", max_length=512)
    fields: dict[str, str] = Field(default_factory=dict, sa_column=_json())
    ticket: bytes | None = Field(default=None, sa_column=Column(Encrypted))
    remote: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))
    settled: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class Notice(Owned, table=True):
    """Something that a person is to be told; the outbox of mail.

    Attributes:
        category: ``signing.parapheur.notices.Category``.
        due: when it is to be sent, at the earliest.
        sent: when it was.
    """

    __tablename__ = "folder_notice"
    __table_args__ = (Index("folder_notice_due", "sent", "due"), Index("folder_notice_person", "person_id", "created"))

    id: str = Field(default_factory=new_id, primary_key=True, max_length=26)
    person_id: str = Field(foreign_key="person.id", max_length=26)
    folder_id: str = Field(foreign_key="folder.id", max_length=26)
    desk_id: str = Field(foreign_key="desk.id", max_length=26)
    category: str = Field(max_length=20)
    due: datetime = Field(sa_column=_moment())
    sent: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created: datetime = Field(default_factory=clock.now, sa_column=_moment())


class SignatoryProfile(SQLModel, table=True):
    """What a person's signatures say beside their certificate, and how they want to be told.

    Attributes:
        quality: in place of the desk's name: "Maire"; ``city`` and ``postal_code`` in place of the type's.
        frequency: ``signing.parapheur.notices.Frequency``.
        digest_hour: of the daily digest, on French clocks.
        remote_key: what the remote signing service calls their key; empty when they have none.
    """

    __tablename__ = "signatory_profile"

    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=26)
    quality: str = Field(default="", max_length=100)
    city: str = Field(default="", max_length=100)
    postal_code: str = Field(default="", max_length=5)
    frequency: str = Field(default="immediate", max_length=20)
    digest_hour: int = Field(default=8, sa_column=Column(Integer, nullable=False))
    remote_key: str = Field(default="", max_length=255)


class KnownCertificate(SQLModel, table=True):
    """A certificate with which a person has signed, or that they have declared.

    Attributes:
        sha256: hexadecimal, of its DER.
        confirmed: when the person, or an administrator, said that it is theirs; None for one that bears their name and was used.
    """

    __tablename__ = "known_certificate"

    person_id: str = Field(foreign_key="person.id", primary_key=True, max_length=26)
    sha256: str = Field(primary_key=True, max_length=64)
    subject: str = Field(max_length=255)
    issuer: str = Field(max_length=255)
    expires: datetime = Field(sa_column=_moment())
    confirmed: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    first: datetime = Field(default_factory=clock.now, sa_column=_moment())
