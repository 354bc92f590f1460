"""Evidence records put together from the tables: the chains of a record, each with the timestamps that renew it.

What lives here: reading. What does not: how timestamps come to be (`archive.proof.ers.stamping`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from sqlmodel import col, select

from archive.models import EvidenceRenewal, EvidenceStamp, RecordEvidence
from archive.proof.ers import syntax
from archive.proof.ers.hashtree import Way
from archive.proof.ers.syntax import Stamped
from core.database import ScopedSession


def hexadecimal(way: Way) -> list[list[str]]:
    """Return a way as the tables keep it."""
    return [[one.hex() for one in partial] for partial in way]


def evidence_record(session: ScopedSession, record_id: str) -> bytes | None:
    """Return the evidence record of a record, DER (RFC 4998); None while there is no timestamp over it."""
    chains = chains_of(session, record_id)
    return syntax.written(chains) if chains else None


def chains_of(session: ScopedSession, record_id: str) -> list[list[Stamped]]:
    """Return the chains of a record that are stamped, each with the timestamps that the next one is bound to."""
    wanted = select(RecordEvidence).where(RecordEvidence.record_id == record_id).order_by(col(RecordEvidence.chain))
    rows = list(session.exec(wanted))
    # A chain ends for this record where the next one took over, whoever else renewed its timestamps later.
    ends = [row.before for row in rows[1:]]
    found = [_chain(session, row, end) for row, end in itertools.zip_longest(rows, ends)]
    return [chain for chain in found if chain]


def newest(session: ScopedSession, record_id: str) -> RecordEvidence | None:
    """Return the newest chain of a record, stamped or not."""
    wanted = select(RecordEvidence).where(RecordEvidence.record_id == record_id).order_by(col(RecordEvidence.chain).desc())
    return session.exec(wanted.limit(1)).first()


def _chain(session: ScopedSession, row: RecordEvidence, end: int | None) -> list[Stamped]:
    stamp = session.get(EvidenceStamp, row.stamp_id) if row.stamp_id else None
    way: Sequence[Sequence[str]] = row.way
    chain: list[Stamped] = []
    while stamp is not None and (end is None or len(chain) < end):
        lists = tuple(tuple(bytes.fromhex(one) for one in partial) for partial in way)
        chain.append(Stamped(row.algorithm, lists, stamp.token))
        renewal = session.get(EvidenceRenewal, stamp.id)
        stamp = session.get(EvidenceStamp, renewal.by_id) if renewal else None
        way = renewal.way if renewal else []
    return chain
