"""What a docket is made of, gathered from a folder's tables: no word of it is chosen here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlmodel import Session, col, select

from core.journal import JournalEntry
from core.organisations import Organisation
from core.people import Person
from signing.docket.checking import Checked
from signing.parapheur import history, metadata, typology
from signing.parapheur.folders import documents_of, folder_of
from signing.parapheur.metadata import MetadataKind
from signing.parapheur.models import (
    Desk,
    DocumentKind,
    Folder,
    FolderDocument,
    FolderEvent,
    FolderState,
    StepKind,
    Task,
    TaskState,
    Visibility,
)
from signing.parapheur.progress import tasks_of

_PERSON = "person:"


@dataclass(frozen=True, slots=True)
class Field:
    """A metadata: its name, and its value as it is kept."""

    name: str
    kind: MetadataKind
    value: str


@dataclass(frozen=True, slots=True)
class Who:
    """Who did something, and at which desk.

    Attributes:
        person: name; None for software, for the platform, and for somebody whose account is gone.
        actor: what the journal says before the colon: ``person``, ``token``, ``platform``.
        desk: name of the desk at which they sit.
        absent: name of the desk in whose place they acted.
    """

    person: str | None
    actor: str
    desk: str | None = None
    absent: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A document of the folder.

    Attributes:
        sha256: as it stands; ``source_sha256`` as it was deposited.
        size: in octets.
        signs: of a detached signature, the identifier of what it signs.
        checked: what its signatures are worth; None when nobody has asked.
    """

    id: str
    kind: DocumentKind
    name: str
    media_type: str
    sha256: str
    source_sha256: str
    size: int
    signs: str | None
    checked: Checked | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was asked of a desk.

    Attributes:
        rank: of the step, from 1.
        who: who closed it; None while nobody has.
    """

    rank: int
    kind: StepKind
    desk: str
    state: TaskState
    closed: datetime | None
    who: Who | None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the folder.

    Attributes:
        note: what was said to everybody.
        toward: name of the desk to which it went: of a transfer, of a question.
        digest: of the event, which the journal bears.
    """

    number: int
    at: datetime
    kind: str
    who: Who
    note: str
    toward: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class Docket:
    """A folder as its docket tells it.

    Attributes:
        kind: type and subtype, their names; empty before one is chosen.
        at: the last thing that happened: the docket's own date.
        broken_at: number of the first event whose chain does not hold; None when all do.
        unborne: numbers of the events that the journal does not bear.
        entry: identifier of the journal entry of the last event.
    """

    folder_id: str
    dossier_id: str
    organisation: str
    title: str
    kind: tuple[str, ...]
    state: FolderState
    visibility: Visibility
    emitter: str
    external_id: str | None
    created: datetime
    due: date | None
    at: datetime
    fields: tuple[Field, ...]
    documents: tuple[Listed, ...]
    asked: tuple[Asked, ...]
    events: tuple[Happened, ...]
    broken_at: int | None
    unborne: tuple[int, ...]
    entry: str | None


@dataclass(frozen=True, slots=True)
class _Names:
    """Names of people and of desks, by identifier."""

    people: Mapping[str, str]
    desks: Mapping[str, str]

    def who(self, actor: str, desk_id: str | None, absent_id: str | None) -> Who:
        kind, _, identifier = actor.partition(":")
        desk, absent = self.desks.get(desk_id or ""), self.desks.get(absent_id or "")
        return Who(self.people.get(identifier) if kind == "person" else None, kind, desk, absent)


def content_of(
    session: Session, folder_id: str, checked: Mapping[str, Checked] | None = None, *, until: datetime | None = None
) -> Docket:
    """Gather the docket of a folder; one in the bin is told as what it was before, at the end of its circuit.

    Args:
        session: to read; it sees the folder.
        folder_id: the folder.
        checked: what its signatures are worth, by document (``checking.check``).
        until: leave out what happened later, so that a second try tells the same.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    folder = folder_of(session, folder_id)
    events = [event for event in history.events_of(session, folder_id) if until is None or event.at <= until]
    tasks = tasks_of(session, folder_id)
    names = _names(session, folder, tasks, events)
    borne = _borne(session, folder)
    return Docket(
        folder_id=folder.id,
        dossier_id=folder.dossier_id,
        organisation=session.get_one(Organisation, folder.organisation_id).name,
        title=folder.title,
        kind=_kind(session, folder),
        state=FolderState.FINISHED if folder.state == FolderState.TRASHED.value else FolderState(folder.state),
        visibility=Visibility(folder.visibility),
        emitter=names.desks[folder.emitter_id],
        external_id=folder.external_id,
        created=folder.created,
        due=folder.due,
        at=events[-1].at if events else folder.created,
        fields=_fields(session, folder),
        documents=tuple(_listed(one, checked or {}) for one in documents_of(session, folder_id)),
        asked=tuple(_asked(task, names) for task in tasks),
        events=tuple(_happened(event, names) for event in events),
        broken_at=history.broken_at(events),
        unborne=tuple(event.number for event in events if event.digest not in borne),
        entry=borne.get(events[-1].digest) if events else None,
    )


def _kind(session: Session, folder: Folder) -> tuple[str, ...]:
    if folder.subtype_id is None:
        return ()
    kind = typology.kind_of(session, folder.subtype_id)
    return kind.type_name, kind.name


def _names(session: Session, folder: Folder, tasks: Sequence[Task], events: Sequence[FolderEvent]) -> _Names:
    desks = {folder.emitter_id, *(task.desk_id for task in tasks), *(task.behalf_id for task in tasks)}
    desks |= {given for event in events for given in (event.desk_id, event.behalf_id, _toward(event))}
    actors = {task.actor or "" for task in tasks} | {event.actor for event in events}
    people = {actor.removeprefix(_PERSON) for actor in actors if actor.startswith(_PERSON)}
    return _Names(
        dict(session.exec(select(Person.id, Person.name).where(col(Person.id).in_(people))).all()),
        dict(session.exec(select(Desk.id, Desk.name).where(col(Desk.id).in_(desks - {None}))).all()),
    )


def _toward(event: FolderEvent) -> str | None:
    return event.facts.get("to") or event.facts.get("of")


def _borne(session: Session, folder: Folder) -> dict[str, str]:
    """Return the journal's entries on the folder: their identifiers by the digest of the event."""
    entries = select(JournalEntry.id, JournalEntry.facts).where(
        JournalEntry.dossier_id == folder.dossier_id, col(JournalEntry.kind).startswith("folder.")
    )
    return {facts["event"]: identifier for identifier, facts in session.exec(entries) if "event" in facts}


def _fields(session: Session, folder: Folder) -> tuple[Field, ...]:
    declared = metadata.declared(session, folder.organisation_id, folder.fields)
    named = [
        Field(declared[key].name, MetadataKind(declared[key].kind), value)
        if key in declared
        else Field(key, MetadataKind.TEXT, value)
        for key, value in folder.fields.items()
    ]
    return tuple(sorted(named, key=lambda field: field.name))


def _listed(document: FolderDocument, checked: Mapping[str, Checked]) -> Listed:
    return Listed(
        document.id,
        DocumentKind(document.kind),
        document.name,
        document.media_type,
        document.sha256,
        document.source_sha256,
        document.size,
        document.signature_of,
        checked.get(document.id),
    )


def _asked(task: Task, names: _Names) -> Asked:
    who = None
    if task.actor:  # of a task done for an absent desk, ``behalf_id`` is the desk that stood in
        who = names.who(task.actor, task.behalf_id or task.desk_id, task.desk_id if task.behalf_id else None)
    closed = task.closed if task.actor else None
    return Asked(task.rank + 1, StepKind(task.kind), names.desks[task.desk_id], TaskState(task.state), closed, who)


def _happened(event: FolderEvent, names: _Names) -> Happened:
    return Happened(
        event.number,
        event.at,
        event.kind,
        names.who(event.actor, event.desk_id, event.behalf_id),
        event.note,
        names.desks.get(_toward(event) or ""),
        event.digest,
    )
