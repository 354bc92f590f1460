"""The documents of a draft: added, named, put in order, made annexes or main documents, taken out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlmodel import Session

from api.multipart import Files
from api.uploads import Document
from api.web.deposit.sorting import DETACHED, Arrived, signatures_among
from core.errors import UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.uploads import Upload
from flows.document.intake import media_type_of
from schemas.pdf import preview
from signing.parapheur import drafting, folders
from signing.parapheur.desks import Hand
from signing.parapheur.folders import Joined
from signing.parapheur.models import DocumentKind, Folder, FolderDocument

_t = Catalogue("api.web.draft")
_MOST = 100
_PDF = "application/pdf"
_Act = Callable[[Session, str, str, Hand], None]

ACTS: dict[str, _Act] = {
    "up": lambda session, folder, document, hand: drafting.move(session, folder, document, hand, -1),
    "down": lambda session, folder, document, hand: drafting.move(session, folder, document, hand, 1),
    "main": lambda session, folder, document, hand: drafting.make(session, folder, document, hand, DocumentKind.MAIN),
    "annex": lambda session, folder, document, hand: drafting.make(session, folder, document, hand, DocumentKind.ANNEX),
    "remove": drafting.remove,
}


def arrived(platform: Platform, form: Files) -> list[Arrived]:
    """Keep the files of a form.

    Raises:
        UsageError: none, an empty one, or too many.
        TooLarge, UnreadableInput, Unavailable: see ``api.multipart`` and ``core.blobs``.
    """
    found, name = list[Arrived](), form.file_name
    while name:
        if len(found) >= _MOST:
            raise UsageError(_t("papers.many", most=_MOST))
        blob = platform.objects.put(Document(form), platform.settings.upload_limit)
        found.append(Arrived(name.replace("\\", "/").rpartition("/")[2][-255:] or "document", blob.sha256, blob.size))
        name = form.following()
    if not found:
        raise UsageError(_t("papers.none"))
    return found


def uploaded(found: Sequence[Upload]) -> list[Arrived]:
    """Return uploads as files that have arrived."""
    return [Arrived(upload.name, upload.sha256 or "", upload.size) for upload in found]


def refuse_unreadable(platform: Platform, files: Sequence[Arrived]) -> None:
    """Open every PDF as a viewer would: what nobody can read is refused before anybody is asked to sign it.

    Raises:
        UsageError: one cannot be read; the message says why.
        Unavailable: too many wait for the sandbox.
    """
    for file in files:
        if media_type_of(file.name) != _PDF:
            continue
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            path = Path(folder) / "document"
            platform.objects.fetch(file.sha256, path)
            found = preview.inspect(path, 1, 1, text=False)
        if found.kind != "pdf" or found.problem:
            raise UsageError(_t("papers.unreadable", name=file.name, reason=found.reason or _t("papers.no_pdf")))


def add(session: Session, folder: Folder, files: Sequence[Arrived], kind: DocumentKind) -> None:
    """Put files into a draft; detached signatures go beside the main documents that they sign.

    Raises:
        UsageError: see ``folders.join``.
    """
    there = [one.name for one in folders.main_documents(session, folder.id)]
    names = [*there, *(file.name for file in files)]
    signatures = {
        rank - len(there): names[of]
        for rank, of in signatures_among(names).items()
        if rank >= len(there) and (of < len(there) or kind is DocumentKind.MAIN)
    }
    plain = [_joined(file, kind) for rank, file in enumerate(files) if rank not in signatures]
    beside = [_joined(files[rank], DocumentKind.SIGNATURE, of) for rank, of in signatures.items()]
    folders.join(session, folder, [*plain, *beside])


def _joined(file: Arrived, kind: DocumentKind, of: str | None = None) -> Joined:
    detached = of is not None and file.name.casefold().endswith(DETACHED)
    media_type = "application/pkcs7-signature" if detached else media_type_of(file.name)
    return Joined(kind, file.name, media_type, file.sha256, file.size, of)


def name_all(
    session: Session, folder_id: str, hand: Hand, documents: Sequence[FolderDocument], values: Mapping[str, str]
) -> None:
    """Give documents the names that were typed.

    Raises:
        UsageError: see ``drafting.name_document``.
    """
    for document in documents:
        typed = values.get(f"name.{document.id}", document.name)
        if typed != document.name:
            drafting.name_document(session, folder_id, document.id, hand, typed)
