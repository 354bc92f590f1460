"""The start of a circuit: what a draft would go through, and what it has to hold before it leaves its desk."""

from __future__ import annotations

from sqlmodel import Session, select

from core.errors import Conflict, Forbidden, UsageError
from core.messages import Catalogue
from signing.parapheur import binding, circuits, foresight, metadata, typology
from signing.parapheur.desks import Hand
from signing.parapheur.folders import MOST_ANNEXES, documents_of, locked, own_draft, with_fields
from signing.parapheur.history import SILENT, Said, tell
from signing.parapheur.models import Circuit, Desk, DocumentKind, Folder, FolderState, Task, TaskState
from signing.parapheur.progress import Standing, open_step, standing_of
from signing.parapheur.typology import Kind

_messages = Catalogue("signing.parapheur")


def planned(session: Session, folder: Folder) -> tuple[Kind, list[circuits.Asked], Circuit]:
    """Return what a draft would go through if it started now: its kind, its steps with their desks, its circuit.

    Raises:
        UsageError: no subtype, a table that gives nothing, a desk to choose, closed or missing, a PES that nobody would sign.
        NotFound: a circuit that is not there any more.
    """
    emitter = session.get(Desk, folder.emitter_id)
    if folder.subtype_id is None or emitter is None:
        raise UsageError(_messages("folder.subtype"))
    kind = typology.kind_of(session, folder.subtype_id)
    found = foresight.foresee(session, kind, emitter, folder.fields, folder.variables)
    binding.refuse_no_signature(folder, kind, found.circuit, [one.step for one in found.asked])
    return kind, list(found.asked), found.circuit


def start(session: Session, folder_id: str, hand: Hand | str, said: Said = SILENT) -> Standing:
    """Send a draft into its circuit.

    Args:
        session: open to write.
        folder_id: the draft.
        hand: whoever sends it, at the emitting desk; an actor's name when software or the platform does.
        said: with which words, and the last metadata.

    Raises:
        Conflict: it is no draft any more.
        Forbidden: it is not at this desk, its flow gave these metadata, or the desk may not send this subtype.
        UsageError: documents or metadata are missing or too many, or the circuit cannot be drawn.
    """
    folder = own_draft(session, folder_id, hand) if isinstance(hand, Hand) else locked(session, folder_id)
    if folder.state != FolderState.DRAFT.value:
        raise Conflict(_messages("folder.no_draft"))
    folder.fields = with_fields(session, folder, said.fields)
    kind, asked, circuit = planned(session, folder)
    if kind.options.creation_desks and folder.emitter_id not in kind.options.creation_desks:
        raise Forbidden(_messages("folder.kind_forbidden", kind=kind.full_name))
    _refuse_content(session, folder, kind)
    folder.fields = _complete(session, folder, kind)
    folder.circuit_id, folder.state = circuit.id, FolderState.PENDING.value
    folder.trouble = None
    session.add(folder)
    _forget_tasks(session, folder)
    for rank, one in enumerate(asked):
        for desk_id in one.desks:
            session.add(_task(folder, rank, one.step, desk_id))
    session.flush()
    tell(session, folder, "started", hand, said=said, facts={"circuit": circuit.key, "version": circuit.version})
    folder.last_desk_id = folder.emitter_id
    open_step(session, folder, 0)
    return standing_of(session, folder)


def _forget_tasks(session: Session, folder: Folder) -> None:
    for task in session.exec(select(Task).where(Task.folder_id == folder.id)):
        session.delete(task)
    session.flush()


def _task(folder: Folder, rank: int, step: circuits.Step, desk_id: str) -> Task:
    return Task(
        organisation_id=folder.organisation_id,
        folder_id=folder.id,
        rank=rank,
        kind=step.kind.value,
        desk_id=desk_id,
        state=TaskState.UPCOMING.value,
        together=step.together.value,
        step=step.model_dump(mode="json"),
        due=folder.due,
    )


def _refuse_content(session: Session, folder: Folder, kind: Kind) -> None:
    found = documents_of(session, folder.id)
    main = sum(one.kind == DocumentKind.MAIN.value for one in found)
    annexes = sum(one.kind == DocumentKind.ANNEX.value for one in found)
    if not 0 < main <= kind.options.main_documents:
        raise UsageError(_messages("folder.main", found=main, most=kind.options.main_documents))
    if annexes > (MOST_ANNEXES if kind.options.annexes else 0):
        raise UsageError(_messages("folder.annexes", found=annexes))


def _complete(session: Session, folder: Folder, kind: Kind) -> dict[str, str]:
    uses = kind.options.fields
    defaults = {use.key: use.default for use in uses if use.default and use.key not in folder.fields}
    declared = metadata.declared(session, folder.organisation_id)
    mandatory = [use.key for use in uses if use.mandatory]
    return metadata.checked(declared, defaults, mandatory, folder.fields)
