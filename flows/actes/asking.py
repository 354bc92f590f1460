"""Asking people to sign an act: a folder for the parapheur, with what a decision table may ask of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlmodel import Session, select

from flows.actes.act import Act
from flows.actes.settings import ActesRoute
from flows.engine.work import Advance, Work
from signing.parapheur import folders
from signing.parapheur.folders import Joined, NewFolder
from signing.parapheur.models import DocumentKind, Folder, Visibility


def ask(work: Work, act: Act, route: ActesRoute) -> Advance:
    """Make the folder in the transaction that records that people are asked; its circuit starts next."""
    documents: list[Joined] = []
    for piece in act.pieces:
        kept = work.file(piece.role)
        kind = DocumentKind.ANNEX if documents else DocumentKind.MAIN
        documents.append(Joined(kind, kept.name, kept.media_type, kept.sha256, kept.size))
    new = NewFolder(
        dossier_id=work.dossier_id,
        organisation_id=work.organisation_id,
        title=work.title,
        emitter_id=route.emitter,
        author="platform",
        documents=tuple(documents),
        subtype_id=route.subtype,
        fields=_fields(act),
        visibility=Visibility(route.visibility),
        bound=True,
    )
    return Advance("asked", facts={"starts": True}, apply=partial(_make, new))


def _make(new: NewFolder, session: Session) -> None:
    if session.exec(select(Folder.id).where(Folder.dossier_id == new.dossier_id)).first() is None:
        folders.create(session, new)


def _fields(act: Act) -> dict[str, Any]:
    return {
        "acte.numero": act.number,
        "acte.nature": str(act.nature),
        "acte.matiere": ".".join(map(str, act.matieres)),
        "acte.objet": act.subject,
    }
