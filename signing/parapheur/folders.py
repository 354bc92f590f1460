"""Folders as they are made and found: their documents, their metadata, their row locked for whoever changes it.

What lives elsewhere: what a desk does with its draft (`drafting`), the start of the circuit (`starting`).

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
from signing.parapheur import binding, metadata
from signing.parapheur.desks import Hand, require_sender
from signing.parapheur.history import tell
from signing.parapheur.models import (
    DocumentKind,
    Folder,
    FolderDocument,
    FolderState,
    Visibility,
)

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


def with_fields(session: Session, folder: Folder, given: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a folder with those given put over them, as far as they are its desk's to give.

    Raises:
        UsageError: one does not read as its kind.
        Forbidden: its flow gave them.
    """
    merged = _fields(session, folder.organisation_id, given, folder.fields)
    binding.refuse_other_fields(session, folder, merged)
    return merged
