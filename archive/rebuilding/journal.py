"""The journal anew, from its segments in the places: organisations, entries, tree, heads.

What lives here: every segment verified as it is read, every entry in its place, so that each proof that was ever given out is
given out again to the octet. What does not: records (`archive.rebuilding.records`); people, settings and dossiers under way,
which are the business of the database's backups.

A segment is written in one transaction. A rebuilding that was stopped is begun again: what stands is held against the segments,
and gone on with where it says the same.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

from sqlalchemy import func, insert, or_, text
from sqlmodel import col, select

from archive.models import TreeHash, TreeHead
from archive.proof import heads
from archive.proof.ers.stamping import STAMPED
from archive.proof.resealing import CHANGED
from archive.proof.segments import Segment, read_segments
from archive.sealing import SEALED
from archive.watch.incidents import OPENED
from core.clock import from_iso
from core.database import ScopedSession
from core.errors import Conflict
from core.journal import JournalEntry
from core.messages import Catalogue
from core.organisations import Organisation
from core.people import Person
from core.platform import Platform
from core.principal import PLATFORM
from signing.timestamp.token import Timestamp

_messages = Catalogue("archive.rebuilding")
_AT_ONCE = 1000
_READ_AT_ONCE = 100
_WRITTEN_HERE = (OPENED, SEALED, STAMPED)
"""What a rebuilding writes by itself, after all that the segments have: incidents, records and evidence that it enters anew."""
_NUMBER_ON = text("SELECT setval(pg_get_serial_sequence('journal_entry', 'number'), :last)")


def require_unused(platform: Platform) -> None:
    """Go on only if nobody is at work on this database; what its journal says is held against the segments later.

    Raises:
        Conflict: it has a journal, and people.
    """
    with platform.database.reading(PLATFORM) as session:
        told = session.exec(select(JournalEntry.id).limit(1)).first()
        if told is not None and session.exec(select(Person.id).limit(1)).first() is not None:
            raise Conflict(_messages("in_use"))


def restore(platform: Platform, progress: Callable[[int], None]) -> int:
    """Write the journal, its tree and its heads, as far as they do not stand yet; return how many entries the segments have.

    Args:
        platform: its places, and its new database.
        progress: told how many entries there are so far.

    Raises:
        Conflict: the database has entries that are not those of the segments.
        SegmentAltered: no place holds a segment whole, or it does not continue the one before.
        Unavailable: a place does not answer.
    """
    size, made = 0, dict[str, int]()
    for segment in read_segments(platform):
        if not _stands(platform, segment):
            _write(platform, segment)
        size = made[segment.head.hash] = segment.head.size
        progress(size)
    _require_nothing_else(platform, size)
    grow(platform, made)
    return size


def entries(platform: Platform, *kinds: str, after: int = 0) -> Iterator[JournalEntry]:
    """Yield the entries of some kinds, in the order of the journal; those after a number."""
    last = after
    while True:
        with platform.database.reading(PLATFORM) as session:
            later = select(JournalEntry).where(col(JournalEntry.kind).in_(kinds), col(JournalEntry.number) > last)
            some = list(session.exec(later.order_by(col(JournalEntry.number)).limit(_READ_AT_ONCE)))
        if not some:
            return
        yield from some
        last = some[-1].number or 0


def _stands(platform: Platform, segment: Segment) -> bool:
    """Tell whether the entries of a segment are there already, every one as the segment has it; refuse others."""
    number = col(JournalEntry.number)
    with platform.database.reading(PLATFORM) as session:
        between = (number > segment.first, number <= segment.head.size)
        if session.exec(select(func.count()).select_from(JournalEntry).where(*between)).one() == 0:
            return False
    first = segment.first
    for leaves in batches(segment):
        with platform.database.reading(PLATFORM) as session:
            there = select(JournalEntry).where(number > first, number <= first + len(leaves)).order_by(number)
            found = [entry.leaf() for entry in session.exec(there)]
        if found != leaves:
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(found, leaves, strict=False)))
            raise Conflict(_messages("other_journal", number=first + same + 1))
        first += len(leaves)
    return True


def _require_nothing_else(platform: Platform, size: int) -> None:
    """Refuse what follows the last segment, unless a rebuilding wrote it."""
    number = col(JournalEntry.number)
    others = or_(col(JournalEntry.kind).not_in(_WRITTEN_HERE), col(JournalEntry.actor) != "platform")
    with platform.database.reading(PLATFORM) as session:
        first = session.exec(select(number).where(number > size, others).order_by(number).limit(1)).first()
    if first is not None:
        raise Conflict(_messages("other_journal", number=first))


def _write(platform: Platform, segment: Segment) -> None:
    first = segment.first
    with platform.database.writing(PLATFORM) as session:
        know(session, segment)
        for leaves in batches(segment):
            # The number is the place, since places follow numbers.
            made = [entry_of(number, leaf) for number, leaf in enumerate(leaves, start=first + 1)]
            session.connection().execute(insert(JournalEntry), [entry.model_dump() for entry in made])
            session.add_all(changes_of_hash(made))
            first += len(leaves)
        if not platform.database.is_sqlite:  # which numbers on from the highest that there is
            session.connection().execute(_NUMBER_ON, {"last": segment.head.size})
        session.add_all([head_of(segment), segment.row()])


def head_of(segment: Segment) -> TreeHead:
    """Return what the table says of the head that a segment ends with."""
    head, token = segment.head, segment.contents.token
    stamped = Timestamp.read(token).gen_time
    return TreeHead(size=head.size, root=head.root, head=head.canonical(), token=token, stamped=stamped)


def grow(platform: Platform, made: dict[str, int]) -> None:
    """Give every entry its place, and make the tree of each hash as far as there are heads made with it."""
    heads.grow(platform.database)
    for algorithm, end in made.items():
        extended = heads.BATCH
        while extended == heads.BATCH:
            with platform.database.writing(PLATFORM) as session:
                extended = heads.extend(session.connection(), algorithm, end)


def know(session: ScopedSession, segment: Segment) -> None:
    """Add the organisations that the segment names, those above first; a later segment knows their later names."""
    for told in sorted(segment.organisations, key=lambda one: len(one["path"])):
        session.merge(Organisation(**told | {"created": from_iso(told["created"])}))
        session.flush()


def batches(segment: Segment) -> Iterator[list[bytes]]:
    """Yield the leaves of a segment, some at once."""
    leaves = segment.leaves()
    while some := list(itertools.islice(leaves, _AT_ONCE)):
        yield some


def entry_of(number: int | None, leaf: bytes) -> JournalEntry:
    """Return the entry that has this leaf; the database gives it a number where there is none."""
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


def changes_of_hash(entries: list[JournalEntry]) -> Iterator[TreeHash]:
    """Yield what the table of hashes says, as these entries tell it."""
    for entry in entries:
        if entry.kind == CHANGED:
            yield TreeHash(algorithm=entry.facts["to"], since=entry.at, entry_id=entry.id)
