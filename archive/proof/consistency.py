"""Consistency: one file that proves that a head of the journal is the beginning of a later one, for whoever holds the first.

What lives here: the proof, its file, and its verification offline. What does not: the arithmetic (`archive.proof.tree`), and
heads made with different hashes: between those the journal itself, read from its segments, tells (`archive.proof.segments`).

Members, in this order: ``README.txt`` (in French, how an expert verifies by hand), ``consistency.json``, then for each of the two
heads ``first/`` and ``second/`` with ``head.json``, ``token.der`` and ``certificates/NN.pem``; ``SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryptography import x509
from sqlmodel import col, select

from archive.models import TreeHead
from archive.proof import tree
from archive.proof.chains import chain_of
from archive.proof.evidence import (
    CERTIFICATES,
    HEAD,
    LARGEST_CHAIN,
    README,
    SUMS,
    TOKEN,
    add_stamped_head,
    check_stamped,
    guide,
    stamped_guide,
    stamped_in_words,
    sums,
)
from archive.proof.hashes import digest_length, plain_name
from archive.proof.head import Head
from archive.proof.heads import TableStore
from archive.proof.verification import CheckState, EvidenceReport, Parts, check_authority, check_timestamp, check_validity
from archive.stored_zip import NotStoredZip, Stored, content, read_stored_zip, stored_zip
from core.canonical import canonical_bytes, read_canonical
from core.errors import NotFound, UnreadableInput, UsageError
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM
from signing.trust import TrustStore

FORMAT = "tabellion-consistency/1"
CONSISTENCY, FOLDERS = "consistency.json", ("first/", "second/")

_messages = Catalogue("archive.proof")
_LONGEST_PATH = 64
_SMALL = 1 << 20


@dataclass(frozen=True, slots=True)
class StampedHead:
    """A head, the token over it, and the authority's chain as far as it is known."""

    head: Head
    token: bytes
    certificates: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two heads, and the path that proves that the second continues the first (RFC 9162, 2.1.4)."""

    first: StampedHead
    second: StampedHead
    path: tuple[bytes, ...]


def consistency_of(platform: Platform, first_size: int, second_size: int) -> Consistency:
    """Return the proof that the head of one size is the beginning of that of a later one.

    Raises:
        NotFound: there is no head of a size.
        UsageError: the first is not the older one, or the two were made with different hashes.
    """
    if not 0 < first_size <= second_size:
        raise UsageError(_messages("consistency.order"))
    with platform.database.reading(PLATFORM) as session:
        rows = {row.size: row for row in session.exec(select(TreeHead).where(col(TreeHead.size).in_([first_size, second_size])))}
        for size in (first_size, second_size):
            if size not in rows:
                raise NotFound(_messages("consistency.unknown", size=size))
        first, second = (_stamped(platform, rows[size]) for size in (first_size, second_size))
        if first.head.hash != second.head.hash:
            raise UsageError(_messages("consistency.hashes", first=first.head.hash, second=second.head.hash))
        path = tree.consistency_path(TableStore(session.connection(), second.head.hash), first_size, second_size)
    return Consistency(first, second, tuple(path))


def write_consistency(proof: Consistency, target: Path) -> None:
    """Write the proof to a file; the same proof gives the same bytes.

    Raises:
        BrokenChain: a token is over something else.
    """
    for one in (proof.first, proof.second):
        check_stamped(one.head, one.token, one.certificates)
    with stored_zip(target, proof.second.head.at) as zipped:
        stored = [zipped.add(README, _readme(proof).encode()), zipped.add(CONSISTENCY, _statement(proof))]
        for folder, one in zip(FOLDERS, (proof.first, proof.second), strict=True):
            stored += add_stamped_head(zipped, one.head, one.token, one.certificates, folder)
        zipped.add(SUMS, sums(stored))


def is_consistency(path: Path) -> bool:
    """Tell whether a file is such a proof, by the names of its members."""
    try:
        with path.open("rb") as stream:
            return any(entry.name == CONSISTENCY for entry in read_stored_zip(stream, largest_count=2 * LARGEST_CHAIN + 8))
    except NotStoredZip:
        return False


def verify_consistency(path: Path, *, trust: TrustStore | None = None) -> EvidenceReport:
    """Verify such a file; nothing else is read.

    Raises:
        OSError: the file cannot be opened.
    """
    report = EvidenceReport()
    try:
        with path.open("rb") as stream:
            members = _members(stream)
        heads = [Head.read(members[f"{folder}{HEAD}"]) for folder in FOLDERS]
        steps = _path(members[CONSISTENCY], heads)
    except (NotStoredZip, UnreadableInput, ValueError, TypeError) as error:
        report.add("members", CheckState.FAILED, "unreadable")
        report.facts["reason"] = str(error)
        return report
    first, second = heads
    report.add("members", CheckState.OK, "members.ok", count=len(members))
    held = first.hash == second.hash and first.origin == second.origin
    held = held and tree.verify_consistency(first.size, second.size, first.root, second.root, steps, first.hash)
    report.facts.update(first_size=first.size, second_size=second.size, origin=second.origin)
    report.tell("consistency", CheckState.OK if held else CheckState.FAILED, _said(held, first, second))
    for folder in FOLDERS:
        small = {name.removeprefix(folder): data for name, data in members.items() if name.startswith(folder)}
        chain = tuple(data for name, data in small.items() if name.startswith(CERTIFICATES))
        for check in (check_timestamp, check_authority, _check_validity):
            try:
                check(Parts(path, small, chain), trust, report)
            except (UnreadableInput, ValueError):
                report.add("timestamp", CheckState.FAILED, "unreadable")
    return report


def _check_validity(parts: Parts, trust: TrustStore | None, report: EvidenceReport) -> None:
    check_validity(parts, trust, report, "validity.aged_head")


def _said(held: bool, first: Head, second: Head) -> str:
    key = "consistency.holds" if held else "consistency.fails"
    return _messages(key, first=first.size, second=second.size)


def _stamped(platform: Platform, row: TreeHead) -> StampedHead:
    return StampedHead(Head.read(row.head), row.token, chain_of(platform, row))


def _members(stream: IO[bytes]) -> dict[str, bytes]:
    entries = read_stored_zip(stream, largest_count=2 * LARGEST_CHAIN + 8)
    if any(entry.size > _SMALL for entry in entries):
        raise UnreadableInput("a member is too large")
    members = {entry.name: b"".join(content(stream, entry)) for entry in entries}
    names = [README, CONSISTENCY]
    for folder in FOLDERS:
        certificates = sum(name.startswith(f"{folder}{CERTIFICATES}") for name in members)
        chain = [f"{folder}{CERTIFICATES}{rank:02}.pem" for rank in range(1, certificates + 1)]
        names += [f"{folder}{HEAD}", f"{folder}{TOKEN}", *chain]
    if list(members) != [*names, SUMS]:
        raise UnreadableInput("the members are not those of a proof of consistency")
    stored = [Stored(name, hashlib.sha256(members[name]).hexdigest(), len(members[name])) for name in names]
    if not hmac.compare_digest(members[SUMS], sums(stored)):
        raise UnreadableInput("the digests are not those of the members")
    return members


def _path(data: bytes, heads: Sequence[Head]) -> list[bytes]:
    told = read_canonical(data)
    path = told.get("path")
    if not isinstance(path, list) or len(path) > _LONGEST_PATH:
        raise UnreadableInput("the proof has no path")
    expected = {"format": FORMAT, "first_size": heads[0].size, "second_size": heads[1].size, "path": path}
    if told != expected:
        raise UnreadableInput("the proof is not about these heads")
    return [bytes.fromhex(step) for step in path]


def _statement(proof: Consistency) -> bytes:
    path = [step.hex() for step in proof.path]
    sizes = {"first_size": proof.first.head.size, "second_size": proof.second.head.size}
    return canonical_bytes({"format": FORMAT, **sizes, "path": path})


def _readme(proof: Consistency) -> str:
    first, second = proof.first.head, proof.second.head
    return guide(
        "consistency",
        origin=second.origin,
        hash=second.hash,
        sum=f"{plain_name(second.hash)}sum",
        first_size=first.size,
        second_size=second.size,
        first_root=first.root.hex(),
        second_root=second.root.hex(),
        first_time=stamped_in_words(proof.first.token),
        second_time=stamped_in_words(proof.second.token),
        steps=_steps(proof),
        first_token=stamped_guide(proof.first.token),
        second_token=stamped_guide(proof.second.token),
    )


def _steps(proof: Consistency) -> str:
    """Return the shell commands that lead from the path to both roots (RFC 9162, 2.1.4.2)."""
    first, second = proof.first.head, proof.second.head
    hashed = f"xxd -r -p | {plain_name(second.hash)}sum | cut -c1-{2 * digest_length(second.hash)}"
    steps = [first.root, *proof.path] if first.size & (first.size - 1) == 0 else list(proof.path)
    if first.size == second.size:
        steps = [first.root]
    lines = [f"a={steps[0].hex()}; b=$a"]
    place, last = first.size - 1, second.size - 1
    while place % 2:
        place, last = place // 2, last // 2
    for step in steps[1:]:
        if place % 2 or place == last:
            lines.append(f'a=$(printf "01{step.hex()}$a" | {hashed})')
            lines.append(f'b=$(printf "01{step.hex()}$b" | {hashed})')
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            lines.append(f'b=$(printf "01${{b}}{step.hex()}" | {hashed})')
        place, last = place // 2, last // 2
    return "\n".join(f"    {line}" for line in [*lines, 'echo "$a"; echo "$b"'])
