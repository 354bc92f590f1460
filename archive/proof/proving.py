"""Gathering evidence from the store and the journal's tree: of a record, of a package that an entry names, of several entries."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlmodel import col, select

from archive.models import Record, RecordDigest, TreeHash, TreeHead, TreeLeaf
from archive.places.places import fetch
from archive.proof import evidence, tree
from archive.proof.chains import chain_of
from archive.proof.evidence import Evidence
from archive.proof.extract import Entry, Extract
from archive.proof.hashes import SHA256
from archive.proof.head import Head
from archive.proof.heads import TableStore
from archive.proof.told import told_of
from core.database import ScopedSession
from core.errors import NotFound, Unavailable
from core.journal import JournalEntry
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM, Principal, Right

_messages = Catalogue("archive")
_words = Catalogue("archive.proof")
_AT_ONCE = 100  # entries whose ways to the root are read at once: some thousands of nodes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a journal entry stands in the journal's tree.

    Attributes:
        position: of its leaf, from 0; None until it has a place.
        head_size: of the first timestamped head that covers it; None while it waits for one.
        stamped: when that head was timestamped.
    """

    position: int | None = None
    head_size: int | None = None
    root: str | None = None
    stamped: datetime | None = None


def standing_of(session: ScopedSession, entry_id: str) -> Standing:
    """Return where a journal entry, such as that of a record, stands in the tree."""
    leaf = session.exec(select(TreeLeaf).where(TreeLeaf.entry_id == entry_id)).first()
    if leaf is None:
        return Standing()
    head = _first_head(session, leaf.position)
    if head is None:
        return Standing(leaf.position)
    return Standing(leaf.position, head.size, head.root.hex(), head.stamped)


def write_evidence(platform: Platform, principal: Principal, record_id: str, target: Path, algorithm: str | None = None) -> None:
    """Write the evidence of a record to a file.

    Args:
        platform: where it is.
        principal: who asks.
        record_id: the record.
        target: the evidence.
        algorithm: the hash to prove it with; that of its newest digest by default.

    Raises:
        NotFound: no such record for this principal.
        Forbidden: the principal may not read it.
        Unavailable: no timestamped head covers the record yet.
        ObjectAltered: the store no longer holds the bytes that were sealed.
    """
    with platform.database.reading(principal) as session:
        record = session.get(Record, record_id)
    if record is None:
        raise NotFound(_messages("record.unknown"))
    principal.require(Right.READ, record.organisation_id)
    with platform.database.reading(PLATFORM) as session:
        newest = select(RecordDigest).where(RecordDigest.record_id == record.id).order_by(col(RecordDigest.taken).desc())
        digests = [digest for digest in session.exec(newest) if algorithm in {None, digest.algorithm}]
        # A digest that was just added waits for its head; until then the older one proves.
        proved = [digest for digest in digests if _head_of(session, digest.entry_id or record.entry_id, digest.algorithm)]
    if not digests:
        raise NotFound(_words("digest.none", algorithm=algorithm or ""))
    if not proved:
        raise Unavailable(_messages("prove.unstamped"))
    entry_id = proved[0].entry_id or record.entry_id
    write_evidence_of_entry(platform, entry_id, partial(fetch, platform, record), target, proved[0].algorithm)


def write_evidence_of_entry(
    platform: Platform, entry_id: str, fetch: Callable[[Path], None], target: Path, algorithm: str = SHA256
) -> None:
    """Write the evidence of the package that a journal entry names; whoever asks was found to be allowed to.

    Args:
        platform: where the journal and its tree are.
        entry_id: of the journal entry, whose facts name the package (``evidence.leaf_key``).
        fetch: writes the package to the file that it is given.
        target: the evidence.
        algorithm: the hash by which the entry names it.

    Raises:
        Unavailable: no timestamped head covers the entry yet.
        BrokenChain: the package is not the one that the entry names.
    """
    with platform.database.reading(PLATFORM) as session:
        head = _head_of(session, entry_id, algorithm)
        if head is None:
            raise Unavailable(_messages("prove.unstamped"))
        leaf = session.exec(select(TreeLeaf).where(TreeLeaf.entry_id == entry_id)).one()
        entry = session.exec(select(JournalEntry).where(JournalEntry.id == entry_id)).one()
        path = tree.inclusion_path(_store(session, head), leaf.position, head.size)
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        fetch(package)
        chain, told = chain_of(platform, head), told_of(platform, head.token)
        proof = Evidence(package, entry.leaf(), leaf.position, tuple(path), Head.read(head.head), head.token, chain, algorithm)
        evidence.prove(replace(proof, lists=told.lists, answers=told.answers), target)


def extract_of(platform: Platform, entries: Sequence[JournalEntry]) -> Extract:
    """Return journal entries, each proved in the first timestamped head that covers them all, or in the newest one.

    What that head does not cover yet is in the extract all the same, without a proof.

    Raises:
        Unavailable: no head was timestamped yet.
        BrokenChain: the tree does not hold together.
    """
    with platform.database.reading(PLATFORM) as session:
        positions = _positions(session, [entry.id for entry in entries])
        head = _first_head(session, max(positions.values(), default=0)) if len(positions) == len(entries) else None
        head = head or session.exec(select(TreeHead).order_by(col(TreeHead.size).desc()).limit(1)).first()
        if head is None:
            raise Unavailable(_messages("prove.unstamped"))
        covered = {entry_id: position for entry_id, position in positions.items() if position < head.size}
        paths = _paths(session, sorted(covered.values()), head)
    proved = [
        Entry(entry.leaf(), covered.get(entry.id), paths[covered[entry.id]] if entry.id in covered else ()) for entry in entries
    ]
    return Extract(tuple(proved), Head.read(head.head), head.token, chain_of(platform, head))


def _positions(session: ScopedSession, entry_ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(entry_ids), _AT_ONCE):
        wanted = col(TreeLeaf.entry_id).in_(entry_ids[start : start + _AT_ONCE])
        found.update((leaf.entry_id, leaf.position) for leaf in session.exec(select(TreeLeaf).where(wanted)))
    return found


def _paths(session: ScopedSession, positions: Sequence[int], head: TreeHead) -> dict[int, tuple[bytes, ...]]:
    store = _store(session, head)
    found: dict[int, tuple[bytes, ...]] = {}
    for start in range(0, len(positions), _AT_ONCE):
        some = positions[start : start + _AT_ONCE]
        found.update(zip(some, map(tuple, tree.inclusion_paths(store, some, head.size)), strict=True))
    return found


def _store(session: ScopedSession, head: TreeHead) -> TableStore:
    """Return the nodes of the tree that a head is of."""
    return TableStore(session.connection(), Head.read(head.head).hash)


def _head_of(session: ScopedSession, entry_id: str, algorithm: str) -> TreeHead | None:
    """Return the first head that covers an entry, made with this hash or a later one."""
    position = _position(session, entry_id)
    since = session.exec(select(TreeHash.entry_id).where(TreeHash.algorithm == algorithm)).first()
    change = _position(session, since) if since else 0
    return None if position is None or change is None else _first_head(session, max(position, change))


def _position(session: ScopedSession, entry_id: str) -> int | None:
    return session.exec(select(TreeLeaf.position).where(TreeLeaf.entry_id == entry_id)).first()


def _first_head(session: ScopedSession, position: int) -> TreeHead | None:
    covering = select(TreeHead).where(TreeHead.size > position).order_by(col(TreeHead.size)).limit(1)
    return session.exec(covering).first()
