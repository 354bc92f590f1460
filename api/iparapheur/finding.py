"""Which folders an account sees, by what it calls them, and where they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, tuple_
from sqlmodel import Session, col, select

from api.iparapheur.chronicle import Line, chronicle, present
from api.iparapheur.door import Account
from api.iparapheur.refusals import refusals, refused
from api.iparapheur.settings import settings_of
from connectors.iparapheur import messages as wire
from core.errors import Conflict, NotFound
from core.messages import Catalogue
from core.people import Person
from core.platform import Platform
from core.tokens import ApiToken
from signing.parapheur import access, recall, software, trays
from signing.parapheur.desks import holders
from signing.parapheur.history import events_of
from signing.parapheur.models import (
    Folder,
    FolderEvent,
    FolderReading,
    FolderState,
    FolderType,
    Seat,
    Subtype,
    Task,
    TaskState,
)
from signing.parapheur.progress import tasks_of

_messages = Catalogue("api.iparapheur")
_GONE = (FolderState.TRASHED.value, FolderState.ERASED.value)
_MOST = 5_000
_AT_ONCE = 500


def known_as(folder: Folder) -> str:
    """Return what software calls a folder."""
    return folder.external_id or folder.id


def find(session: Session, account: Account, identifier: str) -> Folder:
    """Return a folder that an account sees, by its own identifier or by that of whoever created it.

    Two organisations may call a folder alike: to a person of both, it is the one that a desk of theirs has sent.

    Raises:
        NotFound: there is none, or no longer; the message names it.
        Conflict: it may be several.
    """
    named = select(Folder).where(or_(col(Folder.external_id) == identifier, col(Folder.id) == identifier))
    named = named.where(col(Folder.state).not_in(_GONE)).order_by(col(Folder.id))
    found = [folder for folder in session.exec(named) if _sees(session, account, folder.id)]
    sent = [folder for folder in found if folder.emitter_id in {desk.id for desk in account.senders}]
    meant = sent or found
    if not meant:
        raise NotFound(_messages("folder.unknown", id=identifier[:200]))
    if len(meant) > 1:
        raise Conflict(_messages("folder.several", id=identifier[:200]))
    return meant[0]


def _sees(session: Session, account: Account, folder_id: str) -> bool:
    try:
        if account.desks is None:
            software.seen(session, account.principal, folder_id)
        else:
            access.seen(session, account.principal, folder_id)
    except NotFound:
        return False
    return True


def history(session: Session, platform: Platform, folder: Folder) -> list[Line]:
    """Return the history of a folder."""
    events, tasks = events_of(session, folder.id), tasks_of(session, folder.id)
    ids = {task.desk_id for task in tasks} | {str(one.facts[key]) for one in events for key in ("to", "of") if key in one.facts}
    found = select(FolderReading.first, FolderReading.person_id).where(FolderReading.folder_id == folder.id)
    sitting = _sitting(session, ids - {folder.emitter_id})
    readings = [(first, f"person:{person_id}") for first, person_id in session.exec(found) if person_id in sitting]
    return chronicle(
        folder,
        events,
        tasks,
        trays.names(session, list(ids)),
        readings,
        signer_rejects=settings_of(platform, folder.organisation_id).signer_rejects,
        refusal=refusals(session, [folder]).get(folder.id),
    )


def _sitting(session: Session, desk_ids: set[str]) -> set[str]:
    return {person.id for people in holders(session, desk_ids).values() for person in people}


def names_of(session: Session, actors: set[str]) -> dict[str, str]:
    """Return the names of people and of software, by actor; others have none."""
    ids = [actor.partition(":")[2] for actor in actors]
    people = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(ids))).all()
    tokens = session.exec(select(ApiToken.id, ApiToken.name).where(col(ApiToken.id).in_(ids))).all()
    return {f"person:{one}": name for one, name in people} | {f"token:{one}": name for one, name in tokens}


def search(
    session: Session, platform: Platform, account: Account, asked: wire.RechercherDossiersRequest
) -> list[wire.LogDossier]:
    """Return the folders that an account has to do with and that are what is asked, oldest first, each with its status.

    A person has to do with what their desks send and what passes at them; software with what it may read.
    """
    most = min(asked.most or _MOST, _MOST)
    wanted = select(Folder.id).where(*_criteria(account, asked)).order_by(col(Folder.id))
    entries: list[wire.LogDossier] = []
    after = ""
    while len(entries) < most:
        ids = list(session.exec(wanted.where(col(Folder.id) > after).limit(_AT_ONCE)))
        entries += [one for one in _entries(session, platform, account, ids) if asked.status in {None, "", one.status}]
        if len(ids) < _AT_ONCE:
            break
        after = ids[-1]
    return entries[:most]


def _criteria(account: Account, asked: wire.RechercherDossiersRequest) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [col(Folder.state).not_in(_GONE), _concerns(account)]
    if asked.dossier_ids:
        conditions.append(or_(col(Folder.external_id).in_(asked.dossier_ids), col(Folder.id).in_(asked.dossier_ids)))
    if asked.type or asked.subtype:
        kinds = select(Subtype.id).join(FolderType)
        kinds = kinds.where(FolderType.name == asked.type) if asked.type else kinds
        kinds = kinds.where(Subtype.name == asked.subtype) if asked.subtype else kinds
        conditions.append(col(Folder.subtype_id).in_(kinds))
    if (asked.status or "").startswith("Archive"):
        conditions.append(col(Folder.state) == FolderState.FINISHED.value)
    if (asked.status or "").startswith("Rejet"):
        conditions.append(or_(col(Folder.state) == FolderState.REJECTED.value, refused()))
    return conditions


def _concerns(account: Account) -> ColumnElement[bool]:
    if account.desks is None:
        return software.readable(account.principal)
    own = [*account.desks.held, *account.desks.supervised]
    passes = select(Task.folder_id).where(col(Task.desk_id).in_([*own, *(one.desk_id for one in account.desks.stands_in)]))
    there = and_(col(Folder.id).in_(passes), col(Folder.state) != FolderState.DRAFT.value)
    return or_(col(Folder.emitter_id).in_(own), there)


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of folders, by folder."""

    tasks: dict[str, list[Task]]
    last: dict[str, FolderEvent]
    readers: dict[str, set[str]]
    sitting: dict[str, set[str]]


def _entries(session: Session, platform: Platform, account: Account, ids: Sequence[str]) -> list[wire.LogDossier]:
    found = _found(session, ids)
    folders = session.exec(select(Folder).where(col(Folder.id).in_(ids)).order_by(col(Folder.id))).all()
    rejects = {owner: settings_of(platform, owner).signer_rejects for owner in {one.organisation_id for one in folders}}
    refusal_of = refusals(session, folders)
    entries = []
    for folder in folders:
        tasks, last, refusal = found.tasks[folder.id], found.last[folder.id], refusal_of.get(folder.id)
        opened = [task.desk_id for task in tasks if task.state == TaskState.OPEN.value]
        status = present(
            folder,
            tasks,
            was_read=any(found.readers[folder.id] & found.sitting[desk] for desk in opened),
            signer_rejects=rejects[folder.organisation_id],
            is_refused=refusal is not None,
        )
        moment, note = (refusal.moment, refusal.reason) if refusal else (last.at, last.note)
        entries.append(wire.LogDossier(moment, known_as(folder), status, note, _accessible(session, account, folder, opened)))
    return entries


def _found(session: Session, ids: Sequence[str]) -> _Found:
    found = _Found(defaultdict(list), {}, defaultdict(set), defaultdict(set))
    ordered = (col(Task.rank), col(Task.opened).nulls_last(), col(Task.id))
    for task in session.exec(select(Task).where(col(Task.folder_id).in_(ids)).order_by(*ordered)):
        found.tasks[task.folder_id].append(task)
    latest = select(FolderEvent.folder_id, func.max(FolderEvent.number)).where(col(FolderEvent.folder_id).in_(ids))
    place = tuple_(col(FolderEvent.folder_id), col(FolderEvent.number))
    for event in session.exec(select(FolderEvent).where(place.in_(latest.group_by(FolderEvent.folder_id)))):
        found.last[event.folder_id] = event
    for folder_id, person_id in session.exec(
        select(FolderReading.folder_id, FolderReading.person_id).where(col(FolderReading.folder_id).in_(ids))
    ):
        found.readers[folder_id].add(person_id)
    desks = {task.desk_id for tasks in found.tasks.values() for task in tasks if task.state == TaskState.OPEN.value}
    for desk_id, person_id in session.exec(select(Seat.desk_id, Seat.person_id).where(col(Seat.desk_id).in_(desks))):
        found.sitting[desk_id].add(person_id)
    return found


def _accessible(session: Session, account: Account, folder: Folder, opened: Sequence[str]) -> str:
    sends = folder.emitter_id in {desk.id for desk in account.senders}
    if folder.last_desk_id is not None and folder.state == FolderState.PENDING.value:
        if account.desks is None and software.may_recall(session, folder):
            return "Recuperable"
        if account.desks is not None and recall.may_undo(session, account.principal, folder):
            return "Recuperable"
    holds = account.desks is not None and bool(set(opened) & set(account.desks.held))
    return "OK" if holds or (sends and folder.state != FolderState.PENDING.value) else "KO"
