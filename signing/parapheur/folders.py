"""Folders from their making to the start of their circuit: documents, metadata, drafts.

Every function works in the session that it is given, and locks the folder's row first: of two who act at once, the second sees
what the first has done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlmodel import Session, select

from core.errors import Conflict, Forbidden, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur import binding, circuits, foresight, metadata, typology
from signing.parapheur.desks import Hand, require_sender
from signing.parapheur.history import SILENT, Said, tell
from signing.parapheur.models import (
    Circuit,
    Desk,
    DocumentKind,
    Folder,
    FolderDocument,
    FolderState,
    Task,
    TaskState,
    Visibility,
)
from signing.parapheur.progress import Standing, open_step, standing_of
from signing.parapheur.typology import Kind

_messages = Catalogue("signing.parapheur")
MOST_ANNEXES = 200


@dataclass(frozen=True, slots=True)
class Joined:
    """A document to put into a folder; it is in the object store already.

    Attributes:
        signature_of: of a detached signature that came with it, the name of the document that it signs.
    """

    kind: DocumentKind
    name: str
    media_type: str
    sha256: str
    size: int
    signature_of: str | None = None


@dataclass(frozen=True, slots=True)
class NewFolder:
    """A folder to make; see ``models.Folder``."""

    dossier_id: str
    organisation_id: str
    title: str
    emitter_id: str
    author: str
    documents: Sequence[Joined]
    subtype_id: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    variables: Sequence[str] = ()
    due: date | None = None
    visibility: Visibility = Visibility.CONFIDENTIAL
    external_id: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    bound: bool = False


def create(session: Session, new: NewFolder) -> Folder:
    """Make a draft.

    Raises:
        UsageError: no title, a desk that may send nothing, metadata that do not read as their kind.
        Conflict: the external identifier is taken.
    """
    require_sender(session, new.organisation_id, new.emitter_id)
    if new.external_id:
        taken = select(Folder.title).where(Folder.organisation_id == new.organisation_id, Folder.external_id == new.external_id)
        if session.exec(taken).first() is not None:
            raise Conflict(_messages("folder.external_taken", id=new.external_id), new.external_id)
    folder = Folder(
        organisation_id=new.organisation_id,
        dossier_id=new.dossier_id,
        external_id=new.external_id,
        title=titled(new.title),
        summary=dict(new.summary),
        subtype_id=new.subtype_id,
        visibility=new.visibility.value,
        due=new.due,
        emitter_id=new.emitter_id,
        author=new.author,
        fields=_fields(session, new.organisation_id, new.fields, {}),
        variables=list(new.variables),
        bound=new.bound,
    )
    session.add(folder)
    session.flush()
    put_in(session, folder, new)
    return folder


def put_in(session: Session, folder: Folder, new: NewFolder, kind: str = "created") -> None:
    """Put documents into a folder that is being made, and tell that it is.

    Raises:
        UsageError: a signature of a document that is not there.
    """
    documents = _join(session, folder, new.documents, None)
    made = binding.made_with(folder, documents) if folder.bound else {}
    tell(session, folder, kind, new.author, facts=made)


def titled(title: str) -> str:
    """Return a title as it is kept.

    Raises:
        UsageError: empty, or nothing that can be printed.
    """
    shown = " ".join(title.split())[:255]
    if not shown or not shown.isprintable():
        raise UsageError(_messages("folder.title"))
    return shown


def _fields(session: Session, organisation_id: str, given: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    declared = metadata.declared(session, organisation_id, given.keys())
    return metadata.checked(declared, given, (), kept)


def join(session: Session, folder: Folder, documents: Sequence[Joined], added_at: int | None = None) -> list[FolderDocument]:
    """Put documents into a folder, after those of their kind that are there.

    Args:
        session: open to write.
        folder: a draft, or one that is in its circuit.
        documents: to put into it.
        added_at: rank of the step in which they are added; None in a draft.

    Raises:
        UsageError: a signature of a document that is not there.
        Forbidden: a draft whose documents its flow gave.
    """
    if added_at is None:
        binding.refuse_other_content(folder)
    return _join(session, folder, documents, added_at)


def _join(session: Session, folder: Folder, documents: Sequence[Joined], added_at: int | None) -> list[FolderDocument]:
    there = documents_of(session, folder.id)
    ranks = {kind: sum(one.kind == kind.value for one in there) for kind in DocumentKind}
    by_name = {one.name: one for one in there if one.kind == DocumentKind.MAIN.value}
    added = []
    for document in documents:
        signed = by_name.get(document.signature_of or "")
        if document.kind is DocumentKind.SIGNATURE and signed is None:
            raise UsageError(_messages("document.signature_of", name=document.name))
        made = FolderDocument(
            organisation_id=folder.organisation_id,
            folder_id=folder.id,
            kind=document.kind.value,
            rank=ranks[document.kind],
            name=document.name[:255],
            media_type=document.media_type,
            sha256=document.sha256,
            source_sha256=document.sha256,
            size=document.size,
            signature_of=signed.id if signed and document.kind is DocumentKind.SIGNATURE else None,
            added_at=added_at,
        )
        ranks[document.kind] += 1
        if document.kind is DocumentKind.MAIN:
            by_name[made.name] = made
        session.add(made)
        added.append(made)
    session.flush()
    return added


def documents_of(session: Session, folder_id: str) -> list[FolderDocument]:
    """Return the documents of a folder: main ones, annexes, signatures, proofs, each in order."""
    order = [kind.value for kind in DocumentKind]
    found = session.exec(select(FolderDocument).where(FolderDocument.folder_id == folder_id)).all()
    return sorted(found, key=lambda one: (order.index(one.kind), one.rank, one.id))


def main_documents(session: Session, folder_id: str) -> list[FolderDocument]:
    """Return the main documents of a folder, in order."""
    return [one for one in documents_of(session, folder_id) if one.kind == DocumentKind.MAIN.value]


def folder_of(session: Session, folder_id: str) -> Folder:
    """Return a folder.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    found = session.exec(select(Folder).where(Folder.id == folder_id)).first()
    if found is None:
        raise NotFound(_messages("folder.unknown"))
    return found


def locked(session: Session, folder_id: str) -> Folder:
    """Return a folder, its row locked until the transaction ends.

    Raises:
        NotFound: there is none, or the session does not see it.
    """
    wanted = select(Folder).where(Folder.id == folder_id).with_for_update().execution_options(populate_existing=True)
    found = session.exec(wanted).first()
    if found is None:
        raise NotFound(_messages("folder.unknown"))
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a draft; None leaves as it is.

    Attributes:
        due: a day, or an empty text for none.
    """

    title: str | None = None
    subtype_id: str | None = None
    fields: Mapping[str, str] | None = None
    variables: Sequence[str] | None = None
    due: date | str | None = None
    visibility: Visibility | None = None


def change(session: Session, folder_id: str, hand: Hand, wanted: Change) -> Folder:
    """Change a draft; of one that was made for a flow, only what ``binding`` leaves to its desk.

    Raises:
        Conflict: it is no draft any more.
        Forbidden: it is not at this desk, or its flow gave what would be changed.
        UsageError: see ``create``.
    """
    folder = own_draft(session, folder_id, hand)
    before = _terms(folder)
    if wanted.fields is not None:
        folder.fields = _with_fields(session, folder, wanted.fields)
    if wanted.title is not None:
        folder.title = titled(wanted.title)
    if wanted.subtype_id is not None:
        folder.subtype_id = typology.kind_of(session, wanted.subtype_id).id
    if wanted.variables is not None:
        folder.variables = list(wanted.variables)
    if wanted.due is not None:
        folder.due = wanted.due if isinstance(wanted.due, date) else None
    if wanted.visibility is not None:
        folder.visibility = wanted.visibility.value
    if before != _terms(folder):
        binding.refuse_other_content(folder)
    session.add(folder)
    session.flush()
    return folder


def _terms(folder: Folder) -> tuple[Any, ...]:
    """Return what a flow says of its folder, documents and metadata aside."""
    return folder.title, folder.subtype_id, folder.due, folder.visibility


def _with_fields(session: Session, folder: Folder, given: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a folder with those given put over them, as far as they are its desk's to give."""
    merged = _fields(session, folder.organisation_id, given, folder.fields)
    binding.refuse_other_fields(session, folder, merged)
    return merged


def own_draft(session: Session, folder_id: str, hand: Hand) -> Folder:
    """Return a draft of the desk at which somebody acts, locked.

    Raises:
        Conflict: it is no draft any more.
        Forbidden: it is not at this desk.
    """
    folder = locked(session, folder_id)
    if folder.emitter_id != (hand.behalf_id or hand.desk_id):
        raise Forbidden(_messages("folder.not_yours"))
    if folder.state != FolderState.DRAFT.value:
        raise Conflict(_messages("folder.no_draft"))
    return folder


def _own_papers(session: Session, folder_id: str, hand: Hand) -> Folder:
    """Return a draft whose documents are its desk's to change, locked."""
    folder = own_draft(session, folder_id, hand)
    binding.refuse_other_content(folder)
    return folder


def remove(session: Session, folder_id: str, document_id: str, hand: Hand) -> None:
    """Take a document out of a draft, with the signatures that came with it.

    Raises:
        NotFound: it is not there.
        Forbidden: its flow gave the documents; or see ``own_draft``.
        Conflict: see ``own_draft``.
    """
    folder = _own_papers(session, folder_id, hand)
    found = [one for one in documents_of(session, folder.id) if document_id in {one.id, one.signature_of}]
    if not found:
        raise NotFound(_messages("document.unknown"))
    for one in found:
        session.delete(one)
    session.flush()


def name_document(session: Session, folder_id: str, document_id: str, hand: Hand, name: str) -> None:
    """Give a document of a draft another name.

    Raises:
        UsageError: no name, or one that is no file's.
        NotFound, Conflict, Forbidden: see ``remove``.
    """
    folder = _own_papers(session, folder_id, hand)
    document = _in(documents_of(session, folder.id), document_id)
    shown = " ".join(name.split())[:255]
    if not shown or not shown.isprintable() or "/" in shown or "\\" in shown:
        raise UsageError(_messages("document.name"))
    document.name = shown
    session.add(document)
    session.flush()


def move(session: Session, folder_id: str, document_id: str, hand: Hand, by: int) -> None:
    """Move a document among those of its kind in a draft; one that is at the end stays there.

    Args:
        session: open to write.
        folder_id: the draft.
        document_id: the document.
        hand: whoever does it, at the emitting desk.
        by: how many places; before zero, towards the beginning.

    Raises:
        NotFound, Conflict, Forbidden: see ``remove``.
    """
    folder = _own_papers(session, folder_id, hand)
    there = documents_of(session, folder.id)
    document = _in(there, document_id)
    alike = [one for one in there if one.kind == document.kind]
    rank = alike.index(document)
    alike.insert(max(0, rank + by), alike.pop(rank))
    _number(session, alike)


def make(session: Session, folder_id: str, document_id: str, hand: Hand, kind: DocumentKind) -> None:
    """Make a main document of an annex of a draft, or the other way round; it goes after those of its new kind.

    Raises:
        UsageError: it is a signature, or has one: a detached signature signs a main document.
        NotFound, Conflict, Forbidden: see ``remove``.
    """
    folder = _own_papers(session, folder_id, hand)
    there = documents_of(session, folder.id)
    document = _in(there, document_id)
    movable = {DocumentKind.MAIN.value, DocumentKind.ANNEX.value}
    if {document.kind, kind.value} - movable or any(one.signature_of == document.id for one in there):
        raise UsageError(_messages("document.signed", name=document.name))
    others = [one for one in there if one is not document]
    document.kind = kind.value
    for one in movable:
        _number(session, [found for found in (*others, document) if found.kind == one])


def _in(documents: Sequence[FolderDocument], document_id: str) -> FolderDocument:
    found = next((one for one in documents if one.id == document_id), None)
    if found is None:
        raise NotFound(_messages("document.unknown"))
    return found


def _number(session: Session, documents: Sequence[FolderDocument]) -> None:
    for rank, document in enumerate(documents):
        document.rank = rank
        session.add(document)
    session.flush()


def planned(session: Session, folder: Folder) -> tuple[Kind, list[circuits.Asked], Circuit]:
    """Return what a draft would go through if it started now: its kind, its steps with their desks, its circuit.

    Raises:
        UsageError: no subtype, a table that gives nothing, a desk to choose, closed or missing.
        NotFound: a circuit that is not there any more.
    """
    emitter = session.get(Desk, folder.emitter_id)
    if folder.subtype_id is None or emitter is None:
        raise UsageError(_messages("folder.subtype"))
    kind = typology.kind_of(session, folder.subtype_id)
    found = foresight.foresee(session, kind, emitter, folder.fields, folder.variables)
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
    folder.fields = _with_fields(session, folder, said.fields)
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


def stamp_at(session: Session, folder_id: str, document_id: str, place: Mapping[str, Any] | None) -> None:
    """Put the visible signature of a document where somebody says; None leaves it to the tag and the type again.

    Raises:
        NotFound: no such main document.
        Conflict: the folder is past its circuit.
    """
    folder = locked(session, folder_id)
    if folder.state not in {FolderState.DRAFT.value, FolderState.PENDING.value}:
        raise Conflict(_messages("folder.over"))
    document = next((one for one in main_documents(session, folder_id) if one.id == document_id), None)
    if document is None:
        raise NotFound(_messages("document.unknown"))
    document.stamp = dict(place) if place is not None else None
    session.add(document)
    session.flush()
