"""What a package that comes again is taken for: the transfer that is there, or a new one where that came to nothing.

A transfer that is under way, or whose record is kept, answers for its octets and for its identifier: a repeat is answered as it
was. Once it was refused, or its record was eliminated, what comes is a new transfer, for the cause may have gone; so it is of a
transfer that only repeated one of these. A refusal frees both by itself (`flows.transfers.checking`, `deciding`).
"""

from __future__ import annotations

from sqlmodel import Session

from flows.engine.eliminated import eliminated_of
from flows.engine.models import Dossier
from flows.transfers.names import SAME_AS

_REFUSED = frozenset({"declined", "rejected"})
_REPEAT = "duplicate"


def stands(session: Session, dossier: Dossier) -> bool:
    """Tell whether a transfer still answers for what it was made of.

    Args:
        session: the platform's own.
        dossier: of the transfer.
    """
    if dossier.state in _REFUSED or eliminated_of(session, dossier.id) is not None:
        return False
    if dossier.state != _REPEAT:
        return True
    original = session.get(Dossier, dossier.facts.get(SAME_AS, ""))
    return original is not None and stands(session, original)
