"""Verifying evidence, offline: nothing is read but the file and, when given, a store of trusted authorities.

What lives here: every link of the chain recomputed, one named check each, and a verdict. What does not: the layout and the
writing of the file (`archive.proof.evidence`). Nothing in the file is believed because it stands there: digests are computed,
the digest list and the headers of the ZIP must be exactly what they must be, so that no byte can change unseen.

The verdict: *invalid* when a check fails, *indeterminate* when none fails and one could not be made (most often: nobody said
which timestamping authorities are believed, or the certificate of the one that stamped has ended), *valid* otherwise. Members of
names that are unknown here, after those that are known and before the digest list, which names them too, are those of a newer
form than this one: what they add cannot be judged, and the verdict is not better than *indeterminate*.
"""

from __future__ import annotations

import hashlib
import hmac
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from cryptography import x509

from archive.ingest.inspection import compare_package
from archive.proof.evidence import (
    ANSWER,
    CERTIFICATES,
    HEAD,
    LARGEST_CHAIN,
    LEAF,
    LIST,
    PACKAGE,
    PROOF,
    README,
    REVOCATIONS,
    SUMS,
    TOKEN,
    leaf_key,
    package_digest,
    statement_of_proof,
    sums,
)
from archive.proof.hashes import HASHES, SHA256, plain_name
from archive.proof.head import Head
from archive.proof.lifetime import end_of_certificate
from archive.proof.tree import leaf_hash, verify_inclusion
from archive.stored_zip import Entry, NotStoredZip, Stored, content, read_stored_zip
from core.canonical import read_canonical
from core.clock import in_paris, iso, now
from core.errors import UnreadableInput
from core.messages import Catalogue
from signing.timestamp.token import TokenUnreadable, verify_token
from signing.trust import TrustState, TrustStore

_messages = Catalogue("archive")
_SMALL = 1 << 20
_LONGEST_PATH = 64
_FIXED = (README, PACKAGE, LEAF, PROOF, HEAD, TOKEN)
_KNOWN = (*_FIXED, SUMS)
_MOST_NEWER = 64
"""Members that a newer form may add."""


class CheckState(StrEnum):
    """What came out of one check."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class EvidenceVerdict(StrEnum):
    """What came out of all of them."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class Check:
    """One link of the chain.

    Attributes:
        name: ``container``, ``members``, ``package``, ``files``, ``inclusion``, ``timestamp``, ``authority``,
            ``validity``.
        message: a sentence for a person.
    """

    name: str
    state: CheckState
    message: str


@dataclass(slots=True)
class EvidenceReport:
    """All checks, in the order of the chain, and what was read on the way.

    Attributes:
        facts: digests, place in the journal, time of the token; JSON values only, and only from links that hold.
    """

    checks: list[Check] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> EvidenceVerdict:
        """The worst of the checks."""
        states = {check.state for check in self.checks}
        if CheckState.FAILED in states or not states:
            return EvidenceVerdict.INVALID
        return EvidenceVerdict.INDETERMINATE if CheckState.UNKNOWN in states else EvidenceVerdict.VALID

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        checks = [{"name": check.name, "state": check.state.value, "message": check.message} for check in self.checks]
        return {"verdict": self.verdict.value, "checks": checks, "facts": self.facts}

    def add(self, name: str, state: CheckState, key: str, /, **places: object) -> None:
        """Add a check, its sentence from the catalogue."""
        self.tell(name, state, _messages(f"verify.{key}", **places))

    def tell(self, name: str, state: CheckState, message: str) -> None:
        """Add a check, with its sentence."""
        self.checks.append(Check(name, state, message))


def verify_evidence(path: Path, *, trust: TrustStore | None = None) -> EvidenceReport:
    """Verify an evidence file.

    Args:
        path: the file; read in streams, its package is unpacked to a temporary folder.
        trust: authorities that are believed; None leaves open who the timestamping authority is.

    Raises:
        OSError: the file cannot be opened.
    """
    report = EvidenceReport()
    with path.open("rb") as stream, tempfile.TemporaryDirectory() as folder:
        parts = _read(stream, Path(folder) / PACKAGE, report)
        if parts is None:
            done = {check.name for check in report.checks}
            for name in ("members", *_LINKS):
                if name not in done:
                    report.add(name, CheckState.UNKNOWN, "unknown")
            return report
        for name, check in _LINKS.items():
            try:
                check(parts, trust, report)
            except (UnreadableInput, ValueError):
                report.add(name, CheckState.FAILED, "unreadable")
    return report


@dataclass(frozen=True, slots=True)
class Parts:
    """The members of an evidence file whose digests agree with its list, the package where it was unpacked.

    Attributes:
        lists: revocation lists, DER.
        answers: OCSP answers, DER.
    """

    package: Path
    small: dict[str, bytes]
    certificates: tuple[bytes, ...]
    lists: tuple[bytes, ...] = ()
    answers: tuple[bytes, ...] = ()


def _read(stream: IO[bytes], package: Path, report: EvidenceReport) -> Parts | None:
    """Read the members; None when the file itself is not what it should be."""
    try:
        entries = read_stored_zip(stream, largest_count=len(_KNOWN) + 2 * LARGEST_CHAIN + _MOST_NEWER)
    except NotStoredZip:
        report.add("container", CheckState.FAILED, "container.failed")
        return None
    report.add("container", CheckState.OK, "container.ok")
    names = [entry.name for entry in entries]
    beside = _beside(names)
    if len(beside) > 2 * LARGEST_CHAIN or names != [*_FIXED, *beside, *_newer(names), SUMS]:
        report.add("members", CheckState.FAILED, "members.names", names=", ".join(names)[:500])
        return None
    try:
        return _members(stream, entries, package, report)
    except NotStoredZip:
        report.add("members", CheckState.FAILED, "members.failed")
        return None


def _beside(names: list[str]) -> list[str]:
    """Return how the certificates and what is said of them would have to be named, as many as there are: lists come first."""
    chain = sum(name.startswith(CERTIFICATES) for name in names)
    told = [name for name in names if name.startswith(REVOCATIONS)]
    lists = sum(name.endswith(LIST) for name in told)
    suffixes = [LIST] * lists + [ANSWER] * (len(told) - lists)
    certificates = [f"{CERTIFICATES}{rank:02}.pem" for rank in range(1, chain + 1)]
    return certificates + [f"{REVOCATIONS}{rank:02}{suffix}" for rank, suffix in enumerate(suffixes, start=1)]


def _newer(names: list[str]) -> list[str]:
    """Return the names that this form does not know, neither by themselves nor by their folder."""
    # A disk may take letters for capitals: what is unpacked there is not to pass for a certificate.
    return [name for name in names if name not in _KNOWN and not name.casefold().startswith((CERTIFICATES, REVOCATIONS))]


def _members(stream: IO[bytes], entries: list[Entry], package: Path, report: EvidenceReport) -> Parts | None:
    small: dict[str, bytes] = {}
    stored: list[Stored] = []
    newer = _newer([entry.name for entry in entries])
    for entry in entries:
        if entry.name == PACKAGE:
            stored.append(_unpack(stream, entry, package))
        elif entry.name in newer:
            stored.append(_digested(stream, entry))
        elif entry.size > _SMALL:
            report.add("members", CheckState.FAILED, "members.large", name=entry.name)
            return None
        else:
            small[entry.name] = b"".join(content(stream, entry))
            stored.append(Stored(entry.name, hashlib.sha256(small[entry.name]).hexdigest(), entry.size))
    if not hmac.compare_digest(small[SUMS], sums(stored[:-1])):
        report.add("members", CheckState.FAILED, "members.failed")
        return None
    if newer:
        report.add("members", CheckState.UNKNOWN, "members.newer", names=", ".join(newer)[:500])
    else:
        report.add("members", CheckState.OK, "members.ok", count=len(entries))
    certificates = tuple(data for name, data in small.items() if name.startswith(CERTIFICATES))
    told = {name: data for name, data in small.items() if name.startswith(REVOCATIONS)}
    lists, answers = (tuple(data for name, data in told.items() if name.endswith(suffix)) for suffix in (LIST, ANSWER))
    return Parts(package, small, certificates, lists, answers)


def _unpack(stream: IO[bytes], entry: Entry, target: Path) -> Stored:
    digest = hashlib.sha256()
    with target.open("wb") as unpacked:
        for chunk in content(stream, entry):
            digest.update(chunk)
            unpacked.write(chunk)
    return Stored(entry.name, digest.hexdigest(), entry.size)


def _digested(stream: IO[bytes], entry: Entry) -> Stored:
    digest = hashlib.sha256()
    for chunk in content(stream, entry):
        digest.update(chunk)
    return Stored(entry.name, digest.hexdigest(), entry.size)


_Link = Callable[[Parts, TrustStore | None, EvidenceReport], None]


def _package(parts: Parts, _trust: TrustStore | None, report: EvidenceReport) -> None:
    """The package is the one that the journal entry names."""
    algorithm = _package_hash(parts)
    sealed = package_digest(parts.small[LEAF], algorithm)
    with parts.package.open("rb") as stream:
        found = hashlib.file_digest(stream, plain_name(algorithm)).hexdigest()
    if not hmac.compare_digest(sealed, found):
        report.add("package", CheckState.FAILED, "package.failed", sealed=sealed, found=found)
        return
    report.facts[leaf_key(algorithm)] = sealed
    report.add("package", CheckState.OK, "package.ok", digest=sealed)


def _files(parts: Parts, _trust: TrustStore | None, report: EvidenceReport) -> None:
    """The files of the package are those of its manifest; how a manifest is to be written today is no link of the chain."""
    try:
        problems = compare_package(parts.package)
    except UnreadableInput:
        report.add("files", CheckState.FAILED, "files.manifest")
        return
    if problems:
        report.add("files", CheckState.FAILED, "files.failed", detail=f"{problems[0].path or ''} {problems[0].message}".strip())
        return
    report.add("files", CheckState.OK, "files.ok")


def _inclusion(parts: Parts, _trust: TrustStore | None, report: EvidenceReport) -> None:
    """The journal entry is in the tree whose root the head gives."""
    head = Head.read(parts.small[HEAD])
    index, path = _proof(parts, head)
    if not verify_inclusion(leaf_hash(parts.small[LEAF], head.hash), index, head.size, path, head.root, head.hash):
        report.add("inclusion", CheckState.FAILED, "inclusion.failed")
        return
    report.facts.update(leaf_index=index, tree_size=head.size, root=head.root.hex(), origin=head.origin)
    report.add("inclusion", CheckState.OK, "inclusion.ok", index=index, size=head.size, origin=head.origin)


def _package_hash(parts: Parts) -> str:
    """Return the hash by which the proof says that the entry names the package; that it says nothing else is checked below.

    Raises:
        UnreadableInput: it is none that proofs are made with.
    """
    algorithm = read_canonical(parts.small[PROOF]).get("package_hash", SHA256)
    if not isinstance(algorithm, str) or algorithm not in HASHES:
        raise UnreadableInput("the proof names an unknown hash")
    return algorithm


def _proof(parts: Parts, head: Head) -> tuple[int, list[bytes]]:
    """Return index and path, everything else in the proof being what leaf and head make it.

    Raises:
        UnreadableInput: it is not.
    """
    proof = read_canonical(parts.small[PROOF])
    index, path = proof.get("leaf_index"), proof.get("path")
    if type(index) is not int or not isinstance(path, list) or len(path) > _LONGEST_PATH:
        raise UnreadableInput("the proof has no index or no path")
    expected = statement_of_proof(head, parts.small[LEAF], index, path, _package_hash(parts))
    if proof != expected or not all(isinstance(step, str) for step in path):
        raise UnreadableInput("the proof is not about this leaf and this head")
    return index, [bytes.fromhex(step) for step in path]


def check_timestamp(parts: Parts, _trust: TrustStore | None, report: EvidenceReport) -> None:
    """The token is over the head, and its signature holds."""
    head = Head.read(parts.small[HEAD])
    status = verify_token(parts.small[TOKEN], head.digest(), trust=None, hash_name=plain_name(head.hash))
    if not status.checked:
        report.add("timestamp", CheckState.UNKNOWN, "timestamp.unchecked", reason=status.reason or "")
        return
    if not status.intact or status.timestamp is None:
        report.add("timestamp", CheckState.FAILED, "timestamp.failed", reason=status.reason or "")
        return
    report.facts.update(stamped=iso(status.timestamp.gen_time), authority=status.timestamp.authority)
    report.add("timestamp", CheckState.OK, "timestamp.ok", time=_french(status.timestamp.gen_time))


def check_authority(parts: Parts, trust: TrustStore | None, report: EvidenceReport) -> None:
    """The timestamping authority is believed; without a trust store, its chain at least leads somewhere.

    Nothing here shows that the token is older than today: an authority that lost its key since then proves nothing (RFC 3161, 4).
    """
    store = _store(parts, trust)
    head = Head.read(parts.small[HEAD])
    status = verify_token(parts.small[TOKEN], head.digest(), trust=store, hash_name=plain_name(head.hash), seen=now())
    name = status.timestamp.authority if status.timestamp else ""
    if not status.intact:
        report.add("authority", CheckState.UNKNOWN, "unknown")
    elif status.trust is TrustState.TRUSTED and trust is not None:
        key = "authority.ok" if status.revocation_known else "authority.unlisted"
        report.add("authority", CheckState.OK, key, name=name)
    elif status.trust is TrustState.TRUSTED:
        report.add("authority", CheckState.UNKNOWN, "authority.not_compared", name=name)
    elif status.trust is TrustState.UNKNOWN:
        key = "authority.no_path" if trust is not None else "authority.not_compared"
        report.add("authority", CheckState.UNKNOWN, key, name=name)
    else:
        report.add("authority", CheckState.FAILED, "authority.failed", name=name, reason=status.reason or status.trust.value)


def check_validity(parts: Parts, trust: TrustStore | None, report: EvidenceReport, aged: str = "validity.aged") -> None:
    """The token still proves by itself; later, what it says has to be shown by a proof that was renewed in time.

    Past the end of its certificate nobody says any more whether an authority lost its key, and whoever finds that key writes
    tokens of any year (ETSI EN 319 102-1).
    """
    try:
        ends = end_of_certificate(parts.small[TOKEN], _store(parts, trust))
    except TokenUnreadable:
        report.add("validity", CheckState.UNKNOWN, "unknown")
        return
    report.facts["holds_until"] = iso(ends)
    if now() <= ends:
        report.add("validity", CheckState.OK, "validity.ok", time=_french(ends))
    else:
        report.add("validity", CheckState.UNKNOWN, aged, time=_french(ends))


def _store(parts: Parts, trust: TrustStore | None) -> TrustStore:
    """Return the store that is believed; what came with the evidence only helps to find the way, if there is any other."""
    chain = [certificate for data in parts.certificates for certificate in x509.load_pem_x509_certificates(data)]
    enclosed = TrustStore.of(chain, map(x509.load_der_x509_crl, parts.lists), parts.answers)
    if trust is None:
        return enclosed
    return replace(
        trust,
        material=(*trust.material, *enclosed.material),
        revocations=(*trust.revocations, *enclosed.revocations),
        answers=(*trust.answers, *enclosed.answers),
    )


_LINKS: dict[str, _Link] = {
    "package": _package,
    "files": _files,
    "inclusion": _inclusion,
    "timestamp": check_timestamp,
    "authority": check_authority,
    "validity": check_validity,
}


def _french(moment: datetime) -> str:
    return f"{in_paris(moment):%d/%m/%Y %H:%M:%S}"
