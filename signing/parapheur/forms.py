"""How each document of a folder is signed: the format that its type asks for, and what its signature says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from sqlmodel import Session

from core.errors import UsageError
from core.messages import Catalogue
from signing import formats
from signing.cades.seal import Cades
from signing.legs import Format
from signing.pades.seal import Pades
from signing.pades.stamp import Place, Stamp
from signing.parapheur.folders import documents_of
from signing.parapheur.models import Desk, DocumentKind, Folder, FolderDocument, SignatoryProfile, StepKind, TaskState
from signing.parapheur.progress import tasks_of
from signing.parapheur.typology import Kind, SignatureFormat, TypeOptions
from signing.pes.envelope import SealContext
from signing.pes.format import Pes
from signing.xades.seal import XadesDetached

_messages = Catalogue("signing.parapheur")
_PDF = "application/pdf"
_DETACHED_XML = ("application/xml", "text/xml")


@dataclass(frozen=True, slots=True)
class Speaker:
    """What a signature says of who signs, beside the certificate.

    Attributes:
        quality: in what capacity.
        city: where; ``postal_code`` with it.
    """

    quality: str
    city: str
    postal_code: str


def speaker(session: Session, person_id: str | None, desk: Desk, signing: TypeOptions) -> Speaker:
    """Return what a signature says: what the person has set, else the desk's name and the type's place."""
    profile = session.get(SignatoryProfile, person_id) if person_id else None
    return Speaker(
        (profile.quality if profile else "") or desk.name,
        (profile.city if profile else "") or signing.city,
        (profile.postal_code if profile else "") or signing.postal_code,
    )


def form_of(session: Session, folder: Folder, document: FolderDocument, kind: Kind, said: Speaker, step: StepKind) -> Format:
    """Return the format of a document's next signature, with what it says.

    Raises:
        UsageError: the type asks for a place that nobody has set, or a format that the document cannot have.
    """
    wanted = kind.signing.format
    if wanted is SignatureFormat.AUTO:
        wanted = _by_document(session, folder, document)
    if wanted is SignatureFormat.PES:
        if not (said.city and said.postal_code):
            raise UsageError(_messages("sign.place", kind=kind.type_name))
        return Pes(SealContext(said.quality, said.city, said.postal_code))
    if wanted is SignatureFormat.PADES:
        if document.media_type != _PDF:
            raise UsageError(_messages("sign.no_pdf", name=document.name))
        stamp = _stamp(session, folder, document, kind.signing, step) if kind.signing.visible else None
        return Pades(role=said.quality or None, city=said.city or None, stamp=stamp)
    if wanted is SignatureFormat.CADES:
        return Cades(pem=True, role=said.quality or None, place=said.city or None)
    return XadesDetached(role=said.quality or None, city=said.city or None, postal_code=said.postal_code or None)


def _by_document(session: Session, folder: Folder, document: FolderDocument) -> SignatureFormat:
    """Go by the document: one that came with a detached signature gets another of the same kind, a PDF carries its own."""
    for one in documents_of(session, folder.id):
        if one.signature_of == document.id:
            return SignatureFormat.XADES if one.media_type in _DETACHED_XML else SignatureFormat.CADES
    return SignatureFormat.PADES if document.media_type == _PDF else SignatureFormat.CADES


def _stamp(session: Session, folder: Folder, document: FolderDocument, signing: TypeOptions, step: StepKind) -> Stamp:
    tag = "#cachet%n#" if step is StepKind.SEAL else "#signature%n#"
    if document.stamp is not None:
        return Stamp(Place(**document.stamp), tag=tag)
    done = sum(task.kind == step.value and task.state == TaskState.DONE.value for task in tasks_of(session, folder.id))
    fallback = Place(signing.page, signing.x, signing.y) if (signing.page, signing.x, signing.y) != (1, 0, 0) else None
    return Stamp(rank=done + 1, tag=tag, otherwise=fallback)


def result_name(document: FolderDocument, how: Format, signer: str, rank: int) -> tuple[str, str] | None:
    """Return the name and the media type of a detached signature: ``<base>-<rank>-<signer>.p7s``; None for one inside."""
    if how.name in {"pades", "pes", "xades"}:
        return None
    media = formats.MEDIA[how.name]
    suffix = ".xml" if media.result.endswith("xml") else media.suffix
    shown = "".join(letter if letter.isalnum() or letter in " -'’." else "_" for letter in signer)[:80].strip()
    return f"{PurePath(document.name).stem[:120]}-{rank}-{shown}{suffix}", media.result


def rank_of(session: Session, folder: Folder, document: FolderDocument) -> int:
    """Return the rank of the next detached signature of a document: one that came from outside has 0."""
    there = [one for one in documents_of(session, folder.id) if one.kind == DocumentKind.SIGNATURE.value]
    return sum(one.signature_of == document.id and one.added_at is not None for one in there) + 1
