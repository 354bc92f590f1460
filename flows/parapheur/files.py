"""What a dossier keeps of its folder: where it stands, and the documents that came out of it."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from core import clock
from flows.engine.work import KeptFile
from signing.parapheur.folders import documents_of
from signing.parapheur.models import DocumentKind, Folder

_ROLES = {
    DocumentKind.MAIN.value: "signed",
    DocumentKind.ANNEX.value: "annex",
    DocumentKind.SIGNATURE.value: "signature",
    DocumentKind.PROOF.value: "proof",
}


def told(folder: Folder) -> dict[str, Any]:
    """Return what a dossier keeps of its folder."""
    return {"parapheur": {"folder": folder.id, "state": folder.state}}


def left(folder: Folder) -> bool:
    """Tell whether a finished folder may go its way: nobody may take it back any more."""
    return folder.leaves_at is None or folder.leaves_at <= clock.now()


def files_of(session: Session, folder: Folder) -> tuple[KeptFile, ...]:
    """Return the documents of a folder as files of its dossier: the main ones as they stand, and what the circuit has added."""
    return tuple(
        KeptFile(_ROLES[one.kind], one.name, one.media_type, one.sha256, one.size)
        for one in documents_of(session, folder.id)
        if one.kind == DocumentKind.MAIN.value or one.added_at is not None
    )
