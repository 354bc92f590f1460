"""Evidence records anew: each batch that the journal tells of, from the file under lock that has the same rows in it.

What lives here: reading a batch back, held against the token that the journal names. What does not: what a batch holds
(`archive.proof.ers.batches`).
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlmodel import Session

from archive.models import EvidenceRenewal, EvidenceStamp, Record, RecordEvidence
from archive.places.places import Place, places_of
from archive.proof.ers import batches
from archive.proof.ers.stamping import end_of_certificate
from archive.proof.evidence import TOKEN
from archive.stored_zip import NotStoredZip, content, read_stored_zip
from archive.watch.incidents import Kind, open_incident
from core.blobs import ObjectMissing
from core.journal import JournalEntry
from core.locked_objects import LockedObject
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp


def restore(platform: Platform, entry: JournalEntry) -> bool:
    """Write the rows of a batch, unless they are there; where no place holds it whole, an incident says so.

    Args:
        platform: its places, and its new database, in which the records are.
        entry: of the batch.

    Raises:
        Unavailable: a place does not answer: what it holds is not known.
    """
    with platform.database.reading(PLATFORM) as session:
        if session.get(EvidenceStamp, entry.facts["stamp"]) is not None:
            return True
    key = batches.key_of(entry.facts["stamp"])
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        found: dict[str, LockedObject] = {}
        members: dict[str, bytes] | None = None
        for place in places_of(platform):
            target = Path(folder) / place.name
            sealed = _fetched(place, key, target)
            if sealed is None:
                continue
            read = _members(target)
            if read is None or hashlib.sha256(read[TOKEN]).hexdigest() != entry.facts["token_sha256"]:
                continue
            members = members or read
            if read == members:
                found[place.name] = sealed
    with platform.database.writing(PLATFORM) as session:
        if members is None:
            facts = {"stamp": entry.facts["stamp"]}
            open_incident(session, organisation_id=None, kind=Kind.OBJECT_MISSING, place="", subject=key, facts=facts)
            return False
        session.add(_stamp(entry, key, members[TOKEN], found))
        session.flush()
        _rows(session, entry.facts["stamp"], members)
    return True


def _fetched(place: Place, key: str, target: Path) -> LockedObject | None:
    try:
        sealed, lock = place.store.fetch_first(key, target)
    except ObjectMissing:
        return None
    return None if lock.until is None else LockedObject(**asdict(sealed), locked_until=lock.until)


def _members(path: Path) -> dict[str, bytes] | None:
    try:
        with path.open("rb") as stream:
            return {entry.name: b"".join(content(stream, entry)) for entry in read_stored_zip(stream)}
    except NotStoredZip:
        return None


def _stamp(entry: JournalEntry, key: str, token: bytes, found: dict[str, LockedObject]) -> EvidenceStamp:
    one = next(iter(found.values()))
    return EvidenceStamp(
        id=entry.facts["stamp"],
        algorithm=entry.facts["hash"],
        token=token,
        stamped=Timestamp.read(token).gen_time,
        expires=end_of_certificate(token),
        key=key,
        sha256=one.sha256,
        length=one.size,
        copies={place: sealed.version_id for place, sealed in found.items()},
        locked_until=min(sealed.locked_until for sealed in found.values()),
    )


def _rows(session: Session, stamp_id: str, members: dict[str, bytes]) -> None:
    """Write what a batch covers; of two batches with the same chain the later one counts, as it did in the table."""
    for said in _lines(members["records.jsonl"]):
        known = session.get(RecordEvidence, (said["record_id"], said["chain"]))
        later = known is not None and known.stamp_id is not None and known.stamp_id > stamp_id
        if session.get(Record, said["record_id"]) is not None and not later:
            session.merge(RecordEvidence(**said, stamp_id=stamp_id))
    for said in _lines(members["renewals.jsonl"]):
        if session.get(EvidenceStamp, said["stamp_id"]) is not None:  # one whose own batch is lost renews nothing here
            session.merge(EvidenceRenewal(**said, by_id=stamp_id))
    session.flush()


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in data.splitlines())
