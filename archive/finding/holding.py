"""“Is this the document you hold?”: records that hold the very bytes of which somebody has the digest.

A digest that is asked names nothing that whoever asks may not see: of records that they do not see, nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import col, or_, select

from archive.finding.seeing import open_to
from archive.models import Record, RecordDigest, RecordFile
from core.database import ScopedSession

_MOST = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A record that holds the bytes.

    Attributes:
        file: which file of it they are; None for the whole package.
    """

    record: Record
    file: RecordFile | None


def holding(session: ScopedSession, digests: Sequence[str]) -> list[Held]:
    """Return the records that hold the bytes of which these are digests, by any algorithm, newest first; a bounded number.

    Args:
        session: of whoever asks.
        digests: hexadecimal, lower case.
    """
    seen = open_to(session.principal)
    newest = (col(Record.sealed).desc(), col(Record.id).desc())
    of_files = (
        select(Record, RecordFile)
        .join(RecordFile, col(RecordFile.record_id) == Record.id)
        .where(col(RecordFile.sha256).in_(digests), seen)
        .order_by(*newest)
        .limit(_MOST)
    )
    same = or_(col(Record.sha256).in_(digests), col(Record.id).in_(digested_as(session, digests)))
    of_packages = select(Record).where(same, seen).order_by(*newest)
    return [
        *(Held(record, None) for record in session.exec(of_packages.limit(_MOST))),
        *(Held(record, file) for record, file in session.exec(of_files)),
    ]


def digested_as(session: ScopedSession, digests: Sequence[str], most: int = _MOST) -> list[str]:
    """Return the records whose package has one of these digests, at its sealing or since; a bounded number."""
    return list(session.exec(select(RecordDigest.record_id).where(col(RecordDigest.value).in_(digests)).limit(most)))
