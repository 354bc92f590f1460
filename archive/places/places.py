"""The places of the archive: each an S3 server with versions and object lock; a record is sealed once it stands in all of them.

What lives here: putting a package in every place and reading it back from the first that still holds it whole. What does not:
the extension of locks, the tests of a place, the audits.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlmodel import select

from archive.models import Record, RecordCopy
from core.blobs import ObjectAltered, ObjectMissing, ObjectStore, SealedObject
from core.database import ScopedSession
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_messages = Catalogue("archive")
PRINCIPAL = "principal"
"""The place where everything else is kept too; it comes first."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place by its name, which copies are known by."""

    name: str
    store: ObjectStore


@dataclass(frozen=True, slots=True)
class Copy:
    """A package as it stands in a place."""

    place: str
    sealed: SealedObject


def places_of(platform: Platform) -> tuple[Place, ...]:
    """Return the places, the principal one first."""
    return (Place(PRINCIPAL, platform.objects), *(Place(name, store) for name, store in platform.further))


def seal(platform: Platform, key: str, path: Path, sha256: str, until: datetime) -> tuple[Copy, ...]:
    """Put a package in every place, read it back in each, and lock it; a second try finds what the first one put there.

    Raises:
        Unavailable: a place does not answer; nothing is sealed until all of them do.
        ObjectAltered: the key holds other bytes in a place.
    """
    return tuple(Copy(place.name, place.store.seal(key, path, sha256, until)) for place in places_of(platform))


def seal_again(platform: Platform, key: str, sha256: str, size: int, until: datetime) -> tuple[Copy, ...]:
    """Lock what an earlier try put under a key, and carry it to the places that do not hold it yet.

    Raises:
        ObjectMissing: no place holds it.
        ObjectAltered: the key holds other bytes in a place.
        Unavailable: a place does not answer.
    """
    found: dict[str, SealedObject] = {}
    for place in places_of(platform):
        with suppress(ObjectMissing):
            found[place.name] = place.store.seal_again(key, sha256, size, until)
    if not found:
        raise ObjectMissing(_messages("places.nowhere"))
    for place in places_of(platform):
        if place.name not in found:
            source = next(one for one in places_of(platform) if one.name in found)
            with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
                package = Path(folder) / "package.zip"
                source.store.fetch_sealed(found[source.name], package)
                found[place.name] = place.store.seal(key, package, sha256, until)
    return tuple(Copy(place.name, found[place.name]) for place in places_of(platform))


def copies_of(session: ScopedSession, record_id: str) -> list[RecordCopy]:
    """Return the copies of a record, in no order."""
    return list(session.exec(select(RecordCopy).where(RecordCopy.record_id == record_id)))


def fetch(platform: Platform, record: Record, target: Path) -> None:
    """Write the package of a record to a file, from the first place that holds it whole.

    Raises:
        ObjectMissing: no place holds it.
        ObjectAltered: no place holds it whole.
        Unavailable: no place that answers holds it whole, and one does not answer.
    """
    with platform.database.reading(PLATFORM) as session:
        versions = {copy.place: copy.version_id for copy in copies_of(session, record.id)}
    problem: Exception = ObjectMissing(_messages("places.nowhere"))
    for place in places_of(platform):
        if place.name not in versions:
            continue
        sealed = SealedObject(place.store.archive, record.key, versions[place.name], record.sha256, record.size)
        try:
            place.store.fetch_sealed(sealed, target)
        except (ObjectMissing, ObjectAltered) as error:
            problem = error
        else:
            return
    raise problem
