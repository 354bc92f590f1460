"""What people do to a folder in its circuit: approve, sign, reject, transfer, ask, take back.

An action names the task that it answers: of two who act at once, the second is told who was first, and nothing is lost. Each one
is an event of the folder in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from core import clock
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.people import Person
from core.principal import Principal, Right
from signing.parapheur import answers, binding, stamps, typology
from signing.parapheur.desks import Hand, hand_for
from signing.parapheur.folders import documents_of, locked, main_documents
from signing.parapheur.history import SILENT, Said, tell
from signing.parapheur.models import (
    DocumentKind,
    Folder,
    FolderDocument,
    FolderState,
    StepKind,
    Task,
    TaskState,
)
from signing.parapheur.notices import Category, notify
from signing.parapheur.progress import (
    Standing,
    awaits_opinion,
    close_task,
    is_leaving,
    left,
    open_step,
    standing_of,
    step_done,
    step_of,
    tasks_of,
    withdraw,
)
from signing.parapheur.reading import is_read

_messages = Catalogue("signing.parapheur")


@dataclass(frozen=True, slots=True)
class Held:
    """A task that somebody may act on, its folder locked."""

    folder: Folder
    task: Task
    hand: Hand


@dataclass(frozen=True, slots=True)
class Result:
    """What a signature or a seal made of a document.

    Attributes:
        document_id: the document.
        source_sha256: as it stood when it was signed.
        sha256: of the signed document, or of the detached signature; ``size`` in bytes.
        detached: name and media type of a detached signature; None when the document itself was signed.
    """

    document_id: str
    source_sha256: str
    sha256: str
    size: int
    detached: tuple[str, str] | None = None


def hold(session: Session, principal: Principal, task_id: str, *kinds: StepKind) -> Held:
    """Take hold of an open task.

    Args:
        session: open to write.
        principal: who acts.
        task_id: the task that they answer.
        kinds: what it may ask; anything when none is given.

    Raises:
        NotFound: there is none.
        Conflict: somebody was faster, or it is not to be done yet; the message says who and when. Or its mail is on its way.
        Forbidden: the desk is not theirs.
        UsageError: it asks something else.
    """
    task = session.exec(select(Task).where(Task.id == task_id)).first()
    if task is None:
        raise NotFound(_messages("task.unknown"))
    folder = locked(session, task.folder_id)
    session.refresh(task)
    hand = hand_for(session, principal, task.desk_id, folder.subtype_id)
    refuse_past(session, task)
    if is_leaving(task):
        raise Conflict(_messages("mail.leaving"))
    if kinds and task.kind not in {kind.value for kind in kinds}:
        raise UsageError(_messages("task.kind", kind=_messages(f"kind.{task.kind}")))
    return Held(folder, task, hand)


def refuse_past(session: Session, task: Task) -> None:
    """Go on only with an open task.

    Raises:
        Conflict: it is past or to come; the message says by whom and when it was dealt with.
    """
    if task.state == TaskState.OPEN.value:
        return
    if task.state == TaskState.UPCOMING.value:
        raise Conflict(_messages("task.early"))
    when = clock.in_paris(task.closed or clock.now())
    moment = {"day": f"{when:%d/%m/%Y}", "hour": f"{when.hour}", "minute": f"{when:%M}"}
    if task.state == TaskState.WITHDRAWN.value:
        raise Conflict(_messages("task.withdrawn", **moment))
    person = session.get(Person, (task.actor or "").removeprefix("person:"))
    raise Conflict(_messages("task.past", who=person.name if person else _messages("task.somebody"), **moment))


def approve(session: Session, principal: Principal, task_id: str, said: Said = SILENT) -> Standing:
    """Give a visa.

    Raises:
        UsageError: metadata are missing, or documents must be read first.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id, StepKind.VISA)
    check_ready(session, held, said)
    return _done(session, held, "approved", said)


def sign_on_paper(session: Session, principal: Principal, task_id: str, said: Said = SILENT) -> Standing:
    """Tell that the documents were signed on paper.

    Raises:
        Forbidden: the subtype asks for an electronic signature, or its protocol does (see ``typology.Kind.on_paper``).
        UsageError, NotFound, Conflict: see ``approve``.
    """
    held = hold(session, principal, task_id, StepKind.SIGNATURE, StepKind.EXTERNAL)
    if not typology.kind_of(session, held.folder.subtype_id or "").on_paper:
        raise Forbidden(_messages("task.paper"))
    check_ready(session, held, said)
    return _done(session, held, "signed_on_paper", said)


def check_ready(session: Session, held: Held, said: Said) -> None:
    """Refuse to go on without what the step asks for; metadata are kept when it is done.

    Raises:
        UsageError: metadata are missing or may not be changed, or documents must be read first.
    """
    kind = typology.kind_of(session, held.folder.subtype_id or "")
    if kind.options.reading_mandatory and not is_read(session, held.folder, held.hand.person_id):
        raise UsageError(_messages("task.unread"))
    answers.check(session, held.folder, step_of(held.task).approval_fields, said)


def complete(session: Session, held: Held, results: Sequence[Result], said: Said = SILENT) -> Standing:
    """Close a signature or a seal with what it made of the documents.

    Raises:
        Conflict: a document has changed since it was given to be signed.
        UsageError: a main document has no result, or metadata are missing or may not be changed.
    """
    before = _apply(session, held.folder, results)
    kind = "sealed" if held.task.kind == StepKind.SEAL.value else "signed"
    return _done(session, held, kind, said, {"documents": before})


def _apply(session: Session, folder: Folder, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Put signed documents in place of what they were, and return what is needed to put them back."""
    documents = {document.id: document for document in main_documents(session, folder.id)}
    if documents.keys() != {result.document_id for result in results}:
        raise UsageError(_messages("sign.incomplete"))
    before: list[dict[str, Any]] = []
    for result in results:
        document = documents[result.document_id]
        if document.sha256 != result.source_sha256:
            raise Conflict(_messages("sign.changed", name=document.name))
        if result.detached is None:
            before.append({"id": document.id, "before": document.sha256, "size": document.size, "after": result.sha256})
            document.sha256, document.size = result.sha256, result.size
            session.add(document)
        else:
            added = _detached(session, folder, document, result)
            before.append({"id": added.id, "before": None, "after": result.sha256})
    session.flush()
    return before


def _detached(session: Session, folder: Folder, document: FolderDocument, result: Result) -> FolderDocument:
    name, media_type = result.detached or ("", "")
    there = [one for one in documents_of(session, folder.id) if one.kind == DocumentKind.SIGNATURE.value]
    added = FolderDocument(
        organisation_id=folder.organisation_id,
        folder_id=folder.id,
        kind=DocumentKind.SIGNATURE.value,
        rank=len(there),
        name=name[:255],
        media_type=media_type,
        sha256=result.sha256,
        source_sha256=result.sha256,
        size=result.size,
        signature_of=document.id,
        added_at=folder.rank,
    )
    session.add(added)
    session.flush()
    return added


def _done(session: Session, held: Held, kind: str, said: Said, facts: Mapping[str, Any] | None = None) -> Standing:
    given = answers.keep(session, held.folder, step_of(held.task).approval_fields, said)
    told = {**(facts or {}), **given, **_spent(session, held.folder, held.task)}
    close_task(session, held.task, held.hand, TaskState.DONE)
    tell(session, held.folder, kind, held.hand, task_id=held.task.id, said=said, facts=told)
    step_done(session, held.folder, held.task)
    return standing_of(session, held.folder)


def _spent(session: Session, folder: Folder, *tasks: Task) -> dict[str, Any]:
    """Take the places of visible signatures away once a task that signs is over, however it ends: they were its signer's."""
    return stamps.spend(session, folder) if any(task.kind in binding.SIGNS for task in tasks) else {}


def complete_automatically(session: Session, task_id: str, results: Sequence[Result]) -> Standing:
    """Close a seal that the platform has set by itself.

    Raises:
        NotFound, Conflict, UsageError: see ``complete``.
    """
    task = session.get(Task, task_id)
    if task is None:
        raise NotFound(_messages("task.unknown"))
    folder = locked(session, task.folder_id)
    session.refresh(task)
    refuse_past(session, task)
    before = _apply(session, folder, results)
    close_task(session, task, "platform", TaskState.DONE)
    tell(session, folder, "sealed", "platform", task_id=task.id, facts={"documents": before, **_spent(session, folder, task)})
    step_done(session, folder, task)
    return standing_of(session, folder)


def reject(session: Session, principal: Principal, task_id: str, said: Said) -> Standing:
    """Reject a folder: it goes back to the desk that sent it, with the reason.

    Raises:
        UsageError: no reason, or metadata that a rejection asks for are missing.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id)
    if held.task.kind == StepKind.OPINION.value:
        raise UsageError(_messages("task.kind", kind=_messages("kind.opinion")))
    if not said.note.strip():
        raise UsageError(_messages("reject.reason"))
    given = answers.keep(session, held.folder, step_of(held.task).rejection_fields, said)
    close_task(session, held.task, held.hand, TaskState.REJECTED)
    withdraw(session, left(session, held.folder))
    folder = held.folder
    folder.state, folder.since, folder.last_desk_id = FolderState.REJECTED.value, clock.now(), None
    session.add(folder)
    told = {**given, **_spent(session, folder, held.task)}
    tell(session, folder, "rejected", held.hand, task_id=held.task.id, said=said, facts=told)
    notify(session, folder, folder.emitter_id, Category.REJECTED)
    return standing_of(session, folder)


def bypass(session: Session, principal: Principal, folder_id: str, said: Said) -> Standing:
    """Go past the step under way, as an administrator; why is said.

    Raises:
        Forbidden: the principal does not administer the organisation.
        UsageError: no reason.
        Conflict: the folder is not in its circuit; or it is a PES that would come out of it unsigned.
    """
    folder = locked(session, folder_id)
    principal.require(Right.ADMINISTER, folder.organisation_id)
    if not said.note.strip():
        raise UsageError(_messages("reject.reason"))
    if folder.state != FolderState.PENDING.value:
        raise Conflict(_messages("folder.over"))
    here = [task for task in tasks_of(session, folder.id) if task.rank == folder.rank]
    binding.refuse_unsigned(session, folder, here)
    for task in here:
        if task.state == TaskState.OPEN.value or awaits_opinion(task):
            close_task(session, task, principal.actor, TaskState.BYPASSED)
    folder.last_desk_id = None
    tell(session, folder, "bypassed", principal.actor, said=said, facts=_spent(session, folder, *here))
    open_step(session, folder, folder.rank + 1)
    return standing_of(session, folder)


def annotate(session: Session, principal: Principal, task_id: str, said: Said) -> None:
    """Leave words in a folder without deciding.

    Raises:
        UsageError: nothing is said.
        NotFound, Conflict, Forbidden: see ``hold``.
    """
    held = hold(session, principal, task_id)
    if not (said.note.strip() or said.private_note.strip()):
        raise UsageError(_messages("opinion.empty"))
    tell(session, held.folder, "annotated", held.hand, task_id=task_id, said=said)
