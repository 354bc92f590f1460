"""What a worker does for a folder: start its circuit, set seals, send mail, hand a dossier over outside; one thing at a time."""

from __future__ import annotations

from functools import partial

from sqlmodel import Session, select

from core.errors import Conflict, Forbidden, NeedsOperator, NotFound, UsageError
from core.messages import Catalogue
from core.principal import PLATFORM
from flows.engine.table import stage
from flows.engine.work import Advance, Work
from flows.parapheur import external, mailing
from flows.parapheur.files import files_of, left, told
from flows.parapheur.holding import is_remade
from signing.legs import AlreadySigned, NotSignable
from signing.parapheur import folders, starting
from signing.parapheur.actions import Result, complete_automatically
from signing.parapheur.models import Folder, FolderState, StepKind, Task, TaskState
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import is_automatic, tasks_of
from signing.parapheur.sealing import seal

_messages = Catalogue("flows.parapheur")
_OVER = {FolderState.REJECTED.value: "declined", FolderState.ERASED.value: "given_up"}


@stage("signing", "waiting", "again", "completed", "declined", "given_up")
def proceed(work: Work) -> Advance:
    """Take a folder as far as it goes without anybody: one step at a time, each recorded before the next.

    A draft that is meant to start and cannot stays with its desk, with the reason; a seal that cannot be set waits for an
    operator; a mail that is refused is back at its desk. What goes through a parapheur outside has no folder here: it is handed
    over, and waits.
    """
    if external.is_asked(work):
        return external.submit(work)
    with work.platform.database.reading(PLATFORM) as session:
        folder = session.exec(select(Folder).where(Folder.dossier_id == work.dossier_id)).first()
        if folder is None:
            raise NeedsOperator(_messages("folder.missing"))
        tasks = tasks_of(session, folder.id)
    if folder.state == FolderState.DRAFT.value and work.facts.get("starts"):
        return _start(work, folder)
    if folder.state in _OVER:
        return Advance(_OVER[folder.state], facts=told(folder))
    if folder.state == FolderState.FINISHED.value:
        return _leave(work, folder)
    due = [task for task in tasks if task.state == TaskState.OPEN.value and is_automatic(task)]
    if folder.state == FolderState.PENDING.value and due:
        return _by_itself(work, folder, due[0], tasks)
    return Advance("waiting", facts=told(folder))


def _start(work: Work, folder: Folder) -> Advance:
    try:
        with work.platform.database.reading(PLATFORM) as session:
            _, asked, _ = starting.planned(session, folder)
    except (UsageError, Forbidden, NotFound, Conflict) as error:
        return Advance("waiting", facts={"starts": False}, apply=partial(_hold_back, folder.id, str(error)))
    outcome = "again" if asked[0].step.automatic else "waiting"
    return Advance(outcome, facts={"starts": False}, apply=partial(_started, folder.id))


def _started(folder_id: str, session: Session) -> None:
    try:
        with session.begin_nested():
            starting.start(session, folder_id, "platform")
    except (UsageError, Forbidden, NotFound, Conflict) as error:
        _hold_back(folder_id, str(error), session)


def _hold_back(folder_id: str, reason: str, session: Session) -> None:
    folder = folders.locked(session, folder_id)
    folder.trouble = reason[:1000]
    session.add(folder)
    notify(session, folder, folder.emitter_id, Category.REJECTED)


def _by_itself(work: Work, folder: Folder, task: Task, tasks: list[Task]) -> Advance:
    ahead = [one for one in tasks if one.rank == task.rank + 1]
    outcome = "waiting" if ahead and not all(map(is_automatic, ahead)) else "again"
    if task.kind == StepKind.MAIL.value:
        return mailing.send(work, folder, task, outcome)
    return _seal(work, task, outcome)


def _seal(work: Work, task: Task, outcome: str) -> Advance:
    try:
        results = seal(work.platform, task.id)
    except (UsageError, AlreadySigned, NotSignable) as error:
        raise NeedsOperator(_messages("seal.impossible", reason=error)) from error
    return Advance(outcome, apply=partial(_sealed, task.id, results))


def _sealed(task_id: str, results: list[Result], session: Session) -> None:
    complete_automatically(session, task_id, results)


def _leave(work: Work, folder: Folder) -> Advance:
    """Let a folder go that has come to its end by itself, unless somebody may still take it back.

    Raises:
        NeedsOperator: it is not any more what its flow asked about.
    """
    with work.platform.database.reading(PLATFORM) as session:
        if is_remade(session, folder):
            raise NeedsOperator(_messages("folder.remade"))
        if not left(folder):
            return Advance("waiting", facts=told(folder))
        return Advance("completed", facts=told(folder), files=files_of(session, folder), apply=partial(_gone, folder.id))


def _gone(folder_id: str, session: Session) -> None:
    folder = folders.locked(session, folder_id)
    folder.leaves_at, folder.last_desk_id = None, None
    session.add(folder)
