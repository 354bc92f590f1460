"""The end of the journal, from its segments in the places, for a database that was restored from an older backup.

What lives here: the whole end verified and held against the database before anything is written, then written a segment a
transaction. What does not: what the new entries tell of records and decisions (`archive.rebuilding.catching_up`), and a journal
made from its first entry on (`archive.rebuilding.journal`).

New entries take the places that they had and numbers of this database: whatever has a higher number than the mark, which is
written first, is news to the backup. The mark takes its own place behind the last segment; so does whatever the backup knew and
no segment has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

from sqlalchemy import Table, insert, or_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.models import TreeHead, TreeLeaf
from archive.proof import heads, tree
from archive.proof.ers.stamping import STAMPED
from archive.proof.hashes import HASHES
from archive.proof.head import Head
from archive.proof.marks import CAUGHT_UP, CAUGHT_UP_ENDED, unfinished
from archive.proof.segments import Segment, last_copied, read_segments
from archive.rebuilding import outside
from archive.rebuilding.journal import batches, changes_of_hash, entry_of, grow, head_of, know
from core import journal
from core.database import ScopedSession
from core.errors import Conflict
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

Moved = Callable[[ScopedSession, JournalEntry, Collection[str]], None]
"""Told of the dossiers that new entries name, in the transaction of these, with the mark."""

_messages = Catalogue("archive.rebuilding")
_leaf: Table = TreeLeaf.__table__  # type: ignore[attr-defined]


def verified(platform: Platform, progress: Callable[[int], None]) -> tuple[int, int]:
    """Read all that the places have after the last head that the database knows to be copied; nothing is written.

    Args:
        platform: its places, and the restored database.
        progress: told how many entries of the journal were looked at.

    Returns:
        The size of that head, and of the newest one in the places: the same where there is nothing to write.

    Raises:
        Conflict: the database is no beginning of what the places have, or went on by itself; or a head outside differs.
        SegmentAltered: no place holds a segment whole, or it does not continue the one before.
        Unavailable: a place does not answer.
    """
    with platform.database.reading(PLATFORM) as session:
        known = last_copied(session)
        if session.exec(select(JournalEntry.id).limit(1)).first() is None:
            raise Conflict(_messages("empty"))
    running = _peaks(platform, known, progress)
    ends, stamped = [known], _stamped(platform, known)
    for segment in read_segments(platform, known):
        # With every hash at once: another one may have taken over since.
        if running[segment.head.hash].root() != segment.contents.root_before:
            raise _went_on(segment.first)
        stamped -= _require_same(platform, segment)
        outside.require_same(platform, segment)
        for line in segment.leaves():
            for peaks in running.values():
                peaks.add(tree.leaf_hash(line, peaks.algorithm))
        ends.append(segment.head.size)
        progress(segment.head.size)
    if not _is_behind(platform, ends):
        return known, known
    if stamped:
        raise Conflict(_messages("stamped"))
    return known, ends[-1]


def marked(platform: Platform, size: int) -> list[JournalEntry]:
    """Return the marks of what is to be gone on with, oldest first; or else that of what has ended, to be told again.

    Args:
        platform: its database.
        size: of the newest head in the places: once the mark has its place below, the platform was started: nobody asks again.
    """
    beyond = or_(col(TreeLeaf.position).is_(None), col(TreeLeaf.position) >= size)
    own = select(JournalEntry).outerjoin(TreeLeaf, col(TreeLeaf.entry_number) == col(JournalEntry.number))
    newest = own.where(JournalEntry.kind == CAUGHT_UP, beyond).order_by(col(JournalEntry.number).desc()).limit(1)
    with platform.database.reading(PLATFORM) as session:
        return unfinished(session) or list(session.exec(newest))


def end(session: Session) -> None:
    """Write the end of what was begun: of what came before as well, for whatever followed the oldest mark was told."""
    for one in unfinished(session):
        facts, owner = {"caught_up": one.id}, one.organisation_id
        journal.write(session, organisation_id=owner, kind=CAUGHT_UP_ENDED, actor="platform", facts=facts)


def mark(platform: Platform, known: int, size: int) -> JournalEntry:
    """Write and return the mark."""
    with platform.database.writing(PLATFORM) as session:
        top = select(Organisation.id).where(col(Organisation.parent_id).is_(None)).order_by(Organisation.id).limit(1)
        facts = {"known": known, "size": size}
        owner = session.exec(top).one()
        written = journal.write(session, organisation_id=owner, kind=CAUGHT_UP, actor="platform", facts=facts)
        return session.exec(select(JournalEntry).where(JournalEntry.id == written)).one()


def restore(platform: Platform, written: JournalEntry, grown: int, moved: Moved, progress: Callable[[int], None]) -> None:
    """Write what the places have and the database has not, with the dossiers that it names told of; then grow the tree.

    Args:
        platform: its places, and the restored database.
        written: the mark.
        grown: size of the head up to which the tree of every hash is known to be whole.
        moved: see `Moved`.
        progress: told how many entries the journal has so far.

    Raises:
        SegmentAltered, Unavailable: see `verified`.
    """
    with platform.database.reading(PLATFORM) as session:
        known = last_copied(session)
    for segment in read_segments(platform, known):
        with platform.database.writing(PLATFORM) as session:
            named = _write(session, segment)
            moved(session, written, named)
        progress(segment.head.size)
    _place_the_rest(platform)
    grow(platform, _made(platform, grown))


def _id(leaf: bytes) -> str:
    return str(json.loads(leaf)["id"])


def _of(ids: Collection[str]) -> SelectOfScalar[JournalEntry]:
    return select(JournalEntry).where(col(JournalEntry.id).in_(ids))


def _peaks(platform: Platform, size: int, progress: Callable[[int], None]) -> dict[str, tree.Peaks]:
    """Return the tree of each hash over the first entries of the database, made of the entries themselves."""
    running = {algorithm: tree.Peaks(algorithm) for algorithm in HASHES}
    for start in range(0, size, heads.BATCH):
        end = min(start + heads.BATCH, size)
        with platform.database.reading(PLATFORM) as session:
            leaves = [entry.leaf() for entry in heads.entries_at(session.connection(), start, end)]
        if len(leaves) != end - start:
            raise _went_on(start)
        for leaf in leaves:
            for peaks in running.values():
                peaks.add(tree.leaf_hash(leaf, peaks.algorithm))
        progress(end)
    return running


def _stamped(platform: Platform, known: int) -> set[str]:
    """Return the entries of batches of evidence that the backup has and no head that was copied, those of a catching up left out.

    The places have them too, or else the platform was started on the backup: what it stamped then stands against what they have.
    """
    joined = select(JournalEntry).outerjoin(TreeLeaf, col(TreeLeaf.entry_number) == col(JournalEntry.number))
    beyond = or_(col(TreeLeaf.position).is_(None), col(TreeLeaf.position) >= known)
    with platform.database.reading(PLATFORM) as session:
        found = session.exec(joined.where(JournalEntry.kind == STAMPED, beyond)).all()
        begun = [one.number or 0 for one in unfinished(session)]
    return {entry.id for entry in found if not begun or (entry.number or 0) < min(begun)}


def _require_same(platform: Platform, segment: Segment) -> set[str]:
    """Refuse a database that tells an entry of a segment otherwise, has another one at its place, or another head.

    Returns:
        The entries of the segment.
    """
    first, ids = segment.first, set[str]()
    for leaves in batches(segment):
        with platform.database.reading(PLATFORM) as session:
            placed = [entry.leaf() for entry in heads.entries_at(session.connection(), first, first + len(leaves))]
            said = {_id(leaf): leaf for leaf in leaves}
            ids |= said.keys()
            others = [entry for entry in session.exec(_of(said)) if entry.leaf() != said[entry.id]]
        if placed != leaves[: len(placed)] or others:
            raise _went_on(first)
        first += len(leaves)
    with platform.database.reading(PLATFORM) as session:
        head = session.get(TreeHead, segment.head.size)
    if head is not None and (head.head, head.token) != (segment.head.canonical(), segment.contents.token):
        raise _went_on(segment.head.size)
    return ids


def _is_behind(platform: Platform, ends: list[int]) -> bool:
    """Tell whether the places have a head that the database has not; refuse one that has a head or a place that they have not."""
    last = ends[-1]
    with platform.database.reading(PLATFORM) as session:
        if session.get(TreeHead, last) is not None or last == ends[0]:  # what was copied is noted when the copying goes on
            return False
        placed = heads.leaf_count(session.connection())
        own = set(session.exec(select(TreeHead.size).where(TreeHead.size > ends[0]))).difference(ends)
    if own or placed > last:
        raise _went_on(min(own, default=last))
    return True


def _went_on(place: int) -> Conflict:
    return Conflict(_messages("went_on", place=place))


def _write(session: ScopedSession, segment: Segment) -> set[str]:
    """Write a segment; return the dossiers that its new entries name."""
    know(session, segment)
    named, first = set[str](), segment.first
    for leaves in batches(segment):
        ids = [_id(leaf) for leaf in leaves]
        there = set(session.exec(select(JournalEntry.id).where(col(JournalEntry.id).in_(ids))))
        new = [entry_of(None, leaf) for leaf, identifier in zip(leaves, ids, strict=True) if identifier not in there]
        if new:
            session.connection().execute(insert(JournalEntry), [entry.model_dump(exclude={"number"}) for entry in new])
        session.add_all(changes_of_hash(new))
        named |= {entry.dossier_id for entry in new if entry.dossier_id is not None}
        _place(session, first, ids)
        first += len(leaves)
    session.merge(head_of(segment))
    session.merge(segment.row())
    session.flush()
    return named


def _place(session: ScopedSession, first: int, ids: list[str]) -> None:
    """Give entries their places, in this order, but for those that have theirs."""
    numbers = dict(session.exec(select(JournalEntry.id, JournalEntry.number).where(col(JournalEntry.id).in_(ids))).all())
    placed = set(session.exec(select(TreeLeaf.entry_id).where(col(TreeLeaf.entry_id).in_(ids))))
    rows = [
        {"position": first + rank, "entry_number": numbers[identifier], "entry_id": identifier}
        for rank, identifier in enumerate(ids)
        if identifier not in placed
    ]
    if rows:
        session.connection().execute(insert(_leaf), rows)


def _place_the_rest(platform: Platform) -> None:
    """Place what no segment has, however many numbers behind the last one that is placed: the sequencer looks less far back."""
    waiting = (
        select(JournalEntry.id)
        .outerjoin(TreeLeaf, col(TreeLeaf.entry_number) == col(JournalEntry.number))
        .where(col(TreeLeaf.position).is_(None))
        .order_by(col(JournalEntry.number))
        .limit(heads.BATCH)
    )
    while True:
        with platform.database.writing(PLATFORM) as session:
            ids = list(session.exec(waiting))
            _place(session, heads.leaf_count(session.connection()), ids)
        if len(ids) < heads.BATCH:
            return


def _made(platform: Platform, known: int) -> dict[str, int]:
    """Return the size of the newest head made with each hash, of those that the backup did not know."""
    with platform.database.reading(PLATFORM) as session:
        later = session.exec(select(TreeHead.head).where(TreeHead.size > known).order_by(col(TreeHead.size))).all()
    return {read.hash: read.size for read in map(Head.read, later)}
