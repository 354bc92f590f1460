"""Rebuilding the archive's database from the store alone, when it was lost: journal, proofs, records, holds, search.

What lives here: the order of things, and what becomes of packages that no journal in the store names. What does not: the parts
(`archive.rebuilding.journal`, `records`, `decisions`); people, settings, agreements and dossiers under way, which are the
business of the database's backups.

What was written after the last head that stands in the places is lost with the database: at most the time between two heads
(``TABELLION_TREE_HEAD_SECONDS``). Packages sealed in that time are under lock all the same: they are entered as records anew.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, select

from archive import sealing
from archive.describing import Description, describe
from archive.elimination.executing import ELIMINATED
from archive.models import Record
from archive.places import places
from archive.places.places import Place, places_of
from archive.proof.ers.stamping import STAMPED
from archive.proof.resealing import RESEALED
from archive.rebuilding import decisions, evidence, journal, records
from archive.retention.defaults import CORRESPONDENCE, PRIVATE_LIFE
from archive.retention.referential import rule_named
from archive.retention.rules import AccessDelay, Category, Delay, RetentionRule
from archive.sealing import SEALED, Sealing
from archive.watch.papers import is_paper
from archive.watch.restoring import RESTORED
from core.blobs import SealedObject
from core.database import ScopedSession
from core.errors import NotFound, UnreadableInput
from core.journal import JournalEntry
from core.locked_objects import PROBES
from core.organisations import Organisation
from core.platform import Platform
from core.principal import PLATFORM

ENTERED_ANEW = "transfer"
"""The kind of a package that no journal names: what made it is not known any more."""
_AT_ONCE = 100


@dataclass(slots=True)
class Rebuilt:
    """What there is again.

    Attributes:
        entries: of the journal.
        records: kept ones, ``eliminated`` ones beside them.
        unreadable: records whose package no place holds whole; an incident is open for each.
        anew: packages that no journal named, entered as records now.
        unknown: keys that no journal names, and that are no package of a known organisation.
        holds: that stand.
        evidence_lost: batches of evidence records that no place holds whole; an incident is open for each.
    """

    entries: int = 0
    records: int = 0
    eliminated: int = 0
    unreadable: int = 0
    anew: int = 0
    unknown: tuple[str, ...] = ()
    holds: int = 0
    evidence_lost: int = 0


def rebuild(platform: Platform, progress: Callable[[str, int], None]) -> Rebuilt:
    """Make the archive's part of an empty, migrated database from the places alone.

    Args:
        platform: its places, and its new database.
        progress: told what is being made (``entries``, ``records``) and how much of it there is.

    Raises:
        Conflict: the database is not empty.
        SegmentAltered: the journal in the places does not hold; nothing is made of what cannot be proved.
        ObjectMissing, ObjectAltered: a statement of a hold is gone or altered.
        Unavailable: a place does not answer.
    """
    journal.require_empty(platform)
    done = Rebuilt(entries=journal.restore(platform, lambda count: progress("entries", count)))
    gone = {entry.facts["record"]: entry for entry in _entries(platform, ELIMINATED)}
    moved: dict[str, dict[str, str]] = {}
    for entry in _entries(platform, RESTORED):
        moved.setdefault(entry.facts["record"], {})[entry.facts["place"]] = entry.facts["version"]
    for entry in _entries(platform, SEALED):
        record = entry.facts["record"]
        versions = entry.facts["copies"] | moved.get(record, {})
        with platform.database.writing(PLATFORM) as session:
            if record in gone:
                records.restore_eliminated(session, entry, gone[record])
                done.eliminated += 1
            else:
                done.unreadable += not records.restore(session, places_of(platform), entry, versions)
                done.records += 1
        progress("records", done.records + done.eliminated)
    for entry in _entries(platform, RESEALED):
        with platform.database.writing(PLATFORM) as session:
            session.add(records.digest_of(entry))
    for entry in _entries(platform, STAMPED):
        done.evidence_lost += not evidence.restore(platform, entry)
    decisions.restore_rules(platform)
    done.holds = decisions.restore_holds(platform)
    _enter_anew(platform, done)
    return done


def _entries(platform: Platform, kind: str) -> Iterator[JournalEntry]:
    """Yield the entries of a kind, in the order of the journal."""
    last = 0
    while True:
        with platform.database.reading(PLATFORM) as session:
            later = select(JournalEntry).where(JournalEntry.kind == kind, col(JournalEntry.number) > last)
            some = list(session.exec(later.order_by(col(JournalEntry.number)).limit(_AT_ONCE)))
        if not some:
            return
        yield from some
        last = some[-1].number or 0


def _enter_anew(platform: Platform, done: Rebuilt) -> None:
    """Enter the packages that stand in a place and that no journal names: sealed after the last head that was copied."""
    unknown: list[str] = []
    for key, place in _unnamed(platform):
        with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
            package = Path(folder) / "package"
            found = _taken(platform, place, key, package)
        if found is None:
            unknown.append(key)
            continue
        done.anew += 1
        done.records += 1
    done.unknown = tuple(unknown)


def _unnamed(platform: Platform) -> Iterator[tuple[str, Place]]:
    met: set[str] = set()
    for place in places_of(platform):
        for version in place.store.all_versions():
            key = version.key
            if key in met or version.is_marker or is_paper(key) or key.startswith(PROBES):
                continue
            met.add(key)
            with platform.database.reading(PLATFORM) as session:
                if session.exec(select(Record.id).where(Record.key == key)).first() is None:
                    yield key, place


def _taken(platform: Platform, place: Place, key: str, package: Path) -> str | None:
    """Enter one package, in every place; None when it is none, or of nobody who is known."""
    organisation_id, _, rest = key.partition("/")
    dossier_id = rest.partition("/")[0]
    version = min((one for one in place.store.versions(key) if not one.is_marker), key=lambda one: one.written).version_id
    found = place.store.standing(key, version)
    place.store.fetch_sealed(SealedObject(place.store.archive, key, version, found.sha256, found.size), package)
    try:
        description = describe(package)
    except UnreadableInput:
        return None
    with platform.database.reading(PLATFORM) as session:
        if session.get(Organisation, organisation_id) is None:
            return None
        sealed = _sealing(session, organisation_id, dossier_id, description)
    copies = places.seal_again(platform, key, found.sha256, found.size)
    with platform.database.writing(PLATFORM) as session:
        return sealing.record(session, sealed, description, copies)


def _sealing(session: ScopedSession, organisation_id: str, dossier_id: str, description: Description) -> Sealing:
    """Return what is said of a package by itself; what it does not say is kept long and shown to few."""
    retention: Delay = CORRESPONDENCE
    access: Delay = PRIVATE_LIFE
    with suppress(NotFound):
        if description.appraisal is not None:
            retention = rule_named(session, organisation_id, description.appraisal.identifier, Category.APPRAISAL)
    with suppress(NotFound):
        if description.access is not None:
            access = rule_named(session, organisation_id, description.access.identifier, Category.ACCESS)
    if not isinstance(retention, RetentionRule) or not isinstance(access, AccessDelay):
        raise TypeError(f"{retention.identifier} or {access.identifier} is of another category")
    return Sealing(organisation_id, dossier_id, ENTERED_ANEW, retention, access, confidential=True)
