"""Timestamps over evidence records: the first ones, those that renew a token, those that renew a hash; many under one token.

What lives here: which records and which tokens are due, the hash tree over them, the token, and the batch put under lock. What
does not: what the new hash of a package is (`archive.proof.resealing`), which prepares the chain that is stamped here.

A token is renewed by a token over its own hash (RFC 4998, 5.2), for all the records that stand on it at once: renewing a million
records costs a token, and one row for each token that they stood on.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from archive.models import EvidenceRenewal, EvidenceStamp, Record, RecordEvidence, RecordFile
from archive.proof.ers import batches, records, syntax
from archive.proof.ers.hashtree import renewed, ways
from archive.proof.ers.records import hexadecimal
from archive.proof.hashes import SHA256, digest_of, plain_name
from archive.proof.heads import Stamps
from archive.proof.lifetime import end_of_certificate
from archive.proof.marks import require_ended
from core import clock, journal
from core.database import ScopedSession
from core.identifiers import new_id
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.trust import trust_store

STAMPED = "evidence.stamped"
"""The journal entry of a batch: its digest, and how many records and tokens it covers."""
AT_ONCE = 10_000
"""Records, or tokens, under one timestamp."""
_PAGE = 500
AGAIN = timedelta(days=30)
"""An authority that still had its old certificate is asked again after this time."""


def begin(platform: Platform, stamps: Stamps, record_ids: Sequence[str] | None = None) -> int:
    """Put a timestamp over records that have none; return how many there were.

    Args:
        platform: database and places.
        stamps: the timestamping authority.
        record_ids: those meant, some hundreds at most; any that are due by default, at most `AT_ONCE`.

    Raises:
        NeedsOperator: a catching up is open.
        Unavailable: the authority or a place does not answer.
    """
    require_ended(platform)
    begun = 0
    while begun < AT_ONCE:
        with platform.database.reading(PLATFORM) as session:
            chains = _first_chains(session, record_ids)
        with suppress(IntegrityError), platform.database.writing(PLATFORM) as session:  # another run may be quicker
            session.add_all(chains)
        begun += len(chains)
        if len(chains) < _PAGE:
            break
    return stamp_waiting(platform, stamps, record_ids)


def stamp_waiting(platform: Platform, stamps: Stamps, record_ids: Sequence[str] | None = None) -> int:
    """Put a timestamp over the chains that wait for theirs, at most `AT_ONCE`; return how many there were.

    Raises:
        NeedsOperator: a catching up is open.
        Unavailable: the authority or a place does not answer.
    """
    require_ended(platform)
    with platform.database.reading(PLATFORM) as session:
        waiting = select(RecordEvidence).where(col(RecordEvidence.stamp_id).is_(None))
        if record_ids is not None:
            waiting = waiting.where(col(RecordEvidence.record_id).in_(record_ids))
        rows = list(session.exec(waiting.order_by(RecordEvidence.record_id).limit(AT_ONCE)))
    for algorithm, some in itertools.groupby(sorted(rows, key=lambda row: row.algorithm), key=lambda row: row.algorithm):
        _stamp_records(platform, stamps, algorithm, list(some))
    batches.seal_due(platform)
    return len(rows)


def renew(platform: Platform, stamps: Stamps, margin: timedelta) -> int:
    """Renew the tokens whose authority's certificate ends within a margin; return how many there were.

    Raises:
        NeedsOperator: a catching up is open.
        Unavailable: the authority or a place does not answer.
    """
    require_ended(platform)
    now = clock.now()
    with platform.database.reading(PLATFORM) as session:
        again = select(EvidenceRenewal.stamp_id).where(EvidenceRenewal.stamp_id == EvidenceStamp.id).exists()
        due = select(EvidenceStamp).where(EvidenceStamp.expires < now + margin, EvidenceStamp.stamped < now - AGAIN, ~again)
        rows = list(session.exec(due.order_by(col(EvidenceStamp.expires)).limit(AT_ONCE)))
    for algorithm, some in itertools.groupby(sorted(rows, key=lambda row: row.algorithm), key=lambda row: row.algorithm):
        _renew_tokens(platform, stamps, algorithm, list(some))
    batches.seal_due(platform)
    return len(rows)


def prepare_chain(session: ScopedSession, record: Record, algorithm: str, digests: Sequence[bytes]) -> None:
    """Begin a chain of another hash for a record that has an evidence record; it waits for its timestamp.

    Args:
        session: a writing one.
        record: the record.
        algorithm: the new hash.
        digests: of its package and of its files, made with it.
    """
    last = records.newest(session, record.id)
    if last is None or last.algorithm == algorithm:
        return
    if last.stamp_id is None:  # nothing stands on it yet
        session.delete(last)
        session.flush()
    chains = records.chains_of(session, record.id)
    before = syntax.sequence_der(chains) if chains else None
    hashes = sorted({renewed(digest, before, algorithm) if before else digest for digest in digests})
    session.add(
        RecordEvidence(
            record_id=record.id,
            chain=len(chains) + 1,
            organisation_id=record.organisation_id,
            algorithm=algorithm,
            hashes=[one.hex() for one in hashes],
            before=len(chains[-1]) if chains else 0,
        )
    )


def _first_chains(session: ScopedSession, record_ids: Sequence[str] | None) -> list[RecordEvidence]:
    """Return the first chains of records without one, over their packages and the files that the manifests name by SHA-256."""
    has = select(RecordEvidence.record_id).where(RecordEvidence.record_id == Record.id).exists()
    wanted = select(Record).where(~has, col(Record.eliminated).is_(None))
    if record_ids is not None:
        wanted = wanted.where(col(Record.id).in_(record_ids))
    found = {record.id: record for record in session.exec(wanted.order_by(Record.id).limit(_PAGE))}
    hashes = {record.id: {record.sha256} for record in found.values()}
    files = select(RecordFile).where(col(RecordFile.record_id).in_(list(found)), col(RecordFile.sha256).is_not(None))
    for file in session.exec(files):
        hashes[file.record_id].add(file.sha256 or "")
    return [
        RecordEvidence(
            record_id=record.id,
            chain=1,
            organisation_id=record.organisation_id,
            algorithm=SHA256,
            hashes=sorted(hashes[record.id]),
        )
        for record in found.values()
    ]


def _stamp_records(platform: Platform, stamps: Stamps, algorithm: str, rows: list[RecordEvidence]) -> None:
    root, found = ways([[bytes.fromhex(one) for one in row.hashes] for row in rows], algorithm)
    stamp = _asked(platform, stamps, root, algorithm)
    with platform.database.writing(PLATFORM) as session:
        taken = [(row, way) for row, way in zip(_held(session, rows), found, strict=True) if row is not None]
        if not taken:
            return  # another run was quicker: nothing would stand on this timestamp
        session.add(stamp)
        session.flush()
        for row, way in taken:
            row.stamp_id, row.way = stamp.id, hexadecimal(way)
        tell(session, stamp, records=len(taken), renewed=0)


def _held(session: ScopedSession, rows: Sequence[RecordEvidence]) -> list[RecordEvidence | None]:
    """Return the chains as they stand now, locked; None for one that has its timestamp, or was made anew, meanwhile."""
    held: dict[tuple[str, int], RecordEvidence] = {}
    for start in range(0, len(rows), _PAGE):
        named = col(RecordEvidence.record_id).in_([row.record_id for row in rows[start : start + _PAGE]])
        waiting = select(RecordEvidence).where(named, col(RecordEvidence.stamp_id).is_(None))
        some = session.exec(waiting.order_by(RecordEvidence.record_id).with_for_update())
        held.update(((row.record_id, row.chain), row) for row in some)
    found = (held.get((row.record_id, row.chain)) for row in rows)
    return [now if now and now.hashes == row.hashes else None for row, now in zip(rows, found, strict=True)]


def _renew_tokens(platform: Platform, stamps: Stamps, algorithm: str, rows: list[EvidenceStamp]) -> None:
    root, found = ways([[digest_of(row.token, algorithm)] for row in rows], algorithm)
    stamp = _asked(platform, stamps, root, algorithm)
    with platform.database.writing(PLATFORM) as session:
        session.add(stamp)
        session.flush()
        for row, way in zip(rows, found, strict=True):
            session.add(EvidenceRenewal(stamp_id=row.id, by_id=stamp.id, way=hexadecimal(way)))
        tell(session, stamp, records=0, renewed=len(rows))


def _asked(platform: Platform, stamps: Stamps, root: bytes, algorithm: str) -> EvidenceStamp:
    stamp = stamps.stamp(root, plain_name(algorithm))
    identifier = new_id()
    return EvidenceStamp(
        id=identifier,
        algorithm=algorithm,
        token=stamp.token,
        stamped=stamp.gen_time,
        expires=end_of_certificate(stamp.token, trust_store(platform.settings.trust_dir)),
        key=batches.key_of(identifier),
    )


def tell(session: ScopedSession, stamp: EvidenceStamp, *, records: int, renewed: int) -> None:
    """Write the journal entry of a batch."""
    root = session.exec(select(Organisation).where(col(Organisation.parent_id).is_(None)).order_by(Organisation.id)).one()
    token = digest_of(stamp.token).hex()
    facts = {"stamp": stamp.id, "hash": stamp.algorithm, "token_sha256": token, "records": records, "renewed": renewed}
    journal.write(session, organisation_id=root.id, kind=STAMPED, actor="platform", facts=facts)
