"""Asking another desk: to act in this one's place, or for its opinion."""

from __future__ import annotations

from sqlmodel import Session

from core import clock
from core.errors import UsageError
from core.messages import Catalogue
from core.principal import Principal
from signing.parapheur.actions import Held, hold
from signing.parapheur.desks import reachable
from signing.parapheur.history import SILENT, Said, tell
from signing.parapheur.models import Desk, StepKind, Task, TaskState
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import Standing, close_task, standing_of

_messages = Catalogue("signing.parapheur")


def transfer(session: Session, principal: Principal, task_id: str, desk_id: str, said: Said = SILENT) -> Standing:
    """Give a task to another desk, which has to do it in this one's place; an opinion goes back to the desk that asked for it.

    Raises:
        UsageError: the desk cannot be chosen from here.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id)
    target = _chosen(session, held, desk_id)
    close_task(session, held.task, held.hand, TaskState.TRANSFERRED)
    held.folder.last_desk_id = None
    session.add(held.folder)
    given = _beside(held.task, target.id, StepKind(held.task.kind))
    given.step, given.asked_by = held.task.step, held.task.asked_by
    session.add(given)
    session.flush()
    tell(session, held.folder, "transferred", held.hand, task_id=task_id, said=said, facts={"to": target.id})
    notify(session, held.folder, target.id, Category.TO_DO)
    return standing_of(session, held.folder)


def ask_opinion(session: Session, principal: Principal, task_id: str, desk_id: str, said: Said = SILENT) -> Standing:
    """Ask another desk what it thinks; the task waits for the answer at this desk.

    Raises:
        UsageError: the desk cannot be chosen from here.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id)
    if held.task.kind == StepKind.OPINION.value:
        raise UsageError(_messages("task.kind", kind=_messages("kind.opinion")))
    target = _chosen(session, held, desk_id)
    asked = _beside(held.task, target.id, StepKind.OPINION)
    asked.asked_by = held.task.id
    session.add(asked)
    held.task.state = TaskState.UPCOMING.value
    held.folder.last_desk_id = None
    session.add(held.task)
    session.add(held.folder)
    session.flush()
    tell(session, held.folder, "opinion_asked", held.hand, task_id=task_id, said=said, facts={"of": target.id})
    notify(session, held.folder, target.id, Category.TO_DO)
    return standing_of(session, held.folder)


def give_opinion(session: Session, principal: Principal, task_id: str, said: Said) -> Standing:
    """Answer: the task goes back to the desk that asked.

    Raises:
        UsageError: nothing is said.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id, StepKind.OPINION)
    if not said.note.strip():
        raise UsageError(_messages("opinion.empty"))
    close_task(session, held.task, held.hand, TaskState.DONE)
    asking = session.get(Task, held.task.asked_by)
    if asking is not None and asking.state == TaskState.UPCOMING.value:
        asking.state, asking.opened = TaskState.OPEN.value, clock.now()
        session.add(asking)
        notify(session, held.folder, asking.desk_id, Category.TO_DO)
    session.flush()
    tell(session, held.folder, "opinion_given", held.hand, task_id=task_id, said=said)
    return standing_of(session, held.folder)


def _chosen(session: Session, held: Held, desk_id: str) -> Desk:
    own = session.get(Desk, held.task.desk_id)
    found = {desk.id: desk for desk in reachable(session, own)} if own else {}
    if desk_id not in found or desk_id == held.task.desk_id:
        raise UsageError(_messages("task.desk"))
    return found[desk_id]


def _beside(task: Task, desk_id: str, kind: StepKind) -> Task:
    return Task(
        organisation_id=task.organisation_id,
        folder_id=task.folder_id,
        rank=task.rank,
        kind=kind.value,
        desk_id=desk_id,
        state=TaskState.OPEN.value,
        together=task.together,
        opened=clock.now(),
        due=task.due,
    )
