"""All that the page of a folder shows, read in one session for one visitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel import Session

from api.web.folder.asking import shown
from api.web.folder.circuit import StepShown, steps
from api.web.folder.decision import Decision, Powers, chosen_task, decision_on, powers_over
from api.web.folder.naming import Names, names_of
from api.web.trays.listing import Listing
from api.web.trays.rows import due, summary_of, when
from core.organisations import Organisation
from core.principal import Principal
from signing.parapheur import access, history, metadata, reading, trays, typology
from signing.parapheur.access import Seen
from signing.parapheur.annexes import is_fresh
from signing.parapheur.folders import documents_of
from signing.parapheur.models import DocumentKind, Folder, FolderDocument, FolderEvent
from signing.parapheur.trays import Neighbours, Tray
from signing.parapheur.typology import Kind


@dataclass(frozen=True, slots=True)
class Note:
    """Words that somebody left; ``private`` ones are shown to those whom they are meant for."""

    who: str
    desk: str
    at: str
    text: str
    private: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A folder for its page.

    Attributes:
        kind: None while no type was chosen.
        listing: from which it was opened, or where it lies; ``around`` its neighbours there.
        documents: all, in order; ``current`` the one that is shown, None when there is none.
        removable: identifiers of annexes that the visitor may take out.
        fields: metadata by name, as people read them.
        changes: metadata that were changed in the circuit, by identifier of the event: name, value before, value after.
        first_time: the visitor has not opened it before where it stands.
    """

    seen: Seen
    kind: Kind | None
    organisation: str
    names: Names
    listing: Listing | None
    around: Neighbours | None
    documents: tuple[FolderDocument, ...]
    current: FolderDocument | None
    removable: frozenset[str]
    decision: Decision | None
    powers: Powers
    circuit: tuple[StepShown, ...]
    fields: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    events: tuple[FolderEvent, ...]
    changes: Mapping[str, tuple[tuple[str, str, str], ...]]
    first_time: bool

    @property
    def folder(self) -> Folder:
        """The folder itself."""
        return self.seen.folder

    @property
    def summary(self) -> str:
        """What is known of its content."""
        return summary_of(self.folder.summary)

    @property
    def due(self) -> tuple[str, str]:
        """Tone and words of its last day."""
        return due(self.folder.due, ended=self.folder.state != "pending")

    @property
    def main(self) -> list[FolderDocument]:
        """Its main documents."""
        return [one for one in self.documents if one.kind == DocumentKind.MAIN.value]

    def of_kind(self, kind: str) -> list[FolderDocument]:
        """Return its documents of a kind."""
        return [one for one in self.documents if one.kind == kind]


def content_of(
    session: Session, principal: Principal, folder_id: str, *, task_id: str, document_id: str, listing: Listing | None
) -> Content:
    """Return what a page shows of a folder.

    Raises:
        NotFound: no such folder for them, or no such document in it.
    """
    found = access.seen(session, principal, folder_id)
    folder = found.folder
    documents = documents_of(session, folder.id)
    events = history.events_of(session, folder.id)
    kind = typology.kind_of(session, folder.subtype_id) if folder.subtype_id else None
    names = names_of(session, found.tasks, events, folder.author, folder.emitter_id)
    task = chosen_task(found, task_id)
    main = [one for one in documents if one.kind == DocumentKind.MAIN.value]
    behalf = names.desk(found.hands[task.id].behalf_id) if task else ""
    organisation = session.get(Organisation, folder.organisation_id)
    place = listing or _default(found, task.id if task else "")
    line = task.id if task and place.tray in {Tray.TO_DO, Tray.LATE, Tray.DELEGATED} else folder.id
    return Content(
        seen=found,
        kind=kind,
        organisation=organisation.name if organisation else "",
        names=names,
        listing=place,
        around=trays.neighbours(session, found.desks, place.tray, place.wanted, line),
        documents=tuple(documents),
        current=_current(documents, document_id),
        removable=frozenset(one.id for one in documents if task and is_fresh(one, folder.rank)),
        decision=decision_on(session, found, task, kind, main, behalf) if task and kind else None,
        powers=powers_over(session, principal, found),
        circuit=tuple(steps(found, events, names)),
        fields=_fields(session, folder, kind),
        notes=tuple(_notes(found, events, names)),
        events=tuple(events),
        changes=_changes(session, folder, events),
        first_time=not reading.has_opened(session, folder, found.desks.person_id),
    )


def _default(found: Seen, task_id: str) -> Listing:
    """Return the list in which a folder lies for somebody who came by a link."""
    hand = found.hands.get(task_id)
    return Listing(Tray.DELEGATED if hand and hand.behalf_id else Tray.TO_DO)


def _current(documents: list[FolderDocument], document_id: str) -> FolderDocument | None:
    shown_ones = [one for one in documents if one.kind in {DocumentKind.MAIN.value, DocumentKind.ANNEX.value}]
    chosen = next((one for one in documents if one.id == document_id), None)
    return chosen or (shown_ones[0] if shown_ones else None)


def _fields(session: Session, folder: Folder, kind: Kind | None) -> tuple[tuple[str, str], ...]:
    declared = metadata.declared(session, folder.organisation_id, folder.fields)
    order = [use.key for use in kind.options.fields] if kind else []
    keys = [*(key for key in order if key in folder.fields), *(key for key in declared if key not in order)]
    return tuple((declared[key].name if key in declared else key, shown(folder.fields[key], declared.get(key))) for key in keys)


def _changes(session: Session, folder: Folder, events: list[FolderEvent]) -> dict[str, tuple[tuple[str, str, str], ...]]:
    told = {event.id: event.facts["fields"] for event in events if "fields" in event.facts}
    declared = metadata.declared(session, folder.organisation_id, {key for changed in told.values() for key in changed})

    def read(key: str, value: str | None) -> str:
        return shown(value, declared.get(key)) if value else "–"

    return {
        identifier: tuple(
            (declared[key].name if key in declared else key, read(key, values["before"]), read(key, values["after"]))
            for key, values in changed.items()
        )
        for identifier, changed in told.items()
    }


def _notes(found: Seen, events: list[FolderEvent], names: Names) -> list[Note]:
    notes = []
    for event in events:
        who, desk = names.actor(event.actor), names.desk(event.behalf_id or event.desk_id)
        if event.note:
            notes.append(Note(who, desk, when(event.at), event.note, private=False))
        if event.private_note and access.hears(found, event):
            notes.append(Note(who, desk, when(event.at), event.private_note, private=True))
    return notes
