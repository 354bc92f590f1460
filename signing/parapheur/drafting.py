"""What a desk does with its draft: its terms, its documents and their order, where signatures are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session

from core.errors import Conflict, NotFound, UsageError
from core.messages import Catalogue
from signing.parapheur import binding, typology
from signing.parapheur.desks import Hand
from signing.parapheur.folders import documents_of, locked, main_documents, own_draft, titled, with_fields
from signing.parapheur.models import DocumentKind, Folder, FolderDocument, FolderState, Visibility

_messages = Catalogue("signing.parapheur")


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
        folder.fields = with_fields(session, folder, wanted.fields)
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
