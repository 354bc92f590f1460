"""Records that a place lacks: those of which it has no copy, and those whose copy there is no longer what was sealed.

What lives here: which they are, by their identifiers, hence the oldest first, and one turn over them. What does not: the writing
of a copy (`archive.watch.restoring`), the round (`archive.replication.rounds`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import ColumnElement, func
from sqlmodel import col, select

from archive.models import Record, RecordCopy
from archive.places.places import Place, places_of
from archive.replication.turns import TROUBLES, Failure, NotCopied, Turn, not_copied
from archive.watch.integrity import read_back
from archive.watch.looking import Budget
from archive.watch.restoring import MENDED, being_destroyed, put, take
from core.platform import Platform
from core.principal import PLATFORM
from core.s3 import ObjectAltered

_BATCH = 200
_ACTOR = "platform"


def lacking(platform: Platform, place: str) -> int:
    """Return of how many records a place has no copy."""
    with platform.database.reading(PLATFORM) as session:
        return session.exec(select(func.count()).select_from(Record).where(*_lacks(place))).one()


def held(platform: Platform, place: str) -> int:
    """Return of how many records a place is to have a copy already."""
    asked = select(func.count()).select_from(RecordCopy).join(Record)
    with platform.database.reading(PLATFORM) as session:
        return session.exec(asked.where(RecordCopy.place == place, col(Record.eliminated).is_(None))).one()


def bring(platform: Platform, target: Place, after: str, budget: Budget) -> Turn:
    """Copy the next records of which a place has no copy.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us, or all that could give a record do.
    """
    asked = select(Record).where(*_lacks(target.name), col(Record.id) > after).order_by(col(Record.id))
    with platform.database.reading(PLATFORM) as session:
        rows = [(record, None) for record in session.exec(asked.limit(min(budget.count, _BATCH)))]
    return _through(platform, target, rows, budget, None)


def mend(platform: Platform, target: Place, after: str, budget: Budget, source: str | None = None) -> Turn:
    """Read the next copies of a place back, and write again those that are gone, altered or covered.

    Args:
        platform: whose archive.
        target: the place.
        after: identifier of the last record that was looked at.
        budget: how many copies to look at, and how many bytes to read or write.
        source: the only place to take packages from; the first that gives each whole when not given.

    Raises:
        Unavailable, Misconfigured: the place does not answer, or refuses us, or all that could give a record do.
    """
    asked = (
        select(Record, RecordCopy)
        .join(RecordCopy)
        .where(RecordCopy.place == target.name, col(Record.eliminated).is_(None), col(RecordCopy.record_id) > after)
        .order_by(col(RecordCopy.record_id))
    )
    with platform.database.reading(PLATFORM) as session:
        rows = [(record, copy) for record, copy in session.exec(asked.limit(min(budget.count, _BATCH)))]
    return _through(platform, target, rows, budget, source)


def _lacks(place: str) -> tuple[ColumnElement[bool], ...]:
    there = select(RecordCopy.record_id).where(RecordCopy.record_id == Record.id, RecordCopy.place == place).exists()
    return col(Record.eliminated).is_(None), ~there


def _through(
    platform: Platform, target: Place, rows: Sequence[tuple[Record, RecordCopy | None]], budget: Budget, source: str | None
) -> Turn:
    wanted = [record.id for record, _ in rows]
    with platform.database.reading(PLATFORM) as session:
        elsewhere: dict[str, dict[str, str]] = {identifier: {} for identifier in wanted}
        for copy in session.exec(select(RecordCopy).where(col(RecordCopy.record_id).in_(wanted))):
            if copy.place != target.name and source in {None, copy.place}:
                elsewhere[copy.record_id][copy.place] = copy.version_id
        going = being_destroyed(session, wanted)
    copied, size, failures, cursor = 0, 0, list[Failure](), None
    for record, copy_here in rows:
        cursor, size = record.id, size + record.size
        if record.id not in going and _is_due(target, record, copy_here):
            try:
                copied += _copied(platform, target, record, copy_here, elsewhere[record.id])
            except NotCopied as error:
                failures.append(Failure(record.key, str(error)))
        if size >= budget.size:
            break
    return Turn(copied, size, tuple(failures), cursor)


def _is_due(target: Place, record: Record, copy: RecordCopy | None) -> bool:
    if copy is None:
        return True
    trouble = read_back(target, record, copy, ())
    return trouble is not None and trouble.kind in MENDED


def _copied(platform: Platform, target: Place, record: Record, copy: RecordCopy | None, versions: Mapping[str, str]) -> bool:
    """Copy a record; tell whether there was anything to copy still: it may have been eliminated meanwhile."""
    sources = [place for place in places_of(platform) if place.name in versions]
    with tempfile.TemporaryDirectory(prefix="tabellion-") as folder:
        package = Path(folder) / "package.zip"
        try:
            taken = take(platform, record, versions, package)
        except TROUBLES as error:
            raise not_copied(error, sources) from error
        try:
            instead = copy.version_id if copy else None
            return put(platform, record, target, package, taken, _ACTOR, instead) is not None
        except ObjectAltered as error:
            raise NotCopied(str(error)) from error
