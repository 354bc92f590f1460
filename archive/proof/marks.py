"""The marks that a catching up leaves in the journal, and what must wait for its end: new timestamps over evidence.

What a restored backup does not know of evidence yet, it would put under timestamps a second time, beside those that the places
have: of a chain, or of the renewal of a token, there is one, and what was built on the other would not hold any more. What does
not live here: the catching up itself (``archive.rebuilding.catching_up``).
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from core.errors import NeedsOperator
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

CAUGHT_UP, CAUGHT_UP_ENDED = "journal.caught_up", "journal.caught_up_ended"
"""The journal entries of a catching up: the mark, after the head of which size the backup was behind, and to that of which size
it is brought; and the end, which names the mark."""
_messages = Catalogue("archive.proof")


def unfinished(session: Session) -> list[JournalEntry]:
    """Return the marks of catchings up that have no end, oldest first, however much was written after them."""
    either = (col(JournalEntry.dossier_id).is_(None), col(JournalEntry.kind).in_([CAUGHT_UP, CAUGHT_UP_ENDED]))  # by the index
    found = session.exec(select(JournalEntry).where(*either).order_by(col(JournalEntry.number))).all()
    ended = {entry.facts["caught_up"] for entry in found if entry.kind == CAUGHT_UP_ENDED}
    return [entry for entry in found if entry.kind == CAUGHT_UP and entry.id not in ended]


def require_ended(platform: Platform) -> None:
    """Go on only if no catching up is open.

    Raises:
        NeedsOperator: one is: it has to be begun again first.
    """
    with platform.database.reading(PLATFORM) as session:
        if unfinished(session):
            raise NeedsOperator(_messages("marks.unfinished"))
