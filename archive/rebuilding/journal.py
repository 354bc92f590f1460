"""The journal anew, from its segments in the places: organisations, entries, tree, heads.

What lives here: every segment verified as it is read, every entry in its place, so that each proof that was ever given out is
given out again to the octet. What does not: records (`archive.rebuilding.records`); people, settings and dossiers under way,
which are the business of the database's backups.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import insert
from sqlmodel import col, select

from archive.models import TreeHash, TreeHead
from archive.proof import heads
from archive.proof.head import Head
from archive.proof.resealing import CHANGED
from archive.proof.segments import Segment, read_segments
from core.clock import from_iso
from core.database import ScopedSession
from core.errors import Conflict
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp

_messages = Catalogue("archive.rebuilding")
_AT_ONCE = 1000


def require_empty(platform: Platform) -> None:
    """Go on only if nothing ever happened on this database.

    Raises:
        Conflict: it has a journal of its own, which must not be mixed with another.
    """
    with platform.database.reading(PLATFORM) as session:
        if session.exec(select(JournalEntry.id).limit(1)).first() is not None:
            raise Conflict(_messages("not_empty"))


def restore(platform: Platform, progress: Callable[[int], None]) -> int:
    """Write the journal, its tree and its heads into an empty database; return how many entries there are.

    Args:
        platform: its places, and its new database.
        progress: told how many entries there are so far.

    Raises:
        SegmentAltered: no place holds a segment whole, or it does not continue the one before.
        Unavailable: a place does not answer.
    """
    for segment in read_segments(platform):
        with platform.database.writing(PLATFORM) as session:
            _know(session, segment)
            for entries in _batches(segment):
                session.connection().execute(insert(JournalEntry), [_row(entry) for entry in entries])
                session.add_all(_changes_of_hash(entries))
            head = segment.head
            stamp = Timestamp.read(segment.contents.token).gen_time
            row = TreeHead(size=head.size, root=head.root, head=head.canonical(), token=segment.contents.token, stamped=stamp)
            session.add_all([row, segment.row()])
        progress(segment.head.size)
    return _grow(platform)


def _grow(platform: Platform) -> int:
    """Give every entry its place, and make the tree of each hash as far as there are heads made with it."""
    size = heads.grow(platform.database)
    with platform.database.reading(PLATFORM) as session:
        made = [Head.read(head) for head in session.exec(select(TreeHead.head).order_by(col(TreeHead.size)))]
    for algorithm, end in {head.hash: head.size for head in made}.items():
        extended = heads.BATCH
        while extended == heads.BATCH:
            with platform.database.writing(PLATFORM) as session:
                extended = heads.extend(session.connection(), algorithm, end)
    return size


def _know(session: ScopedSession, segment: Segment) -> None:
    """Add the organisations that the segment names, those above first; a later segment knows their later names."""
    for told in sorted(segment.organisations, key=lambda one: len(one["path"])):
        session.merge(Organisation(**told | {"created": from_iso(told["created"])}))
        session.flush()


def _batches(segment: Segment) -> Iterator[list[JournalEntry]]:
    numbered = enumerate(segment.leaves(), start=segment.first + 1)
    entries = (_entry(number, line) for number, line in numbered)
    while some := list(itertools.islice(entries, _AT_ONCE)):
        yield some


def _entry(number: int, leaf: bytes) -> JournalEntry:
    """Return the entry that has this leaf; its number is its place, since places follow numbers."""
    said = json.loads(leaf)
    return JournalEntry(
        number=number,
        id=said["id"],
        organisation_id=said["organisation"],
        dossier_id=said["dossier"],
        at=from_iso(said["at"]),
        actor=said["actor"],
        kind=said["kind"],
        facts=said["facts"],
    )


def _row(entry: JournalEntry) -> dict[str, Any]:
    return entry.model_dump()


def _changes_of_hash(entries: list[JournalEntry]) -> Iterator[TreeHash]:
    for entry in entries:
        if entry.kind == CHANGED:
            yield TreeHash(algorithm=entry.facts["to"], since=entry.at, entry_id=entry.id)
