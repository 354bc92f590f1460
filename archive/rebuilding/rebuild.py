"""Rebuilding the archive's database from the store alone, when it was lost: journal, proofs, records, holds, search.

What lives here: the order of things. What does not: the parts (`archive.rebuilding.journal`, `records`, `evidence`, `decisions`),
what becomes of packages that no journal in the store names (`archive.rebuilding.anew`); people, settings, agreements and
dossiers under way, which are the business of the database's backups.

What was written after the last head that stands in the places is lost with the database: at most the time between two heads
(``TABELLION_TREE_HEAD_SECONDS``). Packages sealed in that time are under lock all the same: they are entered as records anew.

It may take days, and be stopped at any moment: begun again, it goes on with what stands already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archive.proof.ers.stamping import STAMPED
from archive.proof.resealing import RESEALED
from archive.rebuilding import anew, corrections, decisions, evidence, journal, records
from archive.rebuilding.records import Restored
from archive.sealing import SEALED
from core.platform import Platform
from core.principal import PLATFORM


@dataclass(slots=True)
class Rebuilt:
    """What there is again.

    Attributes:
        entries: of the journal, as the places have it.
        records: kept ones, ``eliminated`` ones beside them.
        unreadable: records whose package no place holds whole; an incident is open for each.
        anew: packages that no journal named, entered as records now.
        unknown: keys that no journal names, and that no record can be made of.
        holds: that stand.
        evidence_lost: batches of evidence records that no place holds whole; an incident is open for each.
        evidence_anew: batches of evidence records that no journal told of, taken up from the places.
    """

    entries: int = 0
    records: int = 0
    eliminated: int = 0
    unreadable: int = 0
    anew: int = 0
    unknown: tuple[str, ...] = ()
    holds: int = 0
    evidence_lost: int = 0
    evidence_anew: int = 0


def rebuild(platform: Platform, progress: Callable[[str, int], None]) -> Rebuilt:
    """Make the archive's part of a migrated database, empty or rebuilt in part, from the places alone.

    Args:
        platform: its places, and its new database.
        progress: told what is being made (``entries``, ``records``, ``places``) and how much of it there is.

    Raises:
        Conflict: the database has a journal that is not that of the places, or people.
        SegmentAltered: the journal in the places does not hold; nothing is made of what cannot be proved.
        ObjectMissing, ObjectAltered: a statement of a hold is gone or altered.
        Misconfigured: a place cannot lock, or refuses us.
        Unavailable: a place does not answer.
    """
    journal.require_unused(platform)
    platform.prepare_stores()  # one that was lost with the database has no bucket
    done = Rebuilt(entries=journal.restore(platform, lambda count: progress("entries", count)))
    for entry in journal.entries(platform, SEALED):
        restored = records.restore(platform, entry)
        done.eliminated += restored is Restored.ELIMINATED
        done.records += restored is not Restored.ELIMINATED
        done.unreadable += restored is Restored.UNREADABLE
        done.anew += (entry.number or 0) > done.entries  # entered by a try that was stopped
        progress("records", done.records + done.eliminated)
    for entry in journal.entries(platform, RESEALED):
        with platform.database.writing(PLATFORM) as session:
            session.merge(records.digest_of(entry))
    for entry in journal.entries(platform, STAMPED):
        done.evidence_lost += not evidence.restore(platform, entry)
        done.evidence_anew += (entry.number or 0) > done.entries  # taken up by a try that was stopped
    decisions.restore_rules(platform)
    corrections.restore(platform)
    done.holds = decisions.restore_holds(platform)
    unknown: list[str] = []
    for key, entered in anew.enter(platform, lambda _dossier: False, lambda count: progress("places", count)):
        done.anew += entered
        done.records += entered
        unknown += [] if entered else [key]
    done.unknown = tuple(unknown)
    done.evidence_anew += evidence.adopt(platform)
    return done
