"""Reading records: that of a dossier, a page of them all. One, and searching, is `archive.finding`'s business."""

from __future__ import annotations

from sqlalchemy import literal, tuple_
from sqlmodel import col, select

from archive.finding.seeing import open_to
from archive.models import Record
from core.database import ScopedSession, UtcDateTime
from flows.engine.reading import Place, counted


def record_of(session: ScopedSession, dossier_id: str) -> str | None:
    """Return the identifier of a dossier's record, if it has one."""
    return session.exec(select(Record.id).where(Record.dossier_id == dossier_id)).first()


def records(
    session: ScopedSession, organisations: tuple[str, ...], limit: int, after: Place | None
) -> tuple[list[Record], Place | None, tuple[int, bool]]:
    """Return a page of records, newest first, where the next one starts, and how many there are in all (``reading.counted``)."""
    conditions = [open_to(session.principal)]
    if organisations:
        conditions.append(col(Record.organisation_id).in_(organisations))
    wanted = select(Record).where(*conditions).order_by(col(Record.sealed).desc(), col(Record.id).desc()).limit(limit + 1)
    if after is not None:
        here = tuple_(col(Record.sealed), col(Record.id))
        wanted = wanted.where(here < tuple_(literal(after.created, UtcDateTime()), literal(after.id)))
    found = list(session.exec(wanted))
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], Place(last.sealed, last.id) if last else None, counted(session, select(Record.id).where(*conditions))
