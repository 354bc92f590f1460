"""Signing folders: several tasks, one sitting, one certificate; a task is done when each of its documents is signed.

What the person says goes in first and waits with the sitting. As signatures come, tasks are closed one by one, each in a
transaction of its own: a document that cannot be signed keeps its folder where it stands, and no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from sqlmodel import Session, col, select

from core import clock
from core.blobs import Blob
from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from core.people import Person, principal_of
from core.platform import Platform
from core.principal import PLATFORM, Principal
from signing import formats
from signing.keys import name_of
from signing.parapheur import answers, typology
from signing.parapheur.actions import Held, Result, check_ready, complete, hold, refuse_past
from signing.parapheur.folders import locked, main_documents
from signing.parapheur.forms import form_of, rank_of, result_name, speaker
from signing.parapheur.history import SILENT, Said
from signing.parapheur.models import (
    Desk,
    Folder,
    FolderDocument,
    FolderEvent,
    FolderSigning,
    StepKind,
    Task,
    TaskState,
)
from signing.parapheur.progress import Standing
from signing.sittings import sittings
from signing.sittings.models import ItemState, Sitting, SittingItem, SittingState
from signing.sittings.sittings import Document, Pass

_messages = Catalogue("signing.parapheur")
_OVER = {SittingState.CLOSED.value, SittingState.ABANDONED.value, SittingState.EXPIRED.value}


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that a sitting could not close, and why."""

    task_id: str
    reason: str


def open_signing(platform: Platform, principal: Principal, task_ids: Sequence[str], said: Said = SILENT) -> Pass:
    """Open a sitting over the documents of several tasks, and return the only readable copy of its ticket.

    Of several tasks, those that somebody has dealt with meanwhile stay out, and ``missed`` tells why; nothing that one folder
    bears is written over by what is said to all.

    Args:
        platform: its parts.
        principal: the person who will sign.
        task_ids: signature tasks of one organisation, in the order in which they are shown.
        said: what goes with each signature.

    Raises:
        UsageError: no task, tasks of several organisations, documents that must be read first, metadata that are missing.
        Conflict: none of them can be done any more, or yet; see ``actions.hold``.
        NotFound, Forbidden: see ``actions.hold``.
    """
    if not task_ids:
        raise UsageError(_messages("sign.none"))
    chosen = list(dict.fromkeys(task_ids))
    documents: list[Document] = []
    with platform.database.writing(principal) as session:
        held = _held(session, principal, chosen)
        if len({one.folder.organisation_id for one in held}) != 1:
            raise UsageError(_messages("sign.organisations"))
        for one in held:
            check_ready(session, one, _as_said(one.folder, said, chosen))
            documents += _documents(session, one)
        first = held[0]
        person = session.get_one(Person, first.hand.person_id)
    passed = sittings.open_sitting(platform.database, principal, first.folder.organisation_id, person.name, documents)
    with platform.database.writing(principal) as session:
        session.add(
            FolderSigning(
                sitting_id=passed.sitting_id,
                organisation_id=first.folder.organisation_id,
                person_id=person.id,
                desk_id=first.hand.desk_id,
                task_ids=chosen,
                note=said.note,
                private_note=said.private_note,
                fields=dict(said.fields),
                ticket=platform.secrets.encrypt(passed.secret.encode()),
            )
        )
    return passed


def _held(session: Session, principal: Principal, task_ids: Sequence[str]) -> list[Held]:
    held, past = list[Held](), None
    for task_id in task_ids:
        try:
            held.append(hold(session, principal, task_id, StepKind.SIGNATURE))
        except Conflict as error:
            past = error
    if past is not None and not held:
        raise past
    return held


def _as_said(folder: Folder, said: Said, task_ids: Sequence[str]) -> Said:
    return answers.of_several(folder, said) if len(task_ids) > 1 else said


def _documents(session: Session, held: Held) -> list[Document]:
    kind = typology.kind_of(session, held.folder.subtype_id or "")
    desk = session.get_one(Desk, held.task.desk_id)
    said = speaker(session, held.hand.person_id, desk, kind.signing)
    return [
        Document(
            _shown(held.folder.title, document),
            form_of(session, held.folder, document, kind, said, StepKind.SIGNATURE),
            Blob(document.sha256, document.size),
            document.media_type,
            f"{held.task.id}/{document.id}",
        )
        for document in main_documents(session, held.folder.id)
    ]


def _shown(title: str, document: FolderDocument) -> str:
    return (title if document.name.startswith(title) else f"{title} – {document.name}")[:200]


def own_signing(session: Session, principal: Principal, sitting_id: str) -> FolderSigning:
    """Return what a person said when they went to sign.

    Raises:
        NotFound: it is no sitting of theirs.
    """
    found = session.get(FolderSigning, sitting_id)
    if found is None or principal.actor != f"person:{found.person_id}":
        raise NotFound(_messages("sign.unknown"))
    return found


def ticket_of(platform: Platform, signing: FolderSigning) -> str | None:
    """Return the ticket that opens the agent, as long as it has not served."""
    with platform.database.reading(PLATFORM) as session:
        sitting = session.get(Sitting, signing.sitting_id)
    fresh = sitting is not None and sitting.state == SittingState.OPEN.value and sitting.expires > clock.now()
    return platform.secrets.decrypt(signing.ticket).decode() if fresh and signing.ticket else None


def signer_of(session: Session, sitting_id: str) -> str | None:
    """Return the person who signs in a sitting of the parapheur; None for a sitting of somebody else's."""
    found = session.get(FolderSigning, sitting_id)
    return found.person_id if found else None


def actor_of(session: Session, sitting_id: str) -> str:
    """Return who signs in a sitting, as the journal names actors.

    Raises:
        NotFound: it is no sitting of the parapheur.
    """
    person_id = signer_of(session, sitting_id)
    if person_id is None:
        raise NotFound(_messages("task.unknown"))
    return f"person:{person_id}"


def unsettled(session: Session, most: int = 100) -> list[str]:
    """Return the sittings from which something may still come, the oldest first."""
    wanted = select(FolderSigning.sitting_id).where(col(FolderSigning.settled).is_(None)).order_by(col(FolderSigning.created))
    return list(session.exec(wanted.limit(most)))


def settled(session: Session, sitting_id: str) -> bool:
    """Keep that nothing more comes of a sitting that is over; True when it is."""
    found, sitting = session.get(FolderSigning, sitting_id), session.get(Sitting, sitting_id)
    if found is None or sitting is None:
        return True
    over = sitting.state in _OVER or sitting.expires <= clock.now()
    if over and found.settled is None:
        found.settled, found.ticket = clock.now(), None
        session.add(found)
    return over


def ready(platform: Platform, sitting_id: str) -> list[str]:
    """Return the tasks of a sitting of which every document is signed and that still wait for it, in their order.

    One that was taken back since waits for another signature.
    """
    with platform.database.reading(PLATFORM) as session:
        found = session.get(FolderSigning, sitting_id)
        if found is None:
            return []
        by_task = _by_task(session, sitting_id)
        taken_back = _taken_back(session, found)
        open_tasks = still_open(session, found.task_ids)
    signed = {task_id for task_id, items in by_task.items() if all(item.state == ItemState.SIGNED.value for item in items)}
    return [task_id for task_id in found.task_ids if task_id in (signed & open_tasks) - taken_back]


def still_open(session: Session, task_ids: Sequence[str]) -> set[str]:
    """Return which of some tasks are open."""
    return set(session.exec(select(Task.id).where(col(Task.id).in_(task_ids), Task.state == TaskState.OPEN.value)).all())


def missed(session: Session, sitting_id: str) -> list[Failure]:
    """Return the tasks of a sitting whose folders went on without its signatures, with the reason."""
    found = session.get(FolderSigning, sitting_id)
    if found is None:
        return []
    by_task, taken_back = _by_task(session, sitting_id), _taken_back(session, found)
    tasks = {task.id: task for task in session.exec(select(Task).where(col(Task.id).in_(found.task_ids)))}
    failures = []
    for task_id in found.task_ids:
        task, items = tasks.get(task_id), by_task.get(task_id, [])
        if task is None:
            failures.append(Failure(task_id, _messages("sign.sent_again")))
        elif task_id in taken_back:
            failures.append(Failure(task_id, _messages("sign.taken_back")))
        elif not _is_theirs(found, task, items):
            failures += _past(session, task)
    return failures


def _is_theirs(found: FolderSigning, task: Task, items: Sequence[SittingItem]) -> bool:
    signed = bool(items) and all(item.state == ItemState.SIGNED.value for item in items)
    return signed and task.state == TaskState.DONE.value and task.actor == f"person:{found.person_id}"


def _past(session: Session, task: Task) -> list[Failure]:
    try:
        refuse_past(session, task)
    except Conflict as error:
        return [Failure(task.id, str(error))]
    return []


def _taken_back(session: Session, found: FolderSigning) -> set[str]:
    """Return the tasks of a sitting that were taken back since it was opened."""
    wanted = select(FolderEvent.task_id).where(
        col(FolderEvent.folder_id).in_(select(Task.folder_id).where(col(Task.id).in_(found.task_ids))),
        FolderEvent.kind == "taken_back",
        col(FolderEvent.task_id).in_(found.task_ids),
        FolderEvent.at >= found.created,
    )
    return {task_id for task_id in session.exec(wanted) if task_id}


def _by_task(session: Session, sitting_id: str) -> dict[str, list[SittingItem]]:
    items: dict[str, list[SittingItem]] = defaultdict(list)
    for item in session.exec(select(SittingItem).where(SittingItem.sitting_id == sitting_id)):
        items[(item.reference or "").partition("/")[0]].append(item)
    return items


def close(session: Session, sitting_id: str, task_id: str) -> Standing:
    """Close a task with the signatures of a sitting.

    The person's rights were asked when they went to sign, and are asked again now.

    Raises:
        NotFound: no such task or sitting.
        Conflict: somebody was faster, or a document has changed since.
        Forbidden: the desk is theirs no more, they lost the right to act there, or their account was suspended.
    """
    found = session.get(FolderSigning, sitting_id)
    sitting = session.get(Sitting, sitting_id)
    task = session.get(Task, task_id)
    if found is None or sitting is None or task is None or task_id not in found.task_ids:
        raise NotFound(_messages("task.unknown"))
    folder = locked(session, task.folder_id)
    session.refresh(task)
    refuse_past(session, task)
    held = hold(session, _signatory(session, found.person_id), task_id, StepKind.SIGNATURE)
    certificate = x509.load_der_x509_certificate(sitting.certificate) if sitting.certificate else None
    signer = name_of(certificate) if certificate else ""
    documents = {document.id: document for document in main_documents(session, folder.id)}
    results = []
    for item in _by_task(session, sitting_id)[task_id]:
        document = documents.get((item.reference or "").partition("/")[2])
        if document is None or item.result_sha256 is None:
            raise Conflict(_messages("sign.changed", name=item.title))
        how = formats.from_json(item.format, item.context)
        detached = result_name(document, how, signer, rank_of(session, folder, document))
        results.append(Result(document.id, item.sha256, item.result_sha256, item.result_size or 0, detached))
    said = Said(found.note, found.private_note, found.fields)
    return complete(session, held, results, _as_said(folder, said, found.task_ids))


def _signatory(session: Session, person_id: str) -> Principal:
    """Return the principal of whoever signs, with the rights that they have now."""
    person = session.get_one(Person, person_id)
    if person.suspended is not None:
        raise Forbidden(_messages("sign.suspended", person=person.name))
    return principal_of(session, person)


def refusals(platform: Platform, sitting_id: str) -> list[Failure]:
    """Return the tasks of a sitting of which a document was refused, with the reason."""
    with platform.database.reading(PLATFORM) as session:
        return [
            Failure(task_id, item.detail or _messages("sign.refused"))
            for task_id, items in _by_task(session, sitting_id).items()
            for item in items
            if item.state == ItemState.REFUSED.value
        ]
