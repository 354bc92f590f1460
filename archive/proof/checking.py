"""The journal held against itself: every entry, place, node, head and segment recomputed, and the very row that differs named.

What lives here: the walk through the tree, in its order and in pieces, so that an audit can stop anywhere and go on there. What
does not: when it is done, and what becomes of what it finds (`archive.watch`).

Who is at fault when two rows disagree is decided by what stands above them: an altered entry no longer fits its leaf's hash,
which still fits its parent; an altered node fits neither the nodes below nor the one above. A forger who mends all of it, up to
the head, under a new token, is found by the segments, which stand under a lock outside the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from sqlalchemy import func, true
from sqlmodel import col, select

from archive.models import TreeHash, TreeHead
from archive.proof.checking_entries import leaves_at
from archive.proof.checking_segments import segment_faults
from archive.proof.checking_tree import TreeCheck
from archive.proof.fault import Fault
from archive.proof.hashes import HASHES, digest_length, digest_of, plain_name
from archive.proof.head import Head
from archive.proof.heads import algorithms, leaf_count, tree_size
from core.canonical import NotCanonical
from core.clock import iso
from core.database import ScopedSession
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp, TokenUnreadable, verify_token

_BATCH = 1000


def places(platform: Platform) -> int:
    """Return how many places there are to check: where an audit that goes on piece by piece ends.

    As many as the leaves, a tree or a head reaches: what was cut off the end of one of them stands in another.
    """
    return _reached(platform)[0]


def faults(platform: Platform, start: int | None = None, limit: int | None = None) -> Iterator[Fault]:
    """Check a range of the journal, and yield each fault once; memory holds a thousand entries, whatever the range.

    Checked are the entries from ``start`` on, every node that they complete, every head and segment that ends with one of them,
    in the database and in the places; with the last range, every head and segment that reaches beyond it. Ranges that follow
    one another check everything. Entries without a place yet are not.

    Args:
        platform: database and places.
        start: the place of the first leaf, from 0.
        limit: how many leaves; to the end by default.
    """
    first = start or 0
    end, trees = _reached(platform)
    last = end if limit is None else min(end, first + limit)
    told: set[tuple[str, str]] = set()
    for low in range(first, max(last, first + 1), _BATCH):
        high = min(low + _BATCH, last)
        until = None if high == end else high
        for fault in (*_in_database(platform, trees, low, high, until), *segment_faults(platform, low, until)):
            if (fault.table, fault.key) not in told:
                told.add((fault.table, fault.key))
                yield fault
    if last == end:
        yield from _changes_of_hash(platform)


def _reached(platform: Platform) -> tuple[int, dict[str, int]]:
    """Return how many places there are to check, and how many leaves the tree of each hash has."""
    with platform.database.reading(PLATFORM) as session:
        known = (algorithm for algorithm in algorithms(session.connection()) if algorithm in HASHES)  # another one is a fault
        trees = {algorithm: _tree_size(session, algorithm) for algorithm in known}
        return max(leaf_count(session.connection()), *trees.values()), trees


def _in_database(platform: Platform, trees: Mapping[str, int], low: int, high: int, until: int | None) -> list[Fault]:
    found: list[Fault] = []
    with platform.database.reading(PLATFORM) as session:
        connection = session.connection()
        leaves = leaves_at(connection, low, high)
        checks: dict[str, TreeCheck] = {}
        for algorithm, size in trees.items():
            if leaves and size > low:
                checks[algorithm] = TreeCheck(connection, algorithm, size)
                found += checks[algorithm].faults(leaves[: size - low])
        heads = select(TreeHead).where(TreeHead.size > low, TreeHead.size <= until if until else true())
        for head in session.exec(heads.order_by(col(TreeHead.size))):
            found += _of_head(head, checks)
    return found


def _tree_size(session: ScopedSession, algorithm: str) -> int:
    """Return how many leaves the tree of a hash has; when nodes were cut off its end, its newest head says how many it had."""
    size, newest = col(TreeHead.size), select(func.max(TreeHead.size)).scalar_subquery()
    own = func.length(TreeHead.root) == digest_length(algorithm)
    said = [tree_size(session.connection(), algorithm)]
    for head in session.exec(select(TreeHead.head).where(own | (size == newest)).order_by(size.desc()).limit(2)):
        with suppress(NotCanonical):  # told with the head
            read = Head.read(head)
            said += [read.size] if read.hash == algorithm else []
    return max(said)


def _of_head(row: TreeHead, checks: dict[str, TreeCheck]) -> list[Fault]:
    """Return what is wrong with a head: its bytes, its token, its columns."""
    key = f"size={row.size}"
    try:
        stamp = Timestamp.read(row.token)
    except TokenUnreadable:
        return [Fault("tree_head", key, "token")]
    if not verify_token(row.token, stamp.digest, trust=None, hash_name=stamp.hash_name).intact:
        return [Fault("tree_head", key, "token")]
    try:
        head = Head.read(row.head)
    except NotCanonical:
        return [Fault("tree_head", key, "head", stamp.digest.hex())]
    digest = digest_of(row.head, head.hash)
    if (stamp.digest, stamp.hash_name) != (digest, plain_name(head.hash)):
        return [Fault("tree_head", key, "head", stamp.digest.hex(), digest.hex())]
    found: list[Fault] = []
    if head.size != row.size:
        found.append(Fault("tree_head", key, "size", str(head.size), str(row.size)))
    if head.root != row.root:
        found.append(Fault("tree_head", key, "root", head.root.hex(), row.root.hex()))
    if row.stamped != stamp.gen_time:
        found.append(Fault("tree_head", key, "stamped", iso(stamp.gen_time), iso(row.stamped)))
    check = checks.get(head.hash)
    if check is not None and not found and check.size >= head.size:
        root = check.root(head.size)
        if root != head.root:
            found.append(Fault("tree_head", key, "root", root.hex(), head.root.hex()))
    return found


def _changes_of_hash(platform: Platform) -> Iterator[Fault]:
    """Yield where a row says that a hash took over, and the journal does not."""
    with platform.database.reading(PLATFORM) as session:
        for row in session.exec(select(TreeHash)).all():
            if not _says_so(session, row):
                yield Fault("tree_hash", f"algorithm={row.algorithm}", "entry_id", found=row.entry_id)


def _says_so(session: ScopedSession, row: TreeHash) -> bool:
    entry = session.exec(select(JournalEntry).where(JournalEntry.id == row.entry_id)).first()
    return entry is not None and entry.facts.get("to") == row.algorithm
