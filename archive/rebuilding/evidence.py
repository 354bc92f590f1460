"""Evidence records anew: each batch that the journal tells of, and those that it tells of no more, from the files under lock.

What lives here: reading a batch back, held against the token that the journal names; or, where no journal names it, against the
tokens and the records that it is over. What does not: what a batch holds (`archive.proof.ers.batches`).
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlmodel import Session

from archive.models import EvidenceRenewal, EvidenceStamp, Record, RecordEvidence
from archive.places.places import Place, places_of
from archive.proof.ers import batches, stamping
from archive.proof.ers.hashtree import root_of
from archive.proof.evidence import TOKEN
from archive.proof.hashes import HASHES, digest_of, plain_name
from archive.proof.lifetime import end_of_certificate
from archive.rebuilding.journal import entries
from archive.stored_zip import NotStoredZip, content, read_stored_zip
from archive.watch.incidents import Kind, open_incident
from core.blobs import ObjectMissing
from core.journal import JournalEntry
from core.locked_objects import LockedObject
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp, verify_token
from signing.trust import TrustState, TrustStore, trust_store

Members = Mapping[str, bytes]
_RECORDS, _RENEWALS = "records.jsonl", "renewals.jsonl"
_KEY = re.compile(re.escape(batches.key_of("*")).replace(r"\*", "(?P<stamp>[0-9A-HJKMNP-TV-Z]{26})"))


def restore(platform: Platform, entry: JournalEntry) -> bool:
    """Write the rows of a batch, unless they are there; where no place holds it whole, an incident says so.

    Args:
        platform: its places, and its new database, in which the records are.
        entry: of the batch.

    Raises:
        Unavailable: a place does not answer: what it holds is not known.
    """
    stamp_id = entry.facts["stamp"]
    with platform.database.reading(PLATFORM) as session:
        if session.get(EvidenceStamp, stamp_id) is not None:
            return True

    def is_told(read: Members) -> bool:
        return hashlib.sha256(read[TOKEN]).hexdigest() == str(entry.facts["token_sha256"])

    key = batches.key_of(stamp_id)
    members, found = _whole(platform, key, is_told)
    with platform.database.writing(PLATFORM) as session:
        if members is None:
            facts = {"stamp": stamp_id}
            open_incident(session, organisation_id=None, kind=Kind.OBJECT_MISSING, place="", subject=key, facts=facts)
            return False
        session.add(_stamp(stamp_id, entry.facts["hash"], members[TOKEN], found))
        session.flush()
        _rows(session, stamp_id, members)
    return True


def adopt(platform: Platform) -> int:
    """Take up the batches that stand in a place and that no journal tells of: stamped after the last head that was copied.

    A token that they renewed in time may have ended since: stamped anew, it would be too late. They are told of anew, and change
    nothing that the tables have already.

    Args:
        platform: its places, and its database, in which all is that the journal tells.

    Returns:
        How many there were of which something was lacking.

    Raises:
        Unavailable, Misconfigured: a place does not answer, or refuses us.
    """
    told = {entry.facts["stamp"] for entry in entries(platform, stamping.STAMPED)}
    trust = trust_store(platform.settings.trust_dir)
    return sum(_adopted(platform, stamp, trust) for stamp in _standing(platform) if stamp not in told)


def _standing(platform: Platform) -> Iterator[str]:
    """Yield the batches of all places by their identifiers, oldest first: one may renew another."""
    listed = heapq.merge(*(_keys(place) for place in places_of(platform)))
    for key, _ in itertools.groupby(listed):
        named = _KEY.fullmatch(key)
        if named is not None:
            yield named["stamp"]


def _keys(place: Place) -> Iterator[str]:
    yield from (version.key for version in place.store.all_versions(prefix=batches.PREFIX) if not version.is_marker)


def _adopted(platform: Platform, stamp_id: str, trust: TrustStore | None) -> bool:
    members, found = _whole(platform, batches.key_of(stamp_id), lambda read: _proves(platform, stamp_id, read, trust))
    if members is None:
        return False
    with platform.database.writing(PLATFORM) as session:
        records = [said for said in _lines(members[_RECORDS]) if _lacks(session, said)]
        renewed = [said for said in _lines(members[_RENEWALS]) if _is_renewed_by_it_alone(session, said)]
        if not records and not renewed:
            return False
        stamp = _stamp(stamp_id, json.loads(members["batch.json"])["hash"], members[TOKEN], found)
        session.add(stamp)
        session.flush()
        for said in records:
            session.merge(RecordEvidence(**said, stamp_id=stamp_id))
        session.add_all(EvidenceRenewal(**said, by_id=stamp_id) for said in renewed)
        stamping.tell(session, stamp, records=len(records), renewed=len(renewed))
    return True


def _lacks(session: Session, said: Mapping[str, Any]) -> bool:
    """Tell whether a record is there and lacks this very chain: its first, over its package, or the one after its last."""
    record, chain = session.get(Record, said["record_id"]), int(said["chain"])
    known = session.get(RecordEvidence, (said["record_id"], chain))
    if record is None or record.eliminated is not None or (known is not None and known.stamp_id is not None):
        return False
    if chain == 1:
        return record.sha256 in said["hashes"]
    before = session.get(RecordEvidence, (said["record_id"], chain - 1))
    return before is not None and before.stamp_id is not None


def _is_renewed_by_it_alone(session: Session, said: Mapping[str, Any]) -> bool:
    known = session.get(EvidenceStamp, said["stamp_id"])
    return known is not None and session.get(EvidenceRenewal, known.id) is None


def _proves(platform: Platform, stamp_id: str, members: Members, trust: TrustStore | None) -> bool:
    """Tell whether a batch is what it says: every way in it leads to the root that a believed token is over."""
    try:
        said = json.loads(members["batch.json"])
        algorithm = said["hash"]
        if (said["format"], said["id"]) != (batches.FORMAT, stamp_id) or algorithm not in HASHES:
            return False
        with platform.database.reading(PLATFORM) as session:
            roots = set(_roots(session, members, algorithm))
    except (KeyError, TypeError, ValueError):  # what anybody may have put there
        return False
    root = roots.pop() if len(roots) == 1 else None
    if root is None:
        return False
    status = verify_token(members[TOKEN], root, trust=trust, hash_name=plain_name(algorithm))
    return status.intact and (trust is None or status.trust is TrustState.TRUSTED)


def _roots(session: Session, members: Members, algorithm: str) -> Iterator[bytes | None]:
    """Yield the root to which each way leads; that of a token that is not known cannot be followed."""
    for said in _lines(members[_RECORDS]):
        yield root_of([bytes.fromhex(one) for one in said["hashes"]], _way(said), algorithm)
    for said in _lines(members[_RENEWALS]):
        renewed = session.get(EvidenceStamp, said["stamp_id"])
        if renewed is not None:
            yield root_of([digest_of(renewed.token, algorithm)], _way(said), algorithm)


def _way(said: Mapping[str, Any]) -> tuple[tuple[bytes, ...], ...]:
    return tuple(tuple(bytes.fromhex(one) for one in partial) for partial in said["way"])


def _whole(platform: Platform, key: str, accepts: Callable[[Members], bool]) -> tuple[Members | None, dict[str, LockedObject]]:
    """Return what a batch holds, as the first place has it that holds one to be accepted; and the copies that say the same."""
    members: Members | None = None
    found: dict[str, LockedObject] = {}
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        for place in places_of(platform):
            target = Path(folder) / place.name
            sealed = _fetched(place, key, target)
            read = _members(target) if sealed is not None else None
            if sealed is None or read is None or not accepts(read):
                continue
            members = members or read
            if read == members:
                found[place.name] = sealed
    return members, found


def _fetched(place: Place, key: str, target: Path) -> LockedObject | None:
    try:
        sealed, lock = place.store.fetch_first(key, target)
    except ObjectMissing:
        return None
    return None if lock.until is None else LockedObject(**asdict(sealed), locked_until=lock.until)


def _members(path: Path) -> Members | None:
    try:
        with path.open("rb") as stream:
            members = {entry.name: b"".join(content(stream, entry)) for entry in read_stored_zip(stream)}
    except NotStoredZip:
        return None
    return members if {TOKEN, _RECORDS, _RENEWALS} <= members.keys() else None


def _stamp(stamp_id: str, algorithm: str, token: bytes, found: Mapping[str, LockedObject]) -> EvidenceStamp:
    one = next(iter(found.values()))
    return EvidenceStamp(
        id=stamp_id,
        algorithm=algorithm,
        token=token,
        stamped=Timestamp.read(token).gen_time,
        expires=end_of_certificate(token),
        key=batches.key_of(stamp_id),
        sha256=one.sha256,
        length=one.size,
        copies={place: sealed.version_id for place, sealed in found.items()},
        locked_until=min(sealed.locked_until for sealed in found.values()),
    )


def _rows(session: Session, stamp_id: str, members: Members) -> None:
    """Write what a batch covers; of two with the same chain, or the same token, the later one counts, as it did in the tables."""
    for said in _lines(members[_RECORDS]):
        known = session.get(RecordEvidence, (said["record_id"], said["chain"]))
        later = known is not None and known.stamp_id is not None and known.stamp_id > stamp_id
        if session.get(Record, said["record_id"]) is not None and not later:
            session.merge(RecordEvidence(**said, stamp_id=stamp_id))
    for said in _lines(members[_RENEWALS]):
        renewal = session.get(EvidenceRenewal, said["stamp_id"])
        later = renewal is not None and renewal.by_id > stamp_id
        if session.get(EvidenceStamp, said["stamp_id"]) is not None and not later:  # one that is lost renews nothing here
            session.merge(EvidenceRenewal(**said, by_id=stamp_id))
    session.flush()


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in data.splitlines())
