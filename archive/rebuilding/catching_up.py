"""Bringing a database that was restored from a backup forward, from the places alone: the end of the journal, and what it tells.

What lives here: the order of things. What does not: the end of the journal (`archive.rebuilding.tail`), the parts that a
rebuilding is made of as well (`records`, `evidence`, `decisions`, `anew`), what becomes of dossiers, which the floor above sets
aside (``flows.engine.overtaken``).

What was written after the last head that stands in the places is lost, as it is for a rebuilding. It may be stopped at any
moment: begun again, it goes on with what stands already, and tells the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import col, select

from archive.elimination.concluding import ENDED
from archive.elimination.states import ELIMINATED
from archive.models import TreeHead, TreeLeaf
from archive.proof.ers.stamping import STAMPED
from archive.proof.resealing import RESEALED
from archive.rebuilding import anew, decisions, eliminations, evidence, journal, outside, records, tail
from archive.rebuilding.records import Restored
from archive.rebuilding.tail import Moved
from archive.sealing import SEALED
from archive.watch.restoring import COPIED, RESTORED
from core.journal import JournalEntry
from core.platform import Platform
from core.principal import PLATFORM


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


def catch_up(platform: Platform, moved: Moved, is_known: Callable[[str], bool], progress: Callable[[str, int], None]) -> CaughtUp:
    """Bring a restored database forward to the newest head in the places.

    Args:
        platform: its places, and the restored database, migrated; nobody else may be at work on it.
        moved: sets aside the dossiers that new entries name, in the transaction of these.
        is_known: tells whether the database has a dossier.
        progress: told what is being done (``read``, ``entries``, ``records``) and how much of it there is.

    Raises:
        Conflict: the database is no beginning of what the places have, or went on by itself; or a head outside differs.
        SegmentAltered: the journal in the places does not hold; nothing is written.
        ObjectMissing, ObjectAltered: a statement of a hold or a rule is gone or altered.
        Misconfigured: a place cannot lock, or refuses us.
        Unavailable: a place does not answer.
    """
    known, size = tail.verified(platform, lambda count: progress("read", count))
    mark = tail.marked(platform, size)
    if mark is None:
        if size == known:
            return CaughtUp(size=size, stamped=_stamped(platform, size), outside=outside.newest(platform))
        mark = tail.mark(platform, known, size)
    tail.restore(platform, mark, moved, lambda count: progress("entries", count))
    after = mark.number or 0
    done = CaughtUp(mark, _placed(platform, after, size), size, _stamped(platform, size), outside.newest(platform))
    _derive(platform, after, done, progress)
    entered = dict(anew.enter(platform, lambda dossier: dossier is None or is_known(dossier)))
    done.unknown = tuple(key for key, there in entered.items() if not there)
    sealed, eliminated = (_placed(platform, after, size, kind) for kind in (SEALED, ELIMINATED))
    done.records, done.eliminated = sealed, eliminated
    done.anew = sum(1 for _ in journal.entries(platform, SEALED, after=after)) - sealed
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
    done.holds = decisions.restore_holds(platform, after)
    for kind, tell in ((ELIMINATED, eliminations.destroy), (ENDED, eliminations.conclude)):
        for entry in journal.entries(platform, kind, after=after):
            with platform.database.writing(PLATFORM) as session:
                tell(session, entry)


def _placed(platform: Platform, after: int, size: int, *kinds: str) -> int:
    """Return how many entries after a number, of some kinds or of all, have their place in the tree of a size."""
    placed = (col(JournalEntry.number) > after, col(TreeLeaf.position) < size)
    counted = select(func.count()).select_from(JournalEntry).join(TreeLeaf, col(TreeLeaf.entry_number) == JournalEntry.number)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(counted.where(*placed, *((col(JournalEntry.kind).in_(kinds),) if kinds else ()))).one()


def _stamped(platform: Platform, size: int) -> datetime | None:
    with platform.database.reading(PLATFORM) as session:
        head = session.get(TreeHead, size)
    return head.stamped if head else None
