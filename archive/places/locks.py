"""Locks as somebody asks for them: records are held and released, and removed once nothing keeps them.

What does not live here: the extension of locks (`archive.places.extending`), why a record is held (`archive.retention`), why one
is eliminated (`archive.elimination`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import structlog

from archive.models import Record
from archive.places.places import Place, copies_of, places_of
from core import clock
from core.blobs import ObjectMissing
from core.errors import Conflict, Misconfigured, NotFound, Unavailable
from core.locked_objects import Lock
from core.messages import Catalogue
from core.platform import Platform
from core.principal import PLATFORM

_log = structlog.get_logger()
_messages = Catalogue("archive.places")


class Removal(StrEnum):
    """What the removal of a record gave in one place."""

    REMOVED = "removed"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"


def hold(platform: Platform, record_id: str) -> None:
    """Put a legal hold on every copy of a record; again changes nothing.

    Raises:
        NotFound: no such record.
        Unavailable, Misconfigured, ObjectMissing: a copy could not be held; the others are, and a second try goes on.
    """
    _on_every_copy(platform, record_id, held=True)


def release(platform: Platform, record_id: str) -> None:
    """Lift the legal hold of every copy of a record; again changes nothing, and the locks stay.

    Raises:
        NotFound: no such record.
        Unavailable, Misconfigured, ObjectMissing: a copy could not be reached; the others are released, and a second try goes on.
    """
    _on_every_copy(platform, record_id, held=False)


def remove(platform: Platform, record: Record) -> dict[str, Removal]:
    """Delete a record's package from every place for good: all versions of its key and all markers; its absence is verified.

    Returns:
        What was done, by place. ``unreachable``: the place went silent meanwhile, or still gives something; a second try
        goes on.

    Raises:
        Conflict: a lock or a hold stands somewhere; nothing was deleted.
        Unavailable, Misconfigured: a place cannot be asked; nothing was deleted.
    """
    return remove_key(platform, record.key)


def remove_key(platform: Platform, key: str) -> dict[str, Removal]:
    """Delete what stands under a key from every place, as ``remove`` does a package."""
    known = places_of(platform)
    for place in known:
        _require_free(place, key)
    return {place.name: _removed(place, key) for place in known}


def _on_every_copy(platform: Platform, record_id: str, *, held: bool) -> None:
    with platform.database.reading(PLATFORM) as session:
        record = session.get(Record, record_id)
        versions = {copy.place: copy.version_id for copy in copies_of(session, record_id)}
    if record is None:
        raise NotFound(_messages("record.unknown"))
    trouble: Unavailable | Misconfigured | ObjectMissing | None = None
    for place in places_of(platform):
        if place.name not in versions:
            continue
        act = place.store.freeze if held else place.store.thaw
        try:
            act(record.key, versions[place.name])
        except (Unavailable, Misconfigured, ObjectMissing) as error:
            trouble = trouble or error
    if trouble is not None:
        raise trouble


def _require_free(place: Place, key: str) -> None:
    now = clock.now()
    locks = [place.store.lock_of(key, one.version_id) for one in place.store.versions(key) if not one.is_marker]
    if any(lock.held for lock in locks):
        raise Conflict(_messages("remove.held", place=place.name))
    until = max(map(_end, locks), default=now)
    if until > now:
        raise Conflict(_messages("remove.locked", place=place.name, until=f"{clock.in_paris(until):%d/%m/%Y %H:%M}"))


def _end(lock: Lock) -> datetime:
    return lock.until or datetime.min.replace(tzinfo=UTC)


def _removed(place: Place, key: str) -> Removal:
    try:
        versions = place.store.versions(key)
        # What lies below goes first: were we stopped, the markers would still hide what is left.
        for version in sorted(versions, key=lambda version: version.is_marker):
            place.store.remove_version(version)
        left = len(place.store.versions(key))
    except (Unavailable, Misconfigured) as error:
        _log.warning("removal.unfinished", place=place.name, reason=str(error))
        return Removal.UNREACHABLE
    if left:
        _log.warning("removal.unfinished", place=place.name, versions=left)
        return Removal.UNREACHABLE
    return Removal.REMOVED if versions else Removal.ABSENT
