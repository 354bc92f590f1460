"""Verifying an evidence record offline (RFC 4998, 4.3 and 5.3): every hash and every token of every chain.

What lives here: whether the objects are those that the record is over, whether each timestamp is over the one before, and was
made while that one still held. What does not: writing one.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive.proof.ers import syntax
from archive.proof.ers.hashtree import renewed, root_of
from archive.proof.ers.infos import believing
from archive.proof.ers.syntax import Stamped
from archive.proof.hashes import digest_of, plain_name
from archive.proof.lifetime import end_of_certificate
from archive.proof.verification import CheckState, EvidenceReport
from core import clock
from core.clock import in_paris, iso
from core.messages import Catalogue
from signing.timestamp.token import Timestamp, TimestampStatus, TokenUnreadable, verify_token
from signing.trust import TrustState, TrustStore

_messages = Catalogue("archive.proof")
Digests = Callable[[str], Sequence[bytes]]
"""Gives the digests of the objects by the name that hashlib knows a hash by."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A timestamp, what it must be over, and what it proves to have existed."""

    stamped: Stamped
    hashes: Sequence[bytes]


def verify_evidence_record(der: bytes, digests: Digests, *, trust: TrustStore | None, at: datetime) -> EvidenceReport:
    """Verify an evidence record over data objects.

    Args:
        der: the record.
        digests: of the objects that it is said to be over, all of which must be in it.
        trust: authorities that are believed; None leaves open who they are.
        at: the moment of the verification, at which the last timestamp must still hold.

    Raises:
        UnreadableInput: it is no evidence record.
    """
    report = EvidenceReport()
    chains = syntax.read(der)
    trust = believing(trust, der) if trust else None
    if not chains or not all(chains):
        _add(report, "objects", CheckState.FAILED, "empty")
        return report
    previous: TimestampStatus | None = None
    stamps = list(itertools.chain.from_iterable(chains))
    seen = iter([*(_told(later, trust, at) for later in stamps[1:]), at])  # each was there when the next one was made over it
    for rank, chain in enumerate(chains):
        for step in _steps(chains, rank, digests):
            previous = _step(report, step, previous, trust, next(seen))
            if previous is None:
                return report
        if len({stamped.algorithm for stamped in chain}) > 1:
            _add(report, "chain", CheckState.FAILED, "hashes", chain=rank + 1)
            return report
    _end(report, chains[-1][-1], trust, at)
    return report


def is_evidence_record(path: Path) -> bool:
    """Tell whether a file may be an evidence record, by its first octets: a DER sequence that begins with a version."""
    with path.open("rb") as stream:
        start = stream.read(16)
    return start[:1] == b"\x30" and b"\x02\x01\x01" in start


def verify_with_package(path: Path, package: Path, *, trust: TrustStore | None) -> EvidenceReport:
    """Verify an evidence record over a package, which holds the files that the record names beside it.

    Raises:
        UnreadableInput: it is no evidence record.
        OSError: a file cannot be opened.
    """
    with path.open("rb") as stream:
        der = stream.read(syntax.LARGEST + 1)
    return verify_evidence_record(der, lambda name: [_digest(package, name)], trust=trust, at=clock.now())


def _digest(path: Path, name: str) -> bytes:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, name).digest()


def _steps(chains: Sequence[Sequence[Stamped]], rank: int, digests: Digests) -> Sequence[_Step]:
    chain = chains[rank]
    algorithm = chain[0].algorithm
    data = list(digests(plain_name(algorithm)))
    if rank:
        before = syntax.sequence_der(chains[:rank])
        data = [renewed(value, before, algorithm) for value in data]
    steps = [_Step(chain[0], data)]
    steps += [_Step(later, [digest_of(earlier.token, algorithm)]) for earlier, later in itertools.pairwise(chain)]
    return steps


def _step(
    report: EvidenceReport, step: _Step, previous: TimestampStatus | None, trust: TrustStore | None, seen: datetime
) -> TimestampStatus | None:
    stamped = step.stamped
    root = root_of(step.hashes, stamped.way, stamped.algorithm)
    if root is None:
        _add(report, "objects", CheckState.FAILED, "objects")
        return None
    status = verify_token(stamped.token, root, trust=trust, hash_name=plain_name(stamped.algorithm), seen=seen)
    if not status.checked:
        _add(report, "timestamp", CheckState.UNKNOWN, "unchecked", reason=status.reason or "")
        return None
    if status.timestamp is None or not status.intact:
        _add(report, "timestamp", CheckState.FAILED, "token", reason=status.reason or "")
        return None
    time = status.timestamp.gen_time
    if previous is not None and previous.timestamp is not None:
        if not previous.timestamp.gen_time <= time <= end_of_certificate(previous.timestamp.token, trust):
            _add(report, "timestamp", CheckState.FAILED, "late", time=_french(time))
            return None
    else:
        report.facts["since"] = iso(time)
    _add(report, "timestamp", CheckState.OK, "step", time=_french(time), hash=stamped.algorithm)
    if trust is None or status.trust is TrustState.UNKNOWN:
        _add(report, "authority", CheckState.UNKNOWN, "unknown", name=status.timestamp.authority)
    elif status.trust is not TrustState.TRUSTED:
        _add(report, "authority", CheckState.FAILED, "untrusted", name=status.timestamp.authority)
        return None
    else:
        key = "trusted" if status.revocation_known else "trusted_unlisted"
        _add(report, "authority", CheckState.OK, key, name=status.timestamp.authority)
    return status


def _told(stamped: Stamped, trust: TrustStore | None, otherwise: datetime) -> datetime:
    """Return the time that a token tells; of one that cannot be read its own step says so."""
    try:
        return Timestamp.read(stamped.token, trust).gen_time
    except TokenUnreadable:
        return otherwise


def _end(report: EvidenceReport, last: Stamped, trust: TrustStore | None, at: datetime) -> None:
    ends = end_of_certificate(last.token, trust)
    report.facts["renew_before"] = iso(ends)
    held = at <= ends
    _add(report, "validity", CheckState.OK if held else CheckState.UNKNOWN, "holds" if held else "aged", time=_french(ends))


def _add(report: EvidenceReport, check: str, state: CheckState, key: str, /, **places: object) -> None:
    report.tell(check, state, _messages(f"ers.{key}", **places))


def _french(moment: datetime) -> str:
    return f"{in_paris(moment):%d/%m/%Y %H:%M:%S}"
