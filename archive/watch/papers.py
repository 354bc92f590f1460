"""Integrity of what is sealed beside the packages: the statements of what people decided, and evidence records.

What lives here: each is read back whole in each place, and held against the digest that was sealed with it. What does not: what
they say, and which of them the journal names; the segments of the journal (`archive.watch.journal`).
"""

from __future__ import annotations

import heapq
import hmac
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby, islice

from archive.places import statements
from archive.places.places import Place, places_of
from archive.proof.ers.batches import PREFIX as EVIDENCE
from archive.proof.segments import PREFIX as SEGMENTS
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, place_named
from core import clock
from core.errors import Misconfigured, Unavailable
from core.locked_bucket import Version
from core.platform import Platform
from core.s3 import ObjectMissing

_READ_HERE = (EVIDENCE, statements.FOLDER)
_ALL = (*_READ_HERE, SEGMENTS)


def is_paper(key: str) -> bool:
    """Tell whether a key is that of something sealed beside the packages."""
    return key.startswith(_ALL)


def total(platform: Platform, place: str) -> int:
    """Return how many there are.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    return sum(1 for _ in _keys(platform, place_named(platform, place), ""))


def look(platform: Platform, place: str, started: datetime, cursor: str, budget: Budget) -> Look:
    """Read back the next ones: those that stand in this place, and those that another has and this one lacks.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    del started
    where = place_named(platform, place)
    looked, size, troubles = 0, 0, list[Trouble]()
    for key, versions in islice(_keys(platform, where, cursor), budget.count):
        trouble, read = _read_back(where, key, versions)
        troubles += [trouble] if trouble else []
        looked, size, cursor = looked + 1, size + read, key
        if size >= budget.size:
            break
    return Look(looked, size, tuple(troubles), cursor if looked else None)


def _keys(platform: Platform, place: Place, after: str) -> Iterator[tuple[str, list[Version]]]:
    """Yield the keys that any place has, after one, in their order, each with the versions that stand in this place."""
    listed = [_versions(one, place.name, after) for one in places_of(platform)]
    for key, group in groupby(heapq.merge(*listed, key=lambda found: found[0]), key=lambda found: found[0]):
        yield key, [version for _, version in group if version is not None]


def _versions(one: Place, here: str, after: str) -> Iterator[tuple[str, Version | None]]:
    if one.name == here:
        yield from ((version.key, version) for version in _listed(one, after))
        return
    with suppress(Unavailable, Misconfigured):  # its own audit says that it is silent; here it only helps
        yield from ((version.key, None) for version in _listed(one, after))


def _listed(one: Place, after: str) -> Iterator[Version]:
    for prefix in sorted(_READ_HERE):
        if after < prefix or after.startswith(prefix):
            listed = one.store.all_versions(after if after.startswith(prefix) else "", prefix=prefix)
            yield from (version for version in listed if not version.is_marker)


def _read_back(place: Place, key: str, versions: list[Version]) -> tuple[Trouble | None, int]:
    """Read what was sealed under a key, whatever was written on top; return what is wrong, and how many bytes there were."""
    if not versions:
        return Trouble(Kind.OBJECT_MISSING, place.name, key, {"detail": "absent"}), 0
    # Times may come in whole seconds; within one, the newest version is listed first.
    first = min(reversed(versions), key=lambda version: version.written).version_id

    def wrong(kind: Kind, detail: str, expected: str | None = None) -> Trouble:
        return Trouble(kind, place.name, key, {"version": first, "expected": expected, "detail": detail})

    try:
        found = place.store.standing(key, first)
    except ObjectMissing:
        return wrong(Kind.OBJECT_MISSING, "absent"), 0
    except Unavailable:
        # A store that finds its own checksum broken answers with an error: it is silent of these bytes, not altogether.
        place.store.lock_of(key, first)
        return wrong(Kind.OBJECT_ALTERED, "unreadable"), 0
    if found.noted is None or not hmac.compare_digest(found.sha256, found.noted):
        return wrong(Kind.OBJECT_ALTERED, f"sha256={found.sha256} size={found.size}", found.noted), found.size
    if found.on_top != first:
        return wrong(Kind.COPY_HIDDEN, f"on_top={found.on_top or 'marker'}", found.noted), found.size
    until = found.lock.until
    if until is None or until <= clock.now():
        return wrong(Kind.COPY_UNLOCKED, f"until={clock.iso(until) if until else 'never'}", found.noted), found.size
    return None, found.size
