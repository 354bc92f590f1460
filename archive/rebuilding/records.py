"""Records anew: what the leaf of each sealing says, and what the manifest of its package says, put together again.

What lives here: one sealing at a time, its package read whole from a place and held against the leaf. What does not: the journal
itself (`archive.rebuilding.journal`), what was decided about records since (`archive.rebuilding.decisions`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from archive.describing import Description, describe
from archive.elimination.states import ELIMINATED
from archive.finding import index
from archive.finding.models import IndexedRecord
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.places.places import Place, places_of
from archive.proof.evidence import LEAF_DIGEST, leaf_key
from archive.watch.incidents import Kind, open_incident
from archive.watch.restoring import versions_named
from core import journal
from core.blobs import ObjectAltered, ObjectMissing, SealedObject
from core.errors import UnreadableInput
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM


class Restored(Enum):
    """What there is again of a record: all of it, all but what its package says, or the traces of its destruction."""

    WHOLE = auto()
    UNREADABLE = auto()
    ELIMINATED = auto()


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy as it was found.

    Attributes:
        trouble: what is wrong with it; None for a sound one.
        until: end of its lock; None when it has none, or is not there.
    """

    place: str
    version: str
    trouble: Kind | None
    until: datetime | None


def restore(platform: Platform, entry: JournalEntry) -> Restored:
    """Write the record of a sealing, unless it is there.

    Where no place holds its package whole, the record is there all the same, found by its identifier and its producer, and an
    incident says what is missing.

    Args:
        platform: its places, and its new database.
        entry: of the sealing.

    Raises:
        Unavailable: a place does not answer: what it holds is not known.
    """
    record = entry.facts["record"]
    with platform.database.reading(PLATFORM) as session:
        if (known := session.get(Record, record)) is not None:
            return _standing(session, known)
        destroyed = (journal.about(record), JournalEntry.kind == ELIMINATED)
        own = select(JournalEntry).where(*destroyed, JournalEntry.organisation_id == entry.organisation_id)
        elimination = session.exec(own.order_by(col(JournalEntry.number)).limit(1)).first()
        versions = versions_named(session, entry)
    if elimination is not None:
        with platform.database.writing(PLATFORM) as session:
            _write_eliminated(session, entry, elimination)
        return Restored.ELIMINATED
    copies, description = _found(places_of(platform), entry, versions)
    with platform.database.writing(PLATFORM) as session:
        _write(session, entry, copies, description)
    return Restored.UNREADABLE if description is None else Restored.WHOLE


def _standing(session: Session, record: Record) -> Restored:
    if record.eliminated is not None:
        return Restored.ELIMINATED
    words = session.exec(select(IndexedRecord.number).where(IndexedRecord.record_id == record.id)).first()
    return Restored.UNREADABLE if words is None else Restored.WHOLE


def _found(places: tuple[Place, ...], entry: JournalEntry, versions: Mapping[str, str]) -> tuple[list[_Copy], Description | None]:
    """Read the copies of a record, outside any transaction: it may take long.

    Args:
        places: where to look.
        entry: of the sealing.
        versions: the version that stands in each place, by its name: another than the leaf says, or one more, once a copy was
            written since.
    """
    copies, description = list[_Copy](), None
    facts = entry.facts
    for place in places:
        if place.name not in versions:
            continue
        sealed = SealedObject(place.store.archive, facts["key"], versions[place.name], facts[LEAF_DIGEST], facts["size"])
        read, trouble = _read(place, sealed)
        description = description or read
        until = None if trouble is Kind.COPY_MISSING else place.store.locked_until(sealed)
        copies.append(_Copy(place.name, sealed.version_id, trouble, until))
    return copies, description


def _write(session: Session, entry: JournalEntry, copies: list[_Copy], description: Description | None) -> None:
    record = _of_leaf(entry)
    session.add(record)
    session.flush()
    owned: dict[str, Any] = {"record_id": record.id, "organisation_id": record.organisation_id}
    for copy in copies:
        if copy.trouble is not None:
            facts = {"record": record.id, "version": copy.version, "expected": record.sha256}
            told = {"organisation_id": record.organisation_id, "kind": copy.trouble, "place": copy.place, "subject": record.key}
            open_incident(session, **told, facts=facts)
        stands = owned | {"version_id": copy.version, "locked_until": copy.until or entry.at, "checked": entry.at}
        session.add(RecordCopy(place=copy.place, **stands))
    session.add(RecordDigest(**owned, algorithm="SHA-256", value=record.sha256, taken=entry.at))
    if description is None:
        return
    record.title = description.title[:200]
    session.add_all(RecordFile(**owned | asdict(file), rank=rank) for rank, file in enumerate(description.files, start=1))
    session.flush()
    index.add(session, record, description)


def _write_eliminated(session: Session, sealing: JournalEntry, elimination: JournalEntry) -> None:
    """Write the record of what was destroyed: no title, no file, its leaf and its digest."""
    record = _of_leaf(sealing)
    record.title, record.eliminated = "", elimination.at
    session.add(record)
    session.flush()
    owned = {"record_id": record.id, "organisation_id": record.organisation_id}
    session.add(RecordDigest(**owned, algorithm="SHA-256", value=record.sha256, taken=sealing.at))
    session.flush()
    index.remove(session, record.id)


def copy(platform: Platform, entry: JournalEntry) -> None:
    """Write the copy of a record that is there, as the entry of its writing tells; none of a record that was destroyed since.

    Raises:
        Unavailable: its place does not answer.
    """
    facts = entry.facts
    place, version = facts["place"], facts["version"]
    with platform.database.reading(PLATFORM) as session:
        record = session.get_one(Record, facts["record"])
        stands = session.get(RecordCopy, (record.id, place))
    if record.eliminated is not None or (stands is not None and stands.checked >= entry.at):  # this one, or a later one
        return
    until = _locked_until(platform, place, record.key, version) or entry.at
    with platform.database.writing(PLATFORM) as session:
        owned = {"record_id": record.id, "organisation_id": record.organisation_id}
        session.merge(RecordCopy(**owned, place=place, version_id=version, locked_until=until, checked=entry.at))


def _locked_until(platform: Platform, name: str, key: str, version: str) -> datetime | None:
    """Return the end of the lock of a copy; None where none is known: the audits tell of a copy that is gone."""
    for place in places_of(platform):
        if place.name == name:
            with suppress(ObjectMissing):
                return place.store.lock_of(key, version).until
    return None


def digest_of(entry: JournalEntry) -> RecordDigest:
    """Return the digest that a re-sealing gave to a record."""
    algorithm = entry.facts["to"]
    return RecordDigest(
        record_id=entry.facts["record"],
        organisation_id=entry.organisation_id,
        algorithm=algorithm,
        value=entry.facts[leaf_key(algorithm)],
        taken=entry.at,
        entry_id=entry.id,
    )


def _of_leaf(entry: JournalEntry) -> Record:
    facts = entry.facts
    return Record(
        id=facts["record"],
        organisation_id=entry.organisation_id,
        dossier_id=entry.dossier_id,
        kind=facts["kind"],
        title=facts["record"],
        producer=facts["producer"],
        dated=date.fromisoformat(facts["dated"]),
        key=facts["key"],
        sha256=facts[LEAF_DIGEST],
        size=facts["size"],
        entry_id=entry.id,
        rule=facts["rule"],
        final_action=facts["final_action"],
        keep_until=_day(facts["keep_until"]),
        access=facts["access"],
        open_from=_day(facts["open_from"]),
        sealed=entry.at,
        confidential=facts["confidential"],
        # A leaf of an earlier version does not say it: what is confidential might have been.
        withheld=facts.get("withheld", facts["confidential"]),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _read(place: Place, sealed: SealedObject) -> tuple[Description | None, Kind | None]:
    """Return what a copy says of itself, and what is wrong with it."""
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        target = Path(folder) / "package"
        try:
            place.store.fetch_sealed(sealed, target)
        except ObjectMissing:
            return None, Kind.COPY_MISSING
        except ObjectAltered:
            return None, Kind.COPY_ALTERED
        try:
            return describe(target), None
        except UnreadableInput:  # whole, to the octet: what was sealed had no manifest that can be read
            return None, None
