"""Who sees which records: as who sees which dossiers (`flows.engine.reading`), since a record is what is left of one.

The session narrows to organisations; what it does not know is that a confidential record is seen by those who operate its
organisation or keep its archives, not by everyone who reads there; and by software, unless people kept it to themselves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import true
from sqlmodel import col, or_, select

from archive.models import Record
from core.database import ScopedSession
from core.errors import NotFound
from core.messages import Catalogue
from core.principal import Principal, Right
from signing.parapheur.software import is_software

_messages = Catalogue("archive.finding")


def open_to(principal: Principal) -> Any:
    """Return the condition under which a record is seen by whoever may read the records of its organisation."""
    if is_software(principal):
        return col(Record.withheld).is_(False)
    if principal.everywhere:
        return true()
    return or_(col(Record.confidential).is_(False), col(Record.organisation_id).in_(cleared_in(principal)))


def cleared_in(principal: Principal) -> list[str]:
    """Return the organisations whose confidential records a principal sees: they answer for all that is kept there."""
    cleared = (Right.OPERATE, Right.ARCHIVE)
    return [one for one in principal.organisations if any(principal.may(right, one) for right in cleared)]


def record_of(session: ScopedSession, record_id: str) -> Record:
    """Return a record.

    Raises:
        NotFound: there is none of that identifier, or the session does not see it.
    """
    found = session.exec(select(Record).where(Record.id == record_id, open_to(session.principal))).first()
    if found is None:
        raise NotFound(_messages("record.unknown"))
    return found


def require_kept(record: Record) -> None:
    """Go on only if a record was not destroyed.

    Raises:
        NotFound: it was; nothing of it is left to give.
    """
    if record.eliminated is not None:
        raise NotFound(_messages("record.eliminated"))
