"""Taking back what a desk has just done (*droit de remords*)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from core.errors import Conflict, Forbidden
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur import answers, stamps, typology
from signing.parapheur.desks import Hand, hand_for, holders
from signing.parapheur.emitting import emitter_hand
from signing.parapheur.folders import locked
from signing.parapheur.history import events_of, tell
from signing.parapheur.models import Folder, FolderDocument, FolderReading, FolderState, Task, TaskState
from signing.parapheur.progress import Standing, left, standing_of, tasks_of, withdraw

_messages = Catalogue("signing.parapheur")
_CLOSES = frozenset({"approved", "signed", "signed_on_paper", "sealed", "imported"})


def undo(session: Session, principal: Principal, folder_id: str) -> Standing:
    """Take back what a desk has just done (*droit de remords*): the folder stands again where it did, as it was.

    The emitting desk may take back a folder that nobody has dealt with: it is a draft again.

    Raises:
        NotFound: there is none.
        Conflict: the next desk has dealt with it, or has read it where that is enough.
        Forbidden: the desk is not theirs.
    """
    folder = locked(session, folder_id)
    if folder.last_desk_id is None or not _untouched(session, folder):
        raise Conflict(_messages("undo.late"))
    done = _last_done(session, folder)
    hand = _hand(session, principal, folder, folder.last_desk_id, done)
    tasks = tasks_of(session, folder.id)
    for one in tasks:
        if one.rank == folder.rank and one.state == TaskState.OPEN.value:
            one.state, one.opened = TaskState.UPCOMING.value, None
            session.add(one)
    folder.last_desk_id, folder.leaves_at = None, None
    given: dict[str, Any] = {}
    if done is None:
        folder.state, folder.since, folder.rank = FolderState.DRAFT.value, clock.now(), 0
        withdraw(session, left(session, folder))
    else:
        given = _reopen(session, folder, done, tasks)
    session.add(folder)
    session.flush()
    tell(session, folder, "taken_back", hand, task_id=done.id if done else None, facts=given)
    return standing_of(session, folder)


def may_undo(session: Session, principal: Principal, folder: Folder) -> bool:
    """Tell whether somebody may take a folder back at this moment."""
    if folder.last_desk_id is None or not _untouched(session, folder):
        return False
    try:
        _hand(session, principal, folder, folder.last_desk_id, _last_done(session, folder))
    except Forbidden:
        return False
    return True


def _hand(session: Session, principal: Principal, folder: Folder, desk_id: str, done: Task | None) -> Hand:
    """Return by which right a person takes a folder back: from a desk of its circuit, or as the desk that sent it."""
    if done is None:
        return emitter_hand(session, principal, folder.emitter_id)
    return hand_for(session, principal, desk_id, folder.subtype_id)


def _untouched(session: Session, folder: Folder) -> bool:
    """Tell whether nobody has dealt with the step under way."""
    if folder.state == FolderState.FINISHED.value:
        return folder.leaves_at is not None
    if folder.state != FolderState.PENDING.value:
        return False
    here = [task for task in tasks_of(session, folder.id) if task.rank == folder.rank]
    if any(task.state != TaskState.OPEN.value for task in here):
        return False
    options = typology.kind_of(session, folder.subtype_id or "").options
    if options.recall_after_reading:
        return True
    desks = {task.desk_id for task in here}
    readers = select(FolderReading.person_id).where(FolderReading.folder_id == folder.id, col(FolderReading.last) >= folder.since)
    people = {person.id for found in holders(session, desks).values() for person in found}
    opened = session.exec(readers).all()
    return people.isdisjoint(opened)


def _last_done(session: Session, folder: Folder) -> Task | None:
    done = [
        task
        for task in tasks_of(session, folder.id)
        if task.rank == folder.rank - 1 and task.desk_id == folder.last_desk_id and task.state == TaskState.DONE.value
    ]
    return max(done, key=lambda task: task.closed or task.opened or clock.now()) if done else None


def _reopen(session: Session, folder: Folder, done: Task, tasks: list[Task]) -> dict[str, Any]:
    """Ask a task again, and return what is told of the metadata that change with it."""
    folder.state, folder.rank, folder.since = FolderState.PENDING.value, done.rank, clock.now()
    again = [one for one in tasks if one.id == done.id or (one.rank == done.rank and one.state == TaskState.WITHDRAWN.value)]
    asking = {one.asked_by for one in again if one.asked_by}
    for one in again:
        state = TaskState.UPCOMING if one.id in asking else TaskState.OPEN
        one.state, one.closed, one.actor, one.behalf_id = state.value, None, None, None
        session.add(one)
    closing = (event for event in reversed(events_of(session, folder.id)) if event.task_id == done.id and event.kind in _CLOSES)
    return _put_back(session, folder, next((event.facts for event in closing), {}))


def _put_back(session: Session, folder: Folder, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Put documents, places of visible signatures and metadata back as they were before an act."""
    for change in facts.get("documents", ()):
        document = session.get(FolderDocument, change["id"])
        if document is not None and change["before"] is None:
            session.delete(document)
        elif document is not None:
            document.sha256, document.size = change["before"], change["size"]
            session.add(document)
    stamps.put_back(session, facts)
    return answers.put_back(session, folder, facts)
