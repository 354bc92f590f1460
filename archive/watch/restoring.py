"""Writing a copy: again, where it is no longer what was sealed; for the first time, in a place that came later than the record.

What lives here: the deeds that write a copy, from another place that still gives it whole, and which version of each the journal
names since. What does not: what finds that a copy needs mending (`archive.watch.audits`), the incident, which only a person
closes, and the rounds over everything that a place lacks (`archive.replication`).

What stands under a lock cannot be taken away, so a copy that was altered stays where it is, under its version; the new version
of the same key takes its place in the database, and the journal says which stood there before. A copy is locked until the day
until which the one that it is taken from is, and held where that one is held: nothing is kept longer for having been copied.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from sqlmodel import Session, col, select

from archive.elimination.models import EliminationLine
from archive.elimination.states import Outcome
from archive.models import Record, RecordCopy
from archive.places import locks
from archive.places.places import Place, copies_of, fetch_from
from archive.proof.evidence import LEAF_DIGEST
from archive.retention.holds import held
from archive.retention.models import RecordHeld
from archive.watch.incidents import Kind
from archive.watch.looking import place_named
from core import clock, journal
from core.errors import Conflict, NotFound, TabellionError
from core.journal import JournalEntry
from core.locked_bucket import Lock
from core.locked_objects import LockedObject
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive.watch")
_log = structlog.get_logger()
RESTORED = "record.copy_restored"
"""The journal entry of a restoration: the version that the database names from then on, and the one that it named before."""
COPIED = "record.copied"
"""The journal entry of a copy in a place that had none: the version that the database names there from then on."""
MENDED = frozenset({Kind.COPY_MISSING, Kind.COPY_ALTERED, Kind.COPY_HIDDEN})
"""What may be wrong with a copy that is written again."""
_SHORTEST = timedelta(days=1)
"""Of a lock where that of the source has ended: a store takes none that is over, and what is due to go is not kept for long."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A package that was read whole from a place.

    Attributes:
        source: the place.
        version: of the copy there.
        lock: of the copy there.
    """

    source: Place
    version: str
    lock: Lock


def restore(platform: Platform, record_id: str, place: str, source: str, actor: str) -> str:
    """Write the package of a record again in a place, from another, and read it back there.

    Args:
        platform: where.
        record_id: of the record.
        place: whose copy is to be mended.
        source: the place that the package is taken from; it is used only if it has the digest that was sealed.
        actor: who asked for it, as the journal names them.

    Returns:
        The new version.

    Raises:
        NotFound: no such record, or no copy of it is known in one of the places.
        Conflict: the record was eliminated, or is being eliminated.
        ObjectMissing: the source does not hold it.
        ObjectAltered: the source does not hold it whole.
        Unavailable: a place does not answer.
    """
    target, origin = place_named(platform, place), place_named(platform, source)
    with platform.database.reading(PLATFORM) as session:
        record = session.exec(select(Record).where(Record.id == record_id)).first()
        versions = {copy.place: copy.version_id for copy in copies_of(session, record_id)}
        going = being_destroyed(session, [record_id])
    if record is None or not {place, source} <= versions.keys():
        raise NotFound(_messages("restore.unknown"))
    if record.eliminated is not None or going:
        raise Conflict(_messages("restore.eliminated"))
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        taken = take(platform, record, {origin.name: versions[source]}, package)
        written = put(platform, record, target, package, taken, actor, instead=versions[place])
    if written is None:
        raise Conflict(_messages("restore.eliminated"))
    return written


def take(platform: Platform, record: Record, versions: Mapping[str, str], package: Path) -> Taken:
    """Write the package of a record to a file from the first of some places, by name and version, that gives it whole.

    Raises:
        ObjectMissing, ObjectAltered: none of them does.
        Unavailable, Misconfigured: none that answers does.
    """
    source = fetch_from(platform, record, versions, package)
    version = versions[source.name]
    return Taken(source, version, source.store.lock_of(record.key, version))


def put(
    platform: Platform, record: Record, target: Place, package: Path, taken: Taken, actor: str, instead: str | None = None
) -> str | None:
    """Put a package in a place, under the lock of the copy that it was taken from, and write it down; a second try goes on.

    Args:
        platform: where.
        record: whose package it is.
        target: the place.
        package: the file, with the digest that was sealed.
        taken: where it comes from.
        actor: who asked for it, as the journal names them.
        instead: the version that it takes the place of; None where the place has no copy.

    Returns:
        The version; None when the record was eliminated meanwhile, or its destruction has begun: what was written is then found
        and removed once its lock has ended (`archive.elimination.remnants`).

    Raises:
        ObjectAltered: the key holds other bytes in a place that has no copy.
        Misconfigured: the place does not lock it.
        Unavailable: the place does not answer.
    """
    shortest = clock.now() + _SHORTEST
    until = max(taken.lock.until or shortest, shortest)
    if instead is None:
        written = target.store.seal(record.key, package, record.sha256, until)
    else:
        written = target.store.seal_over(record.key, package, record.sha256, instead, until)
    if taken.lock.held:
        target.store.freeze(record.key, written.version_id)
    with platform.database.writing(PLATFORM) as session:
        # Under the record's lock no hold is put meanwhile, and no elimination ends: whoever does either takes the same.
        current = session.exec(select(Record).where(Record.id == record.id).with_for_update()).one()
        going = current.eliminated is not None or bool(being_destroyed(session, [record.id]))
        stands = not going and record.id in held(session, {record.id})
        if going:
            _look_for_again(session, record.id)
        else:
            _write_down(session, record, target.name, written, taken.source.name, actor)
        if stands and not taken.lock.held:
            for row in session.exec(select(RecordHeld).where(RecordHeld.record_id == record.id)):
                row.told = False
    if going:
        _log.warning("copy.record_eliminated", place=target.name, record=record.id)
        if taken.lock.held:  # nothing holds it any more, and a hold of the store would last for ever
            target.store.thaw(record.key, written.version_id)
        return None
    if stands and not taken.lock.held:
        _tell(platform, record.id)
    elif taken.lock.held and not taken.source.store.lock_of(record.key, taken.version).held:  # it was released meanwhile
        target.store.thaw(record.key, written.version_id)
    return written.version_id


def _look_for_again(session: Session, record_id: str) -> None:
    """Have a record that was destroyed looked for again in every place, though that was done."""
    own = EliminationLine.record_id == record_id, EliminationLine.outcome == Outcome.DESTROYED.value
    for line in session.exec(select(EliminationLine).where(*own)):
        line.verified = None


def _write_down(session: Session, record: Record, place: str, written: LockedObject, source: str, actor: str) -> None:
    copy = session.exec(
        select(RecordCopy).where(RecordCopy.record_id == record.id, RecordCopy.place == place).with_for_update()
    ).first()
    if copy is not None and copy.version_id == written.version_id:  # another process has just found the same
        return
    facts = {"record": record.id, LEAF_DIGEST: record.sha256, "place": place, "source": source, "version": written.version_id}
    version, until, now = written.version_id, written.locked_until, clock.now()
    if copy is None:
        owned = {"record_id": record.id, "organisation_id": record.organisation_id}
        session.add(RecordCopy(**owned, place=place, version_id=version, locked_until=until, checked=now))
    else:
        facts["instead"] = copy.version_id
        copy.version_id, copy.locked_until, copy.checked, copy.extension_id = version, until, now, None
    owner, kind = record.organisation_id, COPIED if copy is None else RESTORED
    journal.write(session, organisation_id=owner, dossier_id=record.dossier_id, kind=kind, actor=actor, facts=facts)


def _tell(platform: Platform, record_id: str) -> None:
    """Tell every copy that it is held: the new one was made of one that had not been told."""
    try:
        locks.hold(platform, record_id)
    except TabellionError as error:  # the scheduled run of the holds goes on
        _log.warning("hold.unsettled", record=record_id, reason=type(error).__name__)


def being_destroyed(session: Session, records: Collection[str]) -> set[str]:
    """Return which of these records are being eliminated: their copies are on their way out."""
    lines = col(EliminationLine.record_id).in_(records), EliminationLine.outcome == Outcome.DESTROYING.value
    return set(session.exec(select(EliminationLine.record_id).where(*lines)))


def versions_named(session: Session, sealed: JournalEntry) -> dict[str, str]:
    """Return the version in each place that the journal names: that of the sealing, or of what was written there since.

    Empty for a record of an earlier version of this software, whose entry names none.
    """
    versions: dict[str, str] = dict(sealed.facts.get("copies", {}))
    if versions:
        since = (
            journal.about(sealed.facts["record"]),
            col(JournalEntry.kind).in_([RESTORED, COPIED]),
            JournalEntry.organisation_id == sealed.organisation_id,
        )
        for entry in session.exec(select(JournalEntry).where(*since).order_by(col(JournalEntry.number))):
            versions[entry.facts["place"]] = entry.facts["version"]
    return versions
