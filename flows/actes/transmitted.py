"""What of an act was transmitted: its documents as the State received them, and whether its transmission still stands."""

from __future__ import annotations

from sqlmodel import Session, col, select

from flows.actes.act import Act
from flows.engine.models import Dossier, DossierFile

PDF = "application/pdf"
CANCELLED = frozenset({"withdrawn", "cancelled"})
"""States of an act whose transmission was cancelled."""


def files_of(session: Session, dossier: Dossier) -> dict[str, DossierFile]:
    """Return the documents of an act by their roles, in its order; the main one as the parapheur gave it back, if it did."""
    newest = newest_of(session, dossier.id)
    sent = {**newest, "document": newest["signed"]} if "signed" in newest else newest
    return {piece.role: sent[piece.role] for piece in Act.from_facts(dossier.facts).pieces if piece.role in sent}


def newest_of(session: Session, dossier_id: str) -> dict[str, DossierFile]:
    """Return the files of a dossier by their own roles; the newest of a role counts."""
    rows = select(DossierFile).where(DossierFile.dossier_id == dossier_id)
    return {kept.role: kept for kept in session.exec(rows.order_by(col(DossierFile.created), col(DossierFile.id)))}


def readable(name: str) -> str:
    """Return a name that XML can hold: one that it cannot is no reason to lose the record."""
    return "".join(character if character.isprintable() else "�" for character in name).strip() or "�"
