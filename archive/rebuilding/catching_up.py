"""Bringing a database that was restored from a backup forward, from the places alone: the end of the journal, and what it tells.

What lives here: the order of things. What does not: the end of the journal (`archive.rebuilding.tail`), the parts that a
rebuilding is made of as well (`records`, `evidence`, `decisions`, `anew`), what becomes of dossiers, which the floor above sets
aside (``flows.engine.overtaken``).

What was written after the last head that stands in the places is lost, as it is for a rebuilding. It may be stopped at any
moment: begun again, it goes on with what stands already, and tells the same; also when the platform was at work meanwhile: what
came later than an entry tells is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import col, select

from archive.elimination.concluding import ENDED
from archive.elimination.deciding import DECIDED, ORDERED
from archive.elimination.lists import ABANDONED
from archive.elimination.states import ELIMINATED
from archive.models import TreeHead, TreeLeaf
from archive.proof.ers.stamping import STAMPED
from archive.proof.resealing import RESEALED
from archive.rebuilding import anew, corrections, decisions, eliminations, evidence, journal, outside, records, tail
from archive.rebuilding.records import Restored
from archive.rebuilding.tail import Moved
from archive.sealing import SEALED
from archive.watch.restoring import COPIED, RESTORED
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM

_TOLD_OF_ELIMINATIONS = {
    ABANDONED: eliminations.abandon,
    ORDERED: eliminations.order,
    ELIMINATED: eliminations.destroy,
    ENDED: eliminations.conclude,
}
"""What is told of lists, and of the records on them, in the order in which it happens."""


@dataclass(slots=True)
class CaughtUp:
    """What the backup did not know, and the database knows now.

    Attributes:
        mark: the journal entry after which everything is news to the backup; None where there was nothing to write.
        entries: of the journal, as the places have them.
        size: of the newest head in the places.
        stamped: when that one was put under its timestamp; None where there is none.
        outside: size of the newest head that stands outside the platform; 0 where none does.
        records: sealed since, whether or not they were ``eliminated`` since.
        unreadable: those whose package no place holds whole; an incident is open for each.
        eliminated: records that were destroyed since.
        anew: packages of dossiers that nobody knows, sealed after the newest head, entered as records now.
        unknown: keys that no journal names, and that no record can be made of.
        holds: that stand.
        evidence_lost: batches of evidence records that no place holds whole; an incident is open for each.
        evidence_anew: batches of evidence records that no journal told of, taken up from the places.
    """

    mark: JournalEntry | None = None
    entries: int = 0
    size: int = 0
    stamped: datetime | None = None
    outside: int = 0
    records: int = 0
    unreadable: int = 0
    eliminated: int = 0
    anew: int = 0
    unknown: tuple[str, ...] = ()
    holds: int = 0
    evidence_lost: int = 0
    evidence_anew: int = 0


def catch_up(platform: Platform, moved: Moved, is_known: Callable[[str], bool], progress: Callable[[str, int], None]) -> CaughtUp:
    """Bring a restored database forward to the newest head in the places; whoever called writes its end (`tail.end`).

    Args:
        platform: its places, and the restored database, migrated; nobody else may be at work on it.
        moved: sets aside the dossiers that new entries name, in the transaction of these.
        is_known: tells whether the database has a dossier.
        progress: told what is being done (``read``, ``entries``, ``records``, ``places``) and how much of it there is.

    Raises:
        Conflict: the database is no beginning of what the places have, or went on by itself; or a head outside differs.
        SegmentAltered: the journal in the places does not hold; nothing is written.
        ObjectMissing, ObjectAltered: a statement of a hold, a rule or a visa is gone or altered.
        Misconfigured: a place cannot lock, or refuses us.
        Unavailable: a place does not answer.
    """
    known, size = tail.verified(platform, lambda count: progress("read", count))
    marks = tail.marked(platform, size)
    # The backup may have one that was left unfinished before: what is news to this one has a mark of its own.
    mark = next((one for one in marks if size in (known, one.facts["size"])), None)
    if mark is None:
        if size == known:
            found = CaughtUp(size=size, stamped=_stamped(platform, size), outside=outside.newest(platform))
            found.evidence_anew = evidence.adopt(platform)
            return found
        mark = tail.mark(platform, known, size)
        marks.append(mark)
    oldest = marks[0]
    tail.restore(platform, mark, oldest.facts["known"], moved, lambda count: progress("entries", count))
    done = CaughtUp(mark, _placed(platform, mark), size, _stamped(platform, size), outside.newest(platform))
    _derive(platform, oldest.number or 0, done, progress)
    entered = anew.enter(platform, lambda dossier: dossier is None or is_known(dossier), lambda count: progress("places", count))
    done.unknown = tuple(key for key, there in entered if not there)
    done.records, done.eliminated = (_placed(platform, mark, kind) for kind in (SEALED, ELIMINATED))
    done.anew = _anew(platform, mark, is_known)
    evidence.adopt(platform)
    done.evidence_anew = len(_told_beyond(platform, mark, STAMPED))
    return done


def _derive(platform: Platform, after: int, done: CaughtUp, progress: Callable[[str, int], None]) -> None:
    """Write what the entries after a number tell; holds before eliminations, which come after a hold was lifted."""
    for count, entry in enumerate(journal.entries(platform, SEALED, after=after), start=1):
        done.unreadable += records.restore(platform, entry) is Restored.UNREADABLE
        progress("records", count)
    for entry in journal.entries(platform, RESEALED, after=after):
        with platform.database.writing(PLATFORM) as session:
            session.merge(records.digest_of(entry))
    for entry in journal.entries(platform, COPIED, RESTORED, after=after):
        records.copy(platform, entry)
    for entry in journal.entries(platform, STAMPED, after=after):
        done.evidence_lost += not evidence.restore(platform, entry)
    decisions.restore_rules(platform, after)
    corrections.restore(platform, after)
    done.holds = decisions.restore_holds(platform, after)
    for entry in journal.entries(platform, DECIDED, after=after):
        eliminations.decide(platform, entry)
    for kind, tell in _TOLD_OF_ELIMINATIONS.items():
        for entry in journal.entries(platform, kind, after=after):
            with platform.database.writing(PLATFORM) as session:
                tell(session, entry)


def _anew(platform: Platform, mark: JournalEntry, is_known: Callable[[str], bool]) -> int:
    """Return how many records were entered that no segment tells of, now or by a try that was stopped, as `anew.enter` does."""
    dossiers = _told_beyond(platform, mark, SEALED)
    return sum(1 for dossier in dossiers if dossier is not None and not is_known(dossier))


def _told_beyond(platform: Platform, mark: JournalEntry, kind: str) -> Sequence[str | None]:
    """Return the dossiers of the entries of a kind that came after a mark and that no segment tells of."""
    beyond = or_(col(TreeLeaf.position).is_(None), col(TreeLeaf.position) >= mark.facts["size"])
    joined = select(JournalEntry.dossier_id).outerjoin(TreeLeaf, col(TreeLeaf.entry_number) == col(JournalEntry.number))
    with platform.database.reading(PLATFORM) as session:
        return session.exec(joined.where(JournalEntry.kind == kind, col(JournalEntry.number) > mark.number, beyond)).all()


def _placed(platform: Platform, mark: JournalEntry, *kinds: str) -> int:
    """Return how many entries, of some kinds or of all, the segments have that a mark tells of: later ones are no news."""
    placed = (col(JournalEntry.number) > mark.number, col(TreeLeaf.position) < mark.facts["size"])
    counted = select(func.count()).select_from(JournalEntry).join(TreeLeaf, col(TreeLeaf.entry_number) == JournalEntry.number)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(counted.where(*placed, *((col(JournalEntry.kind).in_(kinds),) if kinds else ()))).one()


def _stamped(platform: Platform, size: int) -> datetime | None:
    with platform.database.reading(PLATFORM) as session:
        head = session.get(TreeHead, size)
    return head.stamped if head else None
