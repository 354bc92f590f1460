"""What of an act was transmitted: its documents as the State received them, and whether its transmission still stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlmodel import Session, col, select

from core import clock
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


def cancelled_on(dossier: Dossier) -> date | None:
    """Return the day on which the transmission of an act was cancelled; None while it stands."""
    if dossier.state not in CANCELLED:
        return None
    told = dossier.facts.get("cancelled_on")
    return date.fromisoformat(told) if told else clock.in_paris(dossier.since).date()


def cancelled(session: Session, dossiers: Iterable[str]) -> dict[str, datetime]:
    """Return those of some acts whose transmission was cancelled, by identifier, and since when that is known here."""
    wanted = select(Dossier.id, Dossier.since).where(col(Dossier.id).in_(list(dossiers)), col(Dossier.state).in_(CANCELLED))
    return {dossier_id: since.replace(microsecond=0) for dossier_id, since in session.exec(wanted)}


def readable(name: str) -> str:
    """Return a name that XML can hold: one that it cannot is no reason to lose the record."""
    return "".join(character if character.isprintable() else "�" for character in name).strip() or "�"
