"""Records anew: what the leaf of each sealing says, and what the manifest of its package says, put together again.

What lives here: one sealing at a time, its package read whole from a place and held against the leaf. What does not: the journal
itself (`archive.rebuilding.journal`), what was decided about records since (`archive.rebuilding.decisions`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from sqlmodel import Session

from archive.describing import Description, describe
from archive.finding import index
from archive.models import Record, RecordCopy, RecordDigest, RecordFile
from archive.places.places import Place
from archive.proof.evidence import LEAF_DIGEST, leaf_key
from archive.watch.incidents import Kind, open_incident
from core.blobs import ObjectAltered, ObjectMissing, SealedObject
from core.errors import UnreadableInput
from core.journal import JournalEntry


def restore(session: Session, places: tuple[Place, ...], entry: JournalEntry, versions: Mapping[str, str]) -> bool:
    """Write the record of a sealing; tell whether a place holds its package whole.

    Where none does, the record is there all the same, found by its identifier and its producer, and an incident says what is
    missing.

    Args:
        session: a writing one.
        places: where to look.
        entry: of the sealing.
        versions: the version that stands in each place, by its name: another than the leaf says, once a copy was restored.

    Raises:
        Unavailable: a place does not answer: what it holds is not known.
    """
    record, description = _of_leaf(entry), None
    session.add(record)
    session.flush()
    owned: dict[str, Any] = {"record_id": record.id, "organisation_id": record.organisation_id}
    for place in places:
        if place.name not in versions:
            continue
        sealed = SealedObject(place.store.archive, record.key, versions[place.name], record.sha256, record.size)
        found, trouble = _read(place, sealed)
        description = description or found
        if trouble is not None:
            facts = {"record": record.id, "version": sealed.version_id, "expected": record.sha256}
            told = {"organisation_id": record.organisation_id, "kind": trouble, "place": place.name, "subject": record.key}
            open_incident(session, **told, facts=facts)
        until = None if trouble is Kind.COPY_MISSING else place.store.locked_until(sealed)
        stands = owned | {"version_id": sealed.version_id, "locked_until": until or entry.at, "checked": entry.at}
        session.add(RecordCopy(place=place.name, **stands))
    session.add(RecordDigest(**owned, algorithm="SHA-256", value=record.sha256, taken=entry.at))
    if description is None:
        return False
    record.title = description.title[:200]
    session.add_all(RecordFile(**owned | asdict(file), rank=rank) for rank, file in enumerate(description.files, start=1))
    session.flush()
    index.add(session, record, description)
    return True


def restore_eliminated(session: Session, sealing: JournalEntry, elimination: JournalEntry) -> None:
    """Write the record of what was destroyed: no title, no file, its leaf and its digest."""
    record = _of_leaf(sealing)
    record.title, record.eliminated = "", elimination.at
    session.add(record)
    session.flush()
    owned = {"record_id": record.id, "organisation_id": record.organisation_id}
    session.add(RecordDigest(**owned, algorithm="SHA-256", value=record.sha256, taken=sealing.at))
    session.flush()
    index.remove(session, record.id)


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
