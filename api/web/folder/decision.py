"""What somebody may do with a folder at this moment: one thing first, the others at hand, nothing that would be refused."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from api.web.draft.acts import is_document
from api.web.folder.asking import Asked, asked_of
from api.web.trays.listing import Listing, folder_address
from core.principal import Principal
from signing.parapheur import reading
from signing.parapheur.access import Seen
from signing.parapheur.mailing import Dispatch, dispatch_of
from signing.parapheur.models import FolderDocument, FolderState, StepKind, Task, TaskState
from signing.parapheur.progress import awaits_opinion, step_of
from signing.parapheur.recall import may_undo
from signing.parapheur.typology import Kind, SignatureFormat

_FIRST = {
    StepKind.VISA.value: "viser",
    StepKind.SIGNATURE.value: "signer",
    StepKind.SEAL.value: "cacheter",
    StepKind.OPINION.value: "avis",
    StepKind.EXTERNAL.value: "importer",
    StepKind.MAIL.value: "envoyer",
}
_SIGNED = {StepKind.SIGNATURE.value, StepKind.EXTERNAL.value}


@dataclass(frozen=True, slots=True)
class Unread:
    """A document that must be read first: where its first unread page stands, and how many are left; 0 without pages."""

    document: FolderDocument
    page: int
    seen: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What is asked of the visitor.

    Attributes:
        first: the action that is asked; empty when there is none left: the mail is on its way.
        others: actions on the task, by name, in order.
        behalf: in whose place they act, by name; empty at their own desk.
        fields: metadata that the action asks for.
        unread: documents that must be read before; empty when nothing stands in the way.
        dispatch: where the mail that was asked for stands.
    """

    task: Task
    first: str
    others: tuple[str, ...]
    behalf: str
    fields: tuple[Asked, ...]
    unread: tuple[Unread, ...]
    dispatch: Dispatch


@dataclass(frozen=True, slots=True)
class Powers:
    """What the visitor may do with the folder apart from its tasks."""

    undo: bool
    trash: bool
    erase: bool
    mend: bool
    copy: bool
    remind: bool
    bypass: bool

    @property
    def any(self) -> bool:
        """Whether there is something."""
        return self.undo or self.trash or self.erase or self.mend or self.copy or self.remind or self.bypass


def chosen_task(found: Seen, task_id: str) -> Task | None:
    """Return the task that the visitor answers: the one that the address names, or their first."""
    own = [task for task in found.tasks if task.id in found.hands]
    return next((task for task in own if task.id == task_id), own[0] if own else None)


def decision_on(session: Session, found: Seen, task: Task, kind: Kind, documents: list[FolderDocument], behalf: str) -> Decision:
    """Return what may be done with a task that is the visitor's."""
    step = step_of(task) if task.step else None
    fields = asked_of(session, found.folder, step.approval_fields if step else ())
    dispatch = dispatch_of(task)
    mandatory = (
        not dispatch.under_way
        and kind.options.reading_mandatory
        and task.kind not in {StepKind.OPINION.value, StepKind.EXTERNAL.value}
    )
    return Decision(
        task,
        "" if dispatch.under_way else _FIRST[task.kind],
        () if dispatch.under_way else tuple(_others(task, kind, documents)),
        behalf,
        tuple(fields),
        tuple(_unread(session, found, documents)) if mandatory else (),
        dispatch,
    )


def _others(task: Task, kind: Kind, documents: list[FolderDocument]) -> list[str]:
    opinion = task.kind == StepKind.OPINION.value
    pdf = any(one.media_type == "application/pdf" for one in documents)
    stamped = kind.signing.visible and pdf and kind.signing.format in {SignatureFormat.AUTO, SignatureFormat.PADES}
    wanted = {
        "importer": task.kind == StepKind.SIGNATURE.value,
        "papier": task.kind in _SIGNED and kind.on_paper,
        "emplacement": task.kind in {StepKind.SIGNATURE.value, StepKind.SEAL.value} and stamped,
        "demander-avis": not opinion,
        "transferer": True,
        "annoter": True,
        "annexes": kind.options.annexes,
    }
    return [name for name, offered in wanted.items() if offered]


def _unread(session: Session, found: Seen, documents: list[FolderDocument]) -> list[Unread]:
    seen = reading.seen_pages(session, found.folder, found.desks.person_id)
    left = []
    for document in documents:
        pages = seen.get(document.id, set())
        if 0 not in pages:
            first = next(number for number in range(1, len(pages) + 2) if number not in pages)
            left.append(Unread(document, first, len(pages)))
    return left


def powers_over(session: Session, principal: Principal, found: Seen) -> Powers:
    """Return what the visitor may do with the folder itself."""
    folder = found.folder
    erasable = {FolderState.DRAFT.value, FolderState.REJECTED.value, FolderState.TRASHED.value}
    pending = folder.state == FolderState.PENDING.value
    waiting = pending and any(task.state == TaskState.OPEN.value for task in found.tasks)
    stuck = pending and any(awaits_opinion(task) for task in found.tasks)
    made_here = found.emits and is_document(session, folder)
    return Powers(
        undo=may_undo(session, principal, folder),
        trash=found.emits and folder.state == FolderState.FINISHED.value and folder.leaves_at is None,
        erase=found.emits and folder.state in erasable,
        mend=made_here and folder.state == FolderState.REJECTED.value,
        copy=made_here and folder.state != FolderState.ERASED.value,
        remind=found.emits and waiting,
        bypass=found.administers and (waiting or stuck),
    )


def reading_address(found: Seen, unread: Unread, listing: Listing | None, task: Task) -> str:
    """Return where the first page that was not read stands."""
    page = str(unread.page) if unread.page > 1 else None
    address = folder_address(found.folder.id, listing, tache=task.id, document=unread.document.id, page=page)
    return f"{address}#page-{unread.page}"
