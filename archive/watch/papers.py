"""Integrity of what is sealed beside the packages: the statements of what people decided, and evidence records.

What lives here: each is read back whole in each place, and held against the digest that was sealed with it; one that the database
names and no place has is missing in all of them. What does not: what they say; the segments of the journal
(`archive.watch.journal`).
"""

from __future__ import annotations

import heapq
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from typing import Any

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import Mapped
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from archive.correction.models import STATEMENT as CORRECTION
from archive.correction.models import RecordCorrection
from archive.elimination.deciding import DECIDED
from archive.elimination.deciding import STATEMENT as VISA
from archive.elimination.models import Elimination
from archive.models import EvidenceStamp
from archive.places import statements
from archive.places.places import Place, places_of
from archive.proof.ers import batches
from archive.proof.ers.batches import PREFIX as EVIDENCE
from archive.proof.segment_keys import PREFIX as SEGMENTS
from archive.replication.models import Replication, Task
from archive.retention.changing import STATEMENT as RULE
from archive.retention.holds import LIFT_STATEMENT, LIFTED
from archive.retention.holds import STATEMENT as HOLD
from archive.retention.models import RecordHold, RuleVersion
from archive.watch.incidents import Kind
from archive.watch.looking import Budget, Look, Trouble, place_named
from core import clock
from core.errors import Misconfigured, Unavailable
from core.journal import JournalEntry, about
from core.locked_bucket import Version, first_version
from core.platform import Platform
from core.principal import PLATFORM
from core.s3 import ObjectMissing

_READ_HERE = (EVIDENCE, statements.FOLDER)
_ALL = (*_READ_HERE, SEGMENTS)
_PAGE = 500


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
    """Read back the next ones: those that stand in this place, and those that another has, or the database names.

    What is being brought to a place that was just added is not lacking yet.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us.
    """
    del started
    where = place_named(platform, place)
    looked, size, troubles = 0, 0, list[Trouble]()
    filled = not _is_being_filled(platform, place)
    for key, versions in islice(_keys(platform, where, cursor), budget.count):
        trouble, read = _read_back(where, key, versions) if versions or filled else (None, 0)
        troubles += [trouble] if trouble and not _is_let_go(platform, trouble) else []
        looked, size, cursor = looked + 1, size + read, key
        if size >= budget.size:
            break
    return Look(looked, size, tuple(troubles), cursor if looked else None)


def _is_let_go(platform: Platform, trouble: Trouble) -> bool:
    """Tell whether something is without a lock because it is to be removed (`archive.places.extending`)."""
    return trouble.kind is Kind.COPY_UNLOCKED and bool(statements.of_destroyed(platform, [trouble.subject]))


def _is_being_filled(platform: Platform, place: str) -> bool:
    with platform.database.reading(PLATFORM) as session:
        run = session.get(Replication, (place, Task.FILL.value))
        return run is not None and run.brings_papers


def _keys(platform: Platform, place: Place, after: str) -> Iterator[tuple[str, list[Version]]]:
    """Yield the keys that any place has, or should have, after one, in their order, each with the versions in this place."""
    listed = [_versions(one, place.name, after) for one in places_of(platform)]
    named: Iterator[tuple[str, Version | None]] = ((key, None) for key in _named(platform, after))
    for key, group in groupby(heapq.merge(*listed, named, key=lambda found: found[0]), key=lambda found: found[0]):
        yield key, [version for _, version in group if version is not None]


def _named(platform: Platform, after: str) -> Iterator[str]:
    """Yield the keys that the database names, after one, in their order: what it says was sealed, some place must have."""
    stamps = partial(_identifiers, platform, col(EvidenceStamp.id), col(EvidenceStamp.locked_until).is_not(None))
    kinds: dict[str, Callable[[str], Iterator[str]]] = {
        batches.key_of("*"): stamps,
        statements.key_of(CORRECTION, "*"): partial(_corrections, platform),
        statements.key_of(LIFT_STATEMENT, "*"): partial(_lifts, platform),
        statements.key_of(HOLD, "*"): partial(_identifiers, platform, col(RecordHold.id), true()),
        statements.key_of(RULE, "*"): partial(_identifiers, platform, col(RuleVersion.id), true()),
        statements.key_of(VISA, "*"): partial(_visas, platform),
    }
    for pattern, identifiers in sorted(kinds.items()):
        folder, ending = pattern.split("*")
        if after < folder or after.startswith(folder):
            last = after.removeprefix(folder).removesuffix(ending) if after.startswith(folder) else ""
            yield from (f"{folder}{identifier}{ending}" for identifier in identifiers(last))


def _identifiers(platform: Platform, column: Mapped[str], sealed: ColumnElement[bool], after: str) -> Iterator[str]:
    asked = select(column).where(sealed).order_by(column).limit(_PAGE)
    while True:
        with platform.database.reading(PLATFORM) as session:
            some = list(session.exec(asked.where(column > after)))
        if not some:
            return
        yield from some
        after = some[-1]


def _corrections(platform: Platform, after: str) -> Iterator[str]:
    """Yield the identifiers of the statements of corrections; one that only was proposed has none."""
    named = col(RecordCorrection.statement)
    asked = select(RecordCorrection.statement).where(named.is_not(None)).order_by(named).limit(_PAGE)
    while True:
        with platform.database.reading(PLATFORM) as session:
            some = [name for name in session.exec(asked.where(named > after)) if name]
        if not some:
            return
        yield from some
        after = some[-1]


def _visas(platform: Platform, after: str) -> Iterator[str]:
    """Yield the identifiers of the statements of visas: there are few, and each stands in the journal alone."""
    decided = select(JournalEntry.facts).join(Elimination, about(Elimination.id)).where(JournalEntry.kind == DECIDED)
    yield from _in_journal(platform, decided, after)


def _lifts(platform: Platform, after: str) -> Iterator[str]:
    """Yield the identifiers of the statements of lifted holds, as those of visas; the first ones were lifted without."""
    lifted = select(JournalEntry.facts).join(RecordHold, about(RecordHold.id)).where(JournalEntry.kind == LIFTED)
    yield from _in_journal(platform, lifted, after)


def _in_journal(platform: Platform, told: SelectOfScalar[Mapping[str, Any]], after: str) -> Iterator[str]:
    with platform.database.reading(PLATFORM) as session:
        named = {facts["statement"] for facts in session.exec(told) if "statement" in facts}
    yield from sorted(name for name in named if name > after)


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
    # It may have come since the place was listed: asked for by its name before it is said to be missing.
    written = first_version(versions or place.store.versions(key))
    if written is None:
        return Trouble(Kind.OBJECT_MISSING, place.name, key, {"detail": "absent"}), 0
    first = written.version_id

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
