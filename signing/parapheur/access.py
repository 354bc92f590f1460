"""Who may see a folder, and what of it is theirs to do: asked anew by every page and every action."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Principal, Right
from signing.parapheur.desks import Around, Hand, around, covers, hand_at, person_of
from signing.parapheur.folders import folder_of
from signing.parapheur.models import Desk, Folder, FolderEvent, FolderState, Subtype, Task, TaskState, Visibility
from signing.parapheur.progress import step_of, tasks_of

_messages = Catalogue("signing.parapheur")


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder as somebody sees it.

    Attributes:
        tasks: of the folder, in the order of its circuit.
        desks: those that the person has to do with.
        at: the desks of the folder at which the person sits, holding them or standing in for them.
        hands: by task that is open and theirs to do, by which right.
        emits: they hold the desk that sent it, that desk may send, and their roles let them deposit.
        administers: they administer its organisation, and read its dossiers.
    """

    folder: Folder
    tasks: tuple[Task, ...]
    desks: Around
    at: frozenset[str]
    hands: dict[str, Hand]
    emits: bool
    administers: bool

    def task(self, task_id: str) -> Task | None:
        """Return a task of the folder by its identifier."""
        return next((task for task in self.tasks if task.id == task_id), None)


def seen(session: Session, principal: Principal, folder_id: str) -> Seen:
    """Return a folder for somebody who may see it.

    They may who hold, supervise or stand in for a desk of its circuit, past, present, to come or told of a step, or the desk that
    sends it; who administer the organisation and read its dossiers; and, of a public folder, who read its dossiers. A draft is
    its sender's alone.

    Raises:
        NotFound: there is none, or they may not: the two are not told apart.
        Forbidden: software sees no folder.
    """
    folder = folder_of(session, folder_id)
    desks = around(session, person_of(principal))
    tasks = tuple(tasks_of(session, folder.id))
    subtype = session.get(Subtype, folder.subtype_id) if folder.subtype_id else None
    type_id = subtype.type_id if subtype else None
    stands_in = {one.desk_id for one in desks.stands_in if covers(one, type_id, folder.subtype_id)}
    concerned = _concerned(folder, tasks)
    at = concerned & {*desks.held, *stands_in}
    # To administer does not open what is written: those who operate the platform administer every organisation of it.
    administers = all(principal.may(right, folder.organisation_id) for right in (Right.ADMINISTER, Right.READ))
    draft = folder.state == FolderState.DRAFT.value
    public = folder.visibility == Visibility.PUBLIC.value and not draft
    reads = public and principal.may(Right.READ, folder.organisation_id)
    if not (at or concerned & set(desks.supervised) or administers or reads):
        raise NotFound(_messages("folder.unknown"))
    emitter = session.get(Desk, folder.emitter_id)
    sends = emitter is not None and emitter.may_create and emitter.id in desks.held
    emits = sends and principal.may(Right.DEPOSIT, folder.organisation_id)
    acts = principal.may(Right.ACT, folder.organisation_id)
    hands = _hands(session, desks, tasks, type_id, folder.subtype_id) if acts else {}
    return Seen(folder, tasks, desks, frozenset(at), hands, emits, administers)


def _concerned(folder: Folder, tasks: tuple[Task, ...]) -> set[str]:
    if folder.state == FolderState.DRAFT.value:
        return {folder.emitter_id}
    there = {desk for task in tasks for desk in (task.desk_id, task.behalf_id) if desk}
    return {folder.emitter_id, *there, *(desk for task in tasks if task.step for desk in step_of(task).notified)}


def _hands(
    session: Session, desks: Around, tasks: tuple[Task, ...], type_id: str | None, subtype_id: str | None
) -> dict[str, Hand]:
    opened = [task for task in tasks if task.state == TaskState.OPEN.value]
    found = select(Desk).where(col(Desk.id).in_({task.desk_id for task in opened}))
    places = {desk.id: desk for desk in session.exec(found)} if opened else {}
    hands = {task.id: hand_at(desks, places[task.desk_id], type_id, subtype_id) for task in opened if task.desk_id in places}
    return {task_id: hand for task_id, hand in hands.items() if hand is not None}


def seen_task(session: Session, principal: Principal, task_id: str) -> tuple[Seen, Task]:
    """Return a task and its folder for somebody who may see them.

    Raises:
        NotFound, Forbidden: see ``seen``.
    """
    task = session.exec(select(Task).where(Task.id == task_id)).first()
    if task is None:
        raise NotFound(_messages("task.unknown"))
    return seen(session, principal, task.folder_id), task


def hears(found: Seen, event: FolderEvent) -> bool:
    """Tell whether somebody may read the private note of an event: its author, and who sits at the desks that come next."""
    return event.actor == f"person:{found.desks.person_id}" or bool(_next(found, event) & found.at)


def _next(found: Seen, event: FolderEvent) -> set[str]:
    """Return the desks to which an event leads."""
    named = {str(event.facts[key]) for key in ("to", "of") if key in event.facts}
    task = found.task(event.task_id or "")
    if named or task is None:
        return named or ({one.desk_id for one in found.tasks if one.rank == 0} if event.kind == "started" else set())
    if event.kind == "opinion_given":
        asking = found.task(task.asked_by or "")
        return {asking.desk_id} if asking else set()
    after = {one.desk_id for one in found.tasks if one.rank == task.rank + 1} if event.kind != "rejected" else set()
    return after or {found.folder.emitter_id}
