"""Integrity: what is sealed is read back whole, and every digest that is known of it is computed again.

What lives here: packages, those least recently read first. What does not: the smaller files beside them
(`archive.watch.papers`), whether the database says the same as the journal (`archive.watch.consistency`).
"""

from __future__ import annotations

import hmac
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, literal, tuple_
from sqlmodel import col, select

from archive.models import Record, RecordCopy, RecordDigest
from archive.places import places
from archive.places.places import CopyState, Place
from archive.proof.hashes import SHA256
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, digest_of_file, place_named
from core import clock
from core.blobs import SealedObject
from core.database import UtcDateTime
from core.errors import Misconfigured, Unavailable
from core.platform import Platform
from core.principal import PLATFORM

_KINDS = {
    CopyState.MISSING: Kind.COPY_MISSING,
    CopyState.ALTERED: Kind.COPY_ALTERED,
    CopyState.HIDDEN: Kind.COPY_HIDDEN,
    CopyState.UNLOCKED: Kind.COPY_UNLOCKED,
}
_WRONG_BYTES = frozenset({Kind.COPY_MISSING, Kind.COPY_ALTERED})


def total(platform: Platform, place: str) -> int:
    """Return how many copies a place is to hold."""
    with platform.database.reading(PLATFORM) as session:
        asked = select(func.count()).select_from(RecordCopy).join(Record)
        return session.exec(asked.where(RecordCopy.place == place, col(Record.eliminated).is_(None))).one()


def look(platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
    """Read back the copies that were read least recently, and note of those whose bytes are right that they were read.

    One whose bytes are not right keeps the day it was last read, and is passed by until the next pass.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    where = place_named(platform, place)
    size, right, troubles = 0, list[RecordCopy](), list[Trouble]()
    waiting = _waiting(platform, place, started, cursor, budget.count)
    looked = 0
    for record, copy, digests in waiting:
        try:
            trouble = read_back(where, record, copy, digests)
        except (Unavailable, Misconfigured):
            if not looked:
                raise
            break  # what was read is noted; the next go begins here, and says so
        if trouble is not None:
            troubles.append(trouble)
        if trouble is None or trouble.kind not in _WRONG_BYTES:
            right.append(copy)
        looked, size = looked + 1, size + record.size
        cursor = f"{copy.checked.isoformat()} {record.id}"
        if size >= budget.size:
            break
    _note(platform, right)
    return Look(looked, size, tuple(troubles), cursor if waiting else None)


def read_back(place: Place, record: Record, copy: RecordCopy, digests: Sequence[RecordDigest]) -> Trouble | None:
    """Read a copy of a record whole and compute its digests; None when it is what was sealed, and as it was sealed.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    facts: dict[str, object] = {"record": record.id, "version": copy.version_id, "expected": record.sha256}

    def wrong(kind: Kind, **more: object) -> Trouble:
        return Trouble(kind, place.name, record.key, {**facts, **more}, record.organisation_id)

    finding = places.look(place, record, copy)
    if finding.state is CopyState.UNREACHABLE:
        # A store that finds its own checksum broken answers with an error: it is silent of these bytes, not altogether.
        place.store.lock_of(record.key, copy.version_id)
        return wrong(Kind.COPY_ALTERED, detail="unreadable")
    if finding.state is not CopyState.SOUND:
        return wrong(_KINDS[finding.state], detail=finding.detail)
    others = [digest for digest in digests if digest.algorithm != SHA256]
    if others:
        sealed = SealedObject(place.store.archive, record.key, copy.version_id, record.sha256, record.size)
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            target = Path(folder) / "package.zip"
            place.store.fetch_sealed(sealed, target)
            for digest in others:
                found = digest_of_file(target, digest.algorithm)
                if found is None:  # the row is wrong, not the copy
                    about = {"record": record.id, "against": "package", "fields": ["algorithm"]}
                    subject = f"record_digest/{record.id}/{digest.algorithm}"
                    return Trouble(Kind.FACTS_DIFFER, "", subject, about, record.organisation_id)
                if not hmac.compare_digest(found, digest.value):
                    return wrong(Kind.COPY_ALTERED, expected=digest.value, detail=f"{digest.algorithm}={found}")
    return None


def _waiting(
    platform: Platform, place: str, started: datetime, cursor: str, count: int
) -> list[tuple[Record, RecordCopy, list[RecordDigest]]]:
    checked = col(RecordCopy.checked)
    asked = (
        select(Record, RecordCopy)
        .join(RecordCopy)
        .where(RecordCopy.place == place, checked < started, col(Record.eliminated).is_(None))
        .order_by(checked, col(RecordCopy.record_id))
        .limit(count)
    )
    if cursor:
        moment, _, identifier = cursor.partition(" ")
        last = tuple_(literal(datetime.fromisoformat(moment), UtcDateTime()), literal(identifier))
        asked = asked.where(tuple_(checked, col(RecordCopy.record_id)) > last)
    with platform.database.reading(PLATFORM) as session:
        rows = list(session.exec(asked))
        wanted = [record.id for record, _ in rows]
        digests = list(session.exec(select(RecordDigest).where(col(RecordDigest.record_id).in_(wanted))))
    return [(record, copy, [one for one in digests if one.record_id == record.id]) for record, copy in rows]


def _note(platform: Platform, sound: Sequence[RecordCopy]) -> None:
    with platform.database.writing(PLATFORM) as session:
        for copy in sound:
            # By its version: a copy that was restored meanwhile is another, which was read when it was restored.
            same = (RecordCopy.record_id == copy.record_id, RecordCopy.place == copy.place)
            kept = session.exec(select(RecordCopy).where(*same, RecordCopy.version_id == copy.version_id)).first()
            if kept is not None:
                kept.checked = clock.now()
                session.add(kept)
