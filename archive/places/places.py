"""The places of the archive: each an S3 server with versions and object lock; a record is sealed once it stands in all of them.

What lives here: putting a package in every place, reading it back from the first that still holds it whole, and looking at a
copy as it stands. What does not: the extension of locks (`archive.places.locks`), the tests of a place
(`archive.places.conformance`), the audits (`archive.watch`).
"""

from __future__ import annotations

import hmac
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

from sqlmodel import select

from archive.models import Record, RecordCopy
from core import clock
from core.blobs import LockedObject, ObjectAltered, ObjectMissing, SealedObject
from core.database import ScopedSession
from core.errors import Misconfigured, Unavailable
from core.locked_objects import LockedObjects
from core.messages import Catalogue
from core.places import PRINCIPAL
from core.platform import Platform
from core.principal import PLATFORM
from schemas.seda.model import FinalAction

_messages = Catalogue("archive.places")


@dataclass(frozen=True, slots=True)
class Place:
    """A place by its name, which copies are known by.

    Attributes:
        audit_days: within how many days every object is read back once.
    """

    name: str
    store: LockedObjects
    audit_days: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A package as it stands in a place, as it was last read back there."""

    place: str
    sealed: LockedObject

    @property
    def locked_until(self) -> datetime:
        """Until when the place says that it refuses to delete it."""
        return self.sealed.locked_until


class CopyState(StrEnum):
    """What a copy was found to be."""

    SOUND = "sound"
    MISSING = "missing"
    ALTERED = "altered"
    HIDDEN = "hidden"
    """Another version, or a delete marker, lies on top: the copy is whole, but somebody wrote on its key."""
    UNLOCKED = "unlocked"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a copy gave.

    Attributes:
        detail: identifiers, digests and moments, for an operator; empty for a sound copy.
    """

    state: CopyState
    detail: str = ""


def places_of(platform: Platform) -> tuple[Place, ...]:
    """Return the places, the principal one first."""
    first = Place(PRINCIPAL, platform.objects, platform.settings.archive_audit_days)
    return (first, *(Place(place.name, place.store, place.audit_days) for place in platform.further))


def seal(platform: Platform, key: str, path: Path, sha256: str, *, untried: bool = False) -> tuple[Copy, ...]:
    """Put a package in every place under its lock, and read it back in each; a second try finds what the first one put there.

    Args:
        platform: whose places.
        key: name of the object, never used for another content.
        path: the package.
        sha256: hexadecimal digest of the package.
        untried: nobody has tried this key before; see `core.locked_objects`.

    Raises:
        Unavailable: a place does not answer; nothing counts as sealed until all of them have.
        ObjectAltered: the key holds other bytes in a place.
        Misconfigured: a place does not lock it.
    """
    return tuple(Copy(place.name, place.store.seal(key, path, sha256, untried=untried)) for place in places_of(platform))


def seal_again(platform: Platform, key: str, sha256: str, size: int) -> tuple[Copy, ...]:
    """Find under lock what an earlier try put under a key, and carry it to the places that do not hold it yet.

    Raises:
        ObjectMissing: no place holds it.
        ObjectAltered: the key holds other bytes in a place.
        Unavailable: a place does not answer.
        Misconfigured: a place does not lock it.
    """
    found: dict[str, LockedObject] = {}
    for place in places_of(platform):
        with suppress(ObjectMissing):
            found[place.name] = place.store.seal_again(key, sha256, size)
    if not found:
        raise ObjectMissing(_messages("nowhere"))
    for place in places_of(platform):
        if place.name not in found:
            source = next(one for one in places_of(platform) if one.name in found)
            with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
                package = Path(folder) / "package.zip"
                source.store.fetch_sealed(found[source.name], package)
                found[place.name] = place.store.seal(key, package, sha256)
    return tuple(Copy(place.name, found[place.name]) for place in places_of(platform))


def copies_of(session: ScopedSession, record_id: str) -> list[RecordCopy]:
    """Return the copies of a record, in no order."""
    return list(session.exec(select(RecordCopy).where(RecordCopy.record_id == record_id)))


def fetch(platform: Platform, record: Record, target: Path) -> None:
    """Write the package of a record to a file, from the first place that holds it whole.

    Raises:
        ObjectMissing: no place holds it.
        ObjectAltered: no place holds it whole.
        Unavailable, Misconfigured: no place that answers holds it whole, and one does not answer, or refuses us.
    """
    with platform.database.reading(PLATFORM) as session:
        versions = {copy.place: copy.version_id for copy in copies_of(session, record.id)}
    fetch_from(platform, record, versions, target)


def fetch_from(platform: Platform, record: Record, versions: Mapping[str, str], target: Path) -> Place:
    """Write the package of a record to a file from the first of some places that holds it whole, and return that place.

    Args:
        platform: whose places.
        record: which one.
        versions: which version is meant in each of the places, by its name.
        target: the file.

    Raises:
        ObjectMissing: none of them holds it.
        ObjectAltered: none of them holds it whole.
        Unavailable, Misconfigured: none that answers holds it whole, and one does not answer, or refuses us.
    """
    silent: Unavailable | Misconfigured | None = None
    problem: ObjectMissing | ObjectAltered = ObjectMissing(_messages("nowhere"))
    for place in places_of(platform):
        if place.name not in versions:
            continue
        sealed = SealedObject(place.store.archive, record.key, versions[place.name], record.sha256, record.size)
        try:
            place.store.fetch_sealed(sealed, target)
        except (Unavailable, Misconfigured) as error:
            silent = error
        except ObjectAltered as error:
            problem = error
        except ObjectMissing as error:
            problem = problem if isinstance(problem, ObjectAltered) else error
        else:
            return place
    raise silent or problem


def look(place: Place, record: Record, copy: RecordCopy) -> Finding:
    """Read a copy back whole and tell what became of it; the worst of what is found is told.

    Args:
        place: where the copy is.
        record: not eliminated; its digest and size are what the bytes are held against.
        copy: which version is meant.
    """
    try:
        found = place.store.standing(record.key, copy.version_id)
    except ObjectMissing:
        return Finding(CopyState.MISSING, f"version={copy.version_id}")
    except (Unavailable, Misconfigured) as error:
        return Finding(CopyState.UNREACHABLE, str(error))
    if not hmac.compare_digest(found.sha256, record.sha256) or found.size != record.size:
        return Finding(CopyState.ALTERED, f"sha256={found.sha256} size={found.size}")
    if found.on_top != copy.version_id:
        return Finding(CopyState.HIDDEN, f"on_top={found.on_top or 'marker'}")
    until, due = found.lock.until, lock_due(record)
    if until is None or (until <= clock.now() and (due is None or clock.now() < due)):
        return Finding(CopyState.UNLOCKED, f"until={clock.iso(until) if until else 'never'}")
    return Finding(CopyState.SOUND)


def lock_due(record: Record) -> datetime | None:
    """Return until when a record must be locked, whatever lock stands: the end of its retention; None for what is kept for ever.

    The end is the midnight of UTC that follows the last day, when that day is over in Paris too: days alone can be compared.
    """
    if record.final_action != FinalAction.DESTROY or record.keep_until is None:
        return None
    return datetime.combine(record.keep_until + timedelta(days=1), time(), UTC)
