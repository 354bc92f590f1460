"""That the record of a dossier was eliminated, as its journal tells it: nothing of its documents is read from then on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from archive.elimination.states import ELIMINATED, EMPTIED, FOLLOWED
from core import clock
from core.errors import Gone
from core.journal import JournalEntry
from core.messages import Catalogue

_messages = Catalogue("flows.engine")


@dataclass(frozen=True, slots=True)
class Eliminated:
    """That the documents of a dossier were destroyed with the visa of the State.

    Attributes:
        elimination_id: by which elimination; its *bordereau* bears the same number.
    """

    at: datetime
    elimination_id: str


def eliminated_of(session: Session, dossier_id: str) -> Eliminated | None:
    """Return what the journal of a dossier says of its elimination; None when it was not eliminated."""
    kinds = (ELIMINATED, FOLLOWED, EMPTIED)
    told = select(JournalEntry).where(JournalEntry.dossier_id == dossier_id, col(JournalEntry.kind).in_(kinds))
    entry = session.exec(told.order_by(col(JournalEntry.number)).limit(1)).first()
    return Eliminated(entry.at, str(entry.facts["elimination"])) if entry is not None else None


def gone(eliminated: Eliminated) -> Gone:
    """Return the error that says so to whoever asks for a document."""
    at = f"{clock.in_paris(eliminated.at):%d/%m/%Y}"
    return Gone(_messages("dossier.eliminated", at=at, number=eliminated.elimination_id))
