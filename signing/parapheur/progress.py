"""How a folder goes from step to step: steps open, close, and the folder comes to its end.

What happens next is decided here and nowhere else, in the transaction of whoever acted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select

from core import clock
from signing.parapheur import typology
from signing.parapheur.circuits import Step, Together
from signing.parapheur.desks import Hand
from signing.parapheur.models import Folder, FolderState, Task, TaskState
from signing.parapheur.notices import Category, notify

# What a desk has asked to be sent by mail stands beside the step that its task keeps (``signing.parapheur.mailing``).
_MAILING = "mailing"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a folder stands after somebody has acted: what whoever carries it further must know.

    Attributes:
        automatic: what is asked next is done by the platform itself.
        leaves: it has come to its end, and nobody may take it back any more.
    """

    folder_id: str
    dossier_id: str
    state: FolderState
    automatic: bool
    leaves: bool


def tasks_of(session: Session, folder_id: str) -> list[Task]:
    """Return the tasks of a folder in the order of its circuit; those added under way after those they came from."""
    wanted = select(Task).where(Task.folder_id == folder_id).order_by(col(Task.rank), col(Task.opened).nulls_last(), col(Task.id))
    return list(session.exec(wanted))


def open_step(session: Session, folder: Folder, rank: int) -> None:
    """Open the tasks of a step, or bring the folder to its end when there is none of that rank."""
    folder.rank, folder.since = rank, clock.now()
    session.add(folder)
    asked = [task for task in tasks_of(session, folder.id) if task.rank == rank and task.state == TaskState.UPCOMING.value]
    if not asked:
        _finish(session, folder)
        return
    for task in asked:
        task.state, task.opened = TaskState.OPEN.value, folder.since
        session.add(task)
        notify(session, folder, task.desk_id, Category.TO_DO)
    session.flush()


def _finish(session: Session, folder: Folder) -> None:
    options = typology.kind_of(session, folder.subtype_id or "").options
    folder.state = FolderState.FINISHED.value
    folder.leaves_at = folder.since + timedelta(minutes=options.recall_minutes)
    if not options.recall_minutes:
        folder.last_desk_id = None
    session.add(folder)
    session.flush()
    notify(session, folder, folder.emitter_id, Category.FINISHED)


def close_task(session: Session, task: Task, hand: Hand | str, state: TaskState) -> None:
    """Close a task in the name of whoever acted."""
    task.state, task.closed = state.value, clock.now()
    task.actor = hand.actor if isinstance(hand, Hand) else hand
    task.behalf_id = hand.desk_id if isinstance(hand, Hand) and hand.behalf_id else None
    session.add(task)
    session.flush()


def step_done(session: Session, folder: Folder, task: Task) -> None:
    """Go on once a task is done: wait for the other desks of the step, or open the next step."""
    siblings = [
        one
        for one in tasks_of(session, folder.id)
        if one.rank == task.rank and one.id != task.id and (one.state == TaskState.OPEN.value or awaits_opinion(one))
    ]
    if task.together == Together.ALL.value and siblings:
        folder.last_desk_id = None
        session.add(folder)
        session.flush()
        return
    withdraw(session, siblings)
    folder.last_desk_id = task.desk_id
    for desk_id in step_of(task).notified:
        notify(session, folder, desk_id, Category.NOTIFIED)
    open_step(session, folder, task.rank + 1)


def withdraw(session: Session, tasks: list[Task]) -> None:
    """Take tasks away from desks that need not act any more."""
    for one in tasks:
        one.state, one.closed = TaskState.WITHDRAWN.value, clock.now()
        session.add(one)
    session.flush()


def left(session: Session, folder: Folder) -> list[Task]:
    """Return the tasks of a folder that are under way or to come."""
    going_on = {TaskState.OPEN.value, TaskState.UPCOMING.value}
    return [task for task in tasks_of(session, folder.id) if task.state in going_on]


def awaits_opinion(task: Task) -> bool:
    """Tell whether a task of the step under way waits for what another desk was asked: it was open before."""
    return task.state == TaskState.UPCOMING.value and task.opened is not None


def step_of(task: Task) -> Step:
    """Return what a task's step asks; an opinion has no step of its own."""
    return Step.model_validate({name: value for name, value in task.step.items() if name != _MAILING})


def standing_of(session: Session, folder: Folder) -> Standing:
    """Return where a folder stands."""
    opened = [task for task in tasks_of(session, folder.id) if task.state == TaskState.OPEN.value]
    return Standing(
        folder.id,
        folder.dossier_id,
        FolderState(folder.state),
        automatic=folder.state == FolderState.PENDING.value and bool(opened) and all(is_automatic(task) for task in opened),
        leaves=folder.leaves_at is not None and folder.leaves_at <= clock.now(),
    )


def is_automatic(task: Task) -> bool:
    """Tell whether the platform does a task by itself."""
    return bool(task.step.get("automatic")) or is_leaving(task)


def is_leaving(task: Task) -> bool:
    """Tell whether a desk has asked for a mail that is on its way."""
    return bool(mailing_kept(task).get("under_way"))


def mailing_kept(task: Task) -> dict[str, Any]:
    """Return what a task keeps of its mail, as JSON; empty as long as none was asked for."""
    kept: dict[str, Any] = task.step.get(_MAILING, {})
    return kept


def keep_mailing(session: Session, task: Task, mailing: dict[str, Any]) -> None:
    """Keep what becomes of a task's mail."""
    task.step = {**task.step, _MAILING: mailing}
    session.add(task)
    session.flush()
